"""Files of one run are whole or refused: killed at any step, on a full disk, changed by a byte, with two writers."""

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from typer.testing import CliRunner

from reflow import files
from reflow.cli.main import app
from reflow.crosscheck import output as crosscheck_output
from reflow.crosscheck.check import cross_check
from reflow.errors import MethodologyError, OutputError, ResultsError
from reflow.explanations import explain as explaining
from reflow.explanations import payment_graph
from reflow.files import hold, write_together
from reflow.flows.methodology import REFERENCE, Methodology, read_all
from reflow.flows.recompute import recompute
from reflow.owners import cluster_report, pools
from reflow.owners.cluster_report import report_clusters
from reflow.owners.pool_files import PoolData
from reflow.report import pictures as report_pictures
from reflow.report import report as report_page
from reflow.report.evidence import gather
from reflow.report.pictures import pictures, write_pictures
from reflow.results import write as results_write
from reflow.results.frames import read_frames
from reflow.results.read import read_results
from reflow.serve.library import Library
from reflow.sweeps import output as sweep_output
from reflow.sweeps.grid import grid_of
from reflow.sweeps.sweep import sweep
from reflow.vendor.files import Vendor, digest
from support.economy import Block, coinbase, labels_of, ledger_of, on_day, pay
from support.economy import settled as with_days
from support.publications import (
    Publication,
    dying,
    nobody_settles,
    recorded,
    resealed,
    settled,
    whole,
)

ECONOMY: Final[list[Block]] = with_days(
    on_day(0, coinbase((1, 5_000_000_000))),
    *(
        on_day(n, pay([(1, 1000), (5, 10)], [(2, 600), (1, 390)]), pay([(2, 70)], [(3, 65)]))
        for n in range(12)
    ),
)
LABELS: Final = labels_of({2: "AAA", 3: "BBB"})
FEWER: Final = labels_of({2: "AAA"})
FLOW: Final = "FlowMinerOut1HopAllExNtv"
CUSTOM: Final = Methodology(sender="pro_rata", netting="gross")
SETS: Final = ("recompute", "crosscheck", "sweep", "pools", "clusters", "explain", "charts", "page")
"""What writes files, by verb; `charts` and `page` are those of report."""
READ: Final = ("recompute", "crosscheck", "sweep")
"""Those whose files other verbs read."""


