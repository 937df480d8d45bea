"""Files of one run are whole or refused: killed at any step, on a full disk, changed by a byte, written by two at once."""

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

from reflow.cli.main import app
from reflow.crosscheck import output as crosscheck_output
from reflow.crosscheck.check import cross_check
from reflow.errors import MethodologyError, OutputError, ResultsError
from reflow.explanations import explain as explaining
from reflow.explanations import picture
from reflow.files import hold, write_together
from reflow.flows.methodology import REFERENCE, Methodology, read_all
from reflow.flows.recompute import recompute
from reflow.owners import cluster_export, pools
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
from support.economy import Block, coinbase, labels_of, ledger_of, on_day, pay, settled as with_days
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
    *(on_day(n, pay([(1, 1000), (5, 10)], [(2, 600), (1, 390)]), pay([(2, 70)], [(3, 65)])) for n in range(12)),
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
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    base = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        older = record(patch, base / "older", CUSTOM, days=10, labels=LABELS, with_matrix=True)
        newer = record(patch, base / "newer", REFERENCE, days=12, labels=FEWER, with_matrix=False)
    for name in SETS:
        assert older[name].content != newer[name].content
    yield Runs(older, newer, (base / "older", base / "newer"))


def record(
    patch: pytest.MonkeyPatch, out: Path, methodology: Methodology, *, days: int, labels: Any, with_matrix: bool
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
        keep("clusters", cluster_export, lambda: report_clusters(ledger, labels, out=out))
        cell = explaining.explain(ledger, labels, FLOW, result.days[3], methodology=methodology)
        keep("explain", picture, lambda: picture.write_graph(cell, out))
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
        assert str(error).startswith(str(folder))
        assert "\n" not in str(error)
        assert "again" in str(error) or "no run.json there" in str(error) or "cannot be read" in str(error)
        return None


def expected(*publications: Publication) -> dict[str, bytes | None]:
    """The files of a folder into which these were published."""
    together: dict[str, bytes | None] = {}
    for publication in publications:
        together |= publication.content
    return {name: raw for name, raw in together.items() if raw is not None}


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