class Runs(NamedTuple):
    """Two runs of each of the verbs, recorded: the second has other content in every file."""

    older: dict[str, Publication]
    newer: dict[str, Publication]
    folders: tuple[Path, Path]
    """Everything of the older ones, in one folder; then that of the newer ones."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    base = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        older = record(patch, base / "older", CUSTOM, days=10, labels=LABELS, with_matrix=True)
        newer = record(patch, base / "newer", REFERENCE, days=12, labels=FEWER, with_matrix=False)
    for name in SETS:
        assert older[name].content != newer[name].content
    return Runs(older, newer, (base / "older", base / "newer"))


def record(
    patch: pytest.MonkeyPatch,
    out: Path,
    methodology: Methodology,
    *,
    days: int,
    labels: Any,
    with_matrix: bool,
) -> dict[str, Publication]:
    """Run every verb into `out`; gives what each wrote."""
    made: dict[str, Publication] = {}

    def keep(name: str, module: Any, act: Callable[[], object]) -> None:
        with recorded(patch, module) as calls:
            act()
        [made[name]] = calls

    with ledger_of(ECONOMY[: 2 + days]) as ledger:
        result = recompute(ledger, labels, methodology=methodology)
        keep("recompute", results_write, lambda: results_write.write(result, out))
        ours = read_results(out)
        table = {metric: dict.fromkeys(series, Decimal(3)) for metric, series in ours.metrics.items()}
        vendor = Vendor(table, [], "vendor.csv", digest(table))  # type: ignore[arg-type]
        check = cross_check(ours, vendor)
        keep("crosscheck", crosscheck_output, lambda: crosscheck_output.write_cross_check(check, out))
        grid = grid_of({"clock": ["mediantime"], "netting": ["net", "gross"][: 1 + with_matrix]})
        swept = sweep(ledger, labels, vendor, grid=grid)
        keep("sweep", sweep_output, lambda: sweep_output.write_sweep(swept, out))
        flows = labels if with_matrix else None
        data = PoolData(labels.frame.select("account", "entity").clear(), [(f"/{days}/", "pool")])
        keep("pools", pools, lambda: pools.report_pools(ledger, data, flows, out=out))
        keep("clusters", cluster_report, lambda: report_clusters(ledger, labels, out=out))
        cell = explaining.explain(ledger, labels, FLOW, result.days[3], methodology=methodology)
        keep("explain", payment_graph, lambda: payment_graph.write_graph(cell, out))
    frames = read_frames(out)
    drawn = list(pictures(frames, gather(frames)))[:2]
    keep("charts", report_pictures, lambda: write_pictures(drawn, out))
    keep("page", report_page, lambda: report_page.write_report(frames, out / "page.html"))
    return made


def reader(runs: Runs, name: str) -> Callable[[Path], Any]:
    """What other verbs read of the files, in a form that can be compared."""

    def read(folder: Path) -> Any:
        if name == "recompute":
            return read_results(folder)[1:], read_frames(folder).metrics.to_dicts()
        if name == "sweep":
            frames = read_frames(runs.folders[0], sweep=folder)
            assert frames.ranking is not None
            return frames.sweep, frames.ranking.to_dicts()
        told = json.loads((folder / "crosscheck.json").read_text(encoding="utf-8"))
        its = told["metrics"]["first_day"], told["metrics"]["last_day"]
        of = [base for base in runs.folders if spans(base) == its]
        frames = read_frames(of[0], crosscheck=folder)
        assert frames.comparison is not None
        assert frames.differences is not None
        return frames.crosscheck, frames.comparison.to_dicts(), frames.differences.to_dicts()

    return read


def spans(folder: Path) -> tuple[str, str]:
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return run["first_day"], run["last_day"]


def seen(read: Callable[[Path], Any], folder: Path) -> Any:
    """What a reader has of a folder, or its refusal: one line that names the folder and says what to do."""
    try:
        return read(folder)
    except ResultsError as error:
        told = str(error)
    assert told.startswith(str(folder))
    assert "\n" not in told
    assert any(part in told for part in ("again", "no run.json there", "cannot be read"))
    return None


def copied(folder: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    return shutil.copytree(folder, to)


def starting_point(runs: Runs, name: str, to: Path) -> Path:
    """The older run of one verb."""
    runs.older[name].publish(to)
    return to


@pytest.mark.parametrize("name", SETS)
def test_killed_at_any_step_it_is_one_run_or_refused_and_the_next_run_is_right(
    runs: Runs, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = starting_point(runs, name, tmp_path / "before")
    after = copied(before, tmp_path / "after")
    with dying(monkeypatch, None) as steps:
        runs.newer[name].publish(after)
    olds, news = whole(before), whole(after)
    assert olds.keys() | news.keys() == {file for file in olds | news if not file.startswith(".")}
    read = reader(runs, name) if name in READ else whole
    old, new = read(before), read(after)
    refused = 0
    for step in range(len(steps)):
        folder = copied(before, tmp_path / "killed")
        with dying(monkeypatch, step), pytest.raises(OutputError):
            runs.newer[name].publish(folder)
        if name in READ:
            with nobody_settles(monkeypatch):
                got = seen(read, folder)
            assert got in (old, new, None), steps[step]
            refused += got is None
        again = copied(folder, tmp_path / "again")
        runs.newer[name].publish(again)
        assert whole(again) == news, steps[step]
        assert settled(folder) in (olds, news), steps[step]
        if name in READ:
            assert read(folder) in (old, new)
    assert refused > 0 or name not in READ


def test_everything_is_on_disk_before_anything_is_replaced(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file, the journal and the folder are flushed, then come the names, then the folder is flushed again."""
    starting_point(runs, "recompute", tmp_path)
    with dying(monkeypatch, None) as steps:
        runs.newer["recompute"].publish(tmp_path)
    first, last = steps.index("replace"), len(steps) - steps[::-1].index("replace")
    assert steps[:first].count("fsync") == len(
        ("metrics.csv", "metrics.parquet", "run.json", "journal", "folder")
    )
    assert [step for step in steps[first:] if step != "open"] == ["replace"] * 3 + ["fsync", "unlink"]
    assert steps[last:].count("fsync") == 1


def test_killed_while_it_replaces_a_run_of_an_older_version(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run.json has no digests, so it would fit whatever lies beside it."""
    read = reader(runs, "recompute")
    before = starting_point(runs, "recompute", tmp_path / "before")
    run = json.loads((before / "run.json").read_text())
    del run["sha256"], run["seal"]
    (before / "run.json").write_text(json.dumps(run))
    old, new = read(before), read(runs.folders[1])
    after = copied(before, tmp_path / "after")
    with dying(monkeypatch, None) as steps:
        runs.newer["recompute"].publish(after)
    for step in range(len(steps)):
        folder = copied(before, tmp_path / "killed")
        with dying(monkeypatch, step), pytest.raises(OutputError):
            runs.newer["recompute"].publish(folder)
        with nobody_settles(monkeypatch):
            assert seen(read, folder) in (old, new, None), steps[step]
        assert read(folder) in (old, new), steps[step]
        assert settled(folder).keys() == whole(before).keys()
        assert read(folder) in (old, new), steps[step]


@pytest.mark.parametrize("name", SETS)
def test_an_error_at_any_step_is_one_line_and_leaves_one_run(
    runs: Runs, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = starting_point(runs, name, tmp_path / "before")
    olds = whole(before)
    after = copied(before, tmp_path / "after")
    with dying(monkeypatch, None) as steps:
        runs.newer[name].publish(after)
    news, failed = whole(after), 0
    for step in range(len(steps)):
        folder = copied(before, tmp_path / "failed")
        told = ""
        with dying(monkeypatch, step, error=errno.ENOSPC):
            try:
                runs.newer[name].publish(folder)
            except OutputError as error:
                told = str(error)
        if told:
            failed += 1
            assert told == f"{folder}: cannot write the results: No space left on device"
        else:
            assert steps[step] in ("open", "unlink", "mkdir", "rmdir"), "a step that may fail"
        assert settled(folder) in (olds, news), steps[step]
    assert failed > 3


def test_a_disk_that_is_full_at_any_byte_leaves_the_older_run(runs: Runs, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk; every file of the run has its own end."""
    for name in SETS[:3]:
        folder = starting_point(runs, name, tmp_path / name)
        olds = whole(folder)
        ends = sorted(len(raw) for raw in runs.newer[name].content.values() if raw)
        for size in sorted({0, 1, *(end - 1 for end in ends)}):
            with largest_file(size), pytest.raises(OutputError) as error:
                runs.newer[name].publish(folder)
            assert str(error.value) == f"{folder}: cannot write the results: File too large"
            assert whole(folder) == olds


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", READ)
def test_a_reader_refuses_a_file_that_was_changed(runs: Runs, name: str, tmp_path: Path) -> None:
    """One byte in any place; of a manifest, only times and spaces may change, which say nothing."""
    folder = copied(runs.folders[0], tmp_path / "changed")
    read = reader(runs, name)
    right = read(folder)
    names = sorted(file for file in runs.older[name].content if not file.endswith((".csv", ".toml")))
    refused = 0
    for file in [
        *names,
        f"{name}.json" if name != "recompute" else "run.json",
        *["metrics.csv"][: name == "recompute"],
    ]:
        raw = (folder / file).read_bytes()
        for place in range(0, len(raw), 1 + len(raw) // 25):
            (folder / file).write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
            got = changed(read, folder)
            assert got is None or without_seconds(got) == without_seconds(right), (file, place)
            refused += got is None
        (folder / file).write_bytes(raw[: len(raw) // 2])
        assert changed(read, folder) is None
        (folder / file).write_bytes(raw)
    assert refused > 40
    assert read(folder) == right


def changed(read: Callable[[Path], Any], folder: Path) -> Any:
    """What is read, or None for a refusal in one line."""
    told = ""
    try:
        return read(folder)
    except ResultsError as error:
        told = str(error)
    except (ValueError, LookupError):  # of the test's own look into the file
        pass
    assert "\n" not in told
    return None


def without_seconds(value: Any) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        name, run, metrics = value[0]
        return repr((name, {key: told for key, told in run.items() if key != "seconds"}, metrics, value[1:]))
    return repr(value)


def test_a_cross_check_of_another_run_is_not_reported(runs: Runs, tmp_path: Path) -> None:
    folder = copied(runs.folders[0], tmp_path / "mixed")
    read_frames(folder)
    runs.newer["recompute"].publish(folder)
    with pytest.raises(
        ResultsError, match=r"crosscheck\.json: of another run than .*run\.json; run crosscheck again$"
    ):
        read_frames(folder)
    runs.newer["crosscheck"].publish(folder)
    read_frames(folder)
    resealed(folder / "crosscheck.json", metrics={"sha256": "of other columns"})
    with pytest.raises(ResultsError, match="of another run"):
        read_frames(folder)


def test_files_of_the_older_run_that_the_newer_does_not_make_go(runs: Runs, tmp_path: Path) -> None:
    """A matrix, a graph, a methodology of before would be taken for the newer run's; files of others stay."""
    folder = copied(runs.folders[0], tmp_path / "folder")
    gone = {"matrix.csv", "cluster-BBB.graphml", "methodology.toml"}
    assert gone <= whole(folder).keys()
    for name in ("pools", "crosscheck"):
        runs.newer[name].publish(folder)
    with ledger_of(ECONOMY) as ledger:
        report_clusters(ledger, FEWER, out=folder)
    assert whole(runs.folders[0]).keys() - whole(folder).keys() == gone
    mine = copied(runs.folders[0], tmp_path / "mine")
    (mine / "methodology.toml").write_text('clock = "header"\n')
    runs.newer["crosscheck"].publish(mine)
    assert (mine / "methodology.toml").read_text() == 'clock = "header"\n'


def test_the_server_finishes_or_refuses(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = starting_point(runs, "recompute", tmp_path / "served")
    after = copied(folder, tmp_path / "after")
    with dying(monkeypatch, None) as steps:
        runs.newer["recompute"].publish(after)
    with dying(monkeypatch, steps.index("replace") + 2), pytest.raises(OutputError):
        runs.newer["recompute"].publish(folder)
    library = Library(folder)
    [snapshot] = library.all().values()
    assert snapshot.run is not None
    assert snapshot.run["last_day"] == spans(runs.folders[1])[1]
    library.close()
    parquet = folder / "metrics.parquet"
    content = json.loads((folder / "run.json").read_text())["sha256"]
    resealed(folder / "run.json", sha256=content | {"metrics.parquet": "0" * 64})
    with pytest.raises(
        ResultsError, match=r"of different runs \(sha256\): a run was interrupted or a file was changed"
    ):
        Library(folder)
    assert parquet.exists()


HOLDER: Final = """
import sys
from reflow.files import hold
with hold(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_run(folder: Path) -> "Iterator[subprocess.Popen[str]]":
    """A process that is writing into the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_run_refuses_before_any_work(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(runs.folders[0], tmp_path / "out")
    before = whole(folder)
    monkeypatch.setattr(files, "PATIENCE", 0.0)
    verbs = {
        "recompute": ["no.duckdb", "--labels", "no.csv", "--out", str(folder)],
        "sweep": ["no.duckdb", "--labels", "no.csv", "--vendor", "no.csv", "--out", str(folder)],
        "pools": ["no.duckdb", "--out", str(folder)],
        "clusters": ["no.duckdb", "--labels", "no.csv", "--out", str(folder)],
        "crosscheck": ["--metrics", "no", "--vendor", "no.csv", "--out", str(folder)],
        "demo": [str(folder)],
    }
    refusal = f"reflow: {folder}: another run is writing there: wait until it ends, or name another folder\n"
    with another_run(folder) as process:
        for verb, options in verbs.items():
            done = CliRunner().invoke(app, [verb, *options])
            assert (done.exit_code, done.stdout, done.stderr) == (1, "", refusal)
        with pytest.raises(OutputError, match="another run is writing there"):
            runs.newer["page"].publish(folder)
        assert read_results(folder).name == "custom"
        assert whole(folder) == before
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with hold(folder):  # the kernel has let go
            pass


WRITER: Final = """
import sys
from pathlib import Path
from reflow.files import Manifest, hold, write_together
folder, name, turns = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
facts = {"methodology": {"name": name}}
csv = "time,BlkCnt\\n" + f"2021-01-01,{name}\\n"
for turn in range(turns):
    with hold(folder, patience=60):
        write_together(folder, {"metrics.csv": lambda path: path.write_text(csv)}, Manifest("run.json", facts))
"""


def test_two_writers_and_a_reader_never_meet_a_mixture(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name, "60"]) for name in ("1", "2")
    ]
    reads = 0
    names = set[str]()
    while any(writer.poll() is None for writer in writers):
        if not (tmp_path / "run.json").exists():
            time.sleep(0.01)
            continue
        result = read_results(tmp_path)
        assert result.metrics["BlkCnt"] == {date(2021, 1, 1): Decimal(result.name)}
        names.add(result.name)
        reads += 1
    assert [writer.returncode for writer in writers] == [0, 0]
    assert reads > 10
    assert names == {"1", "2"}
    assert whole(tmp_path).keys() == {"metrics.csv", "run.json"}


def test_what_a_killed_process_left_is_removed_by_the_next_run(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / f".reflow-{'ab' * 8}-metrics.csv").write_text("half")
    (tmp_path / f".reflow-{'cd' * 8}.journal").write_text("{")
    others = [".reflow-mine", ".reflow-1234-metrics.csv", ".metrics.csv.part", "reflow-notes"]
    for other in others:
        (tmp_path / other).write_text("not ours")
    runs.older["recompute"].publish(tmp_path)
    assert whole(tmp_path).keys() == {"metrics.csv", "metrics.parquet", "run.json", *others}


@pytest.mark.parametrize(
    "name",
    ["...toml", "..toml", ".hidden.toml", "a\nb.toml", "a\x1b[2Jb.toml", "\u202ex.toml", f"{'x' * 240}.toml"],
)
def test_no_methodology_writes_outside_the_folder(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text('netting = "gross"\n')
    with pytest.raises(MethodologyError) as error:
        read_all(["reference", str(file)])
    assert "cannot have a folder called" in str(error.value)
    assert read_all([str(file)])  # alone it needs no folder of its own
    options = ["no.duckdb", "--labels", "no.csv", "--methodology", "reference", "--methodology", str(file)]
    done = CliRunner().invoke(app, ["recompute", *options, "--out", str(tmp_path / "out" / "deep")])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "..", ".", "", "a\x00b", "a\\b", "x" * 300])
def test_no_name_from_a_file_leaves_the_folder(name: str, tmp_path: Path) -> None:
    """Such as a metric's id in a metrics.parquet, which names a chart."""

    def write(path: Path) -> None:
        path.write_text("")

    with pytest.raises(OutputError, match="expected a name"):
        write_together(tmp_path / "out", {"a.svg": write, name: write})
    assert not (tmp_path / "out").exists()


def test_a_folder_where_a_file_belongs_is_found_before_anything_is_replaced(
    runs: Runs, tmp_path: Path
) -> None:
    folder = starting_point(runs, "recompute", tmp_path)
    (folder / "metrics.parquet").unlink()
    (folder / "metrics.parquet").mkdir()
    before = whole(folder)
    with pytest.raises(OutputError, match=r"cannot write the results: metrics\.parquet is a folder there"):
        runs.newer["recompute"].publish(folder)
    assert whole(folder) == before


def test_a_run_that_fails_takes_the_folder_along_that_it_made(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    with hold(deep):
        assert deep.is_dir()
    assert not (tmp_path / "a").exists()
    with hold(deep):
        (deep / "mine").write_text("")
    assert (deep / "mine").exists()
