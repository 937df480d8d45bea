"""Every verb as a process of its own: what it prints, its JSON, its exit status, and one line for bad input.

The demo's folder is the input for all: its blocks, labels, prices and the results that must come out again.
"""

import csv
import json
import re
import shlex
import signal
import socket
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from reflow.flows.catalog import catalog
from reflow.network import REGTEST
from reflow.script import address_of
from reflow.store.resources import folder
from support.command import run

PASSWORD = "s3cret-word"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `reflow demo --json` says; it runs in an empty folder."""
    base = tmp_path_factory.mktemp("demo")
    done = run("demo", "--json", cwd=base)
    assert (done.returncode, done.stderr) == (0, "")
    told: dict[str, Any] = json.loads(done.stdout)
    told["files"] = {name: base / path for name, path in told["files"].items()}
    return told


@pytest.fixture(scope="module")
def ledger(demo: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledger") / "regtest.duckdb"
    assert run("ingest", path, "--datadir", demo["files"]["blocks"]).returncode == 0
    return path


def fails(*args: object, **environment: str) -> str:
    """The one line on stderr of a call that must end with status 1 and print nothing else."""
    done = run(*args, cwd=None, **environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("reflow: ")
    assert done.stderr.count("\n") == 1
    assert PASSWORD not in done.stderr
    return done.stderr


def test_verify_tells_digests_and_counts(ledger: Path) -> None:
    done = run("verify", ledger)
    assert (done.returncode, done.stderr) == (0, "")
    assert "faults        none" in done.stdout
    told = json.loads(run("verify", "--json", "--threads", 1, ledger).stdout)
    assert (told["fault_count"], told["faults"], told["network"]) == (0, [], "regtest")
    [chunk] = told["chunks"]
    assert (chunk["first_height"], chunk["last_height"]) == (1, told["height"])
    assert chunk["digest"] in done.stdout
    assert told["digest"] in done.stdout


def test_verify_tells_each_fault_in_a_line_and_fails(ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "harmed").write_bytes(ledger.read_bytes())
    with duckdb.connect(str(tmp_path / "harmed")) as con:
        con.execute("UPDATE block SET fees = fees + 1 WHERE height <= 25")
    done = run("verify", tmp_path / "harmed")
    assert done.returncode == 1
    first, *_, last = complaints = done.stderr.splitlines()
    assert len(complaints) == 21
    assert first == "reflow: block at height 1: fees: found 1, expected 0"
    assert last == "reflow: 25 faults in all; only the first 20 are listed"
    told = run("verify", "--json", tmp_path / "harmed")
    assert (told.returncode, told.stderr) == (1, "")
    assert json.loads(told.stdout)["fault_count"] == 25


def test_verify_of_a_file_that_is_damaged_is_one_line(ledger: Path, tmp_path: Path) -> None:
    """Bytes of the largest tables' blocks are turned over; the database's own checksums tell."""
    data = bytearray(ledger.read_bytes())
    for position in range(len(data) // 4, len(data), 9000):
        data[position] ^= 0xFF
    (tmp_path / "damaged").write_bytes(data)
    assert "damaged" in fails("verify", tmp_path / "damaged")


def split_labels(labels: Path, out: Path) -> tuple[Path, Path]:
    """The same labels in two files."""
    header, *rows = labels.read_text().splitlines(keepends=True)
    for name, part in (("one.csv", rows[::2]), ("two.csv", rows[1::2])):
        (out / name).write_text(header + "".join(part))
    return out / "one.csv", out / "two.csv"


def test_demo_agrees_with_its_own_books(demo: dict[str, Any]) -> None:
    assert demo["disagreements"] == []
    assert demo["cells"] > 3000
    assert {flow["exchange"] for flow in demo["flows"]} >= {"BNB", "KRK", "Ex"}
    assert all(path.exists() for path in demo["files"].values())


def test_demo_run_again_tells_a_person_the_same(demo: dict[str, Any]) -> None:
    done = run("demo", demo["files"]["ledger"].parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{demo['cells']:,} of {demo['cells']:,} values" in done.stdout
    for flow in demo["flows"]:
        [line] = [line for line in done.stdout.splitlines() if line.split()[:1] == [flow["exchange"]]] or [""]
        assert flow["exchange"] == "Ex" or f"{float(flow['from_miners_usd']):,.2f}" in line
    assert str(demo["files"]["metrics.csv"]) in done.stdout


def test_ingest_goes_on_from_the_tip(demo: dict[str, Any], tmp_path: Path) -> None:
    options = ("ingest", tmp_path / "l.duckdb", "--datadir", demo["files"]["blocks"], "--json")
    first = json.loads(run(*options, "--to-height", 100).stdout)
    assert (first["network"], first["blocks"], first["height"]) == ("regtest", 100, 100)
    second = json.loads(run(*options, "--threads", 1, "--memory", "500MB", "--network", "regtest").stdout)
    assert (second["blocks"], second["height"]) == (
        demo["ingested"]["height"] - 100,
        demo["ingested"]["height"],
    )
    assert second["tip_hash"] == demo["ingested"]["tip_hash"]
    third = run(*options[:-1])
    assert (third.returncode, third.stderr) == (0, "")
    assert "0 appended" in third.stdout
    assert second["tip_hash"] in third.stdout


@pytest.mark.parametrize("together", [True, False])
def test_recompute_writes_what_the_demo_has(
    demo: dict[str, Any], ledger: Path, tmp_path: Path, together: bool
) -> None:
    one, two = split_labels(demo["files"]["labels"], tmp_path)
    labels = ["--labels", one, two] if together else ["--labels", one, "--labels", two]
    options = [*labels, "--prices", demo["files"]["prices"], "--out", tmp_path / "out"]
    done = run("recompute", ledger, *options)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("metrics.csv", "metrics.parquet"):
        assert (tmp_path / "out" / name).read_bytes() == demo["files"][name].read_bytes()
        assert str(tmp_path / "out" / name) in done.stdout


def test_recompute_tells_scripts_what_run_json_has(
    demo: dict[str, Any], ledger: Path, tmp_path: Path
) -> None:
    options = ["--labels", demo["files"]["labels"], "--methodology", "reference", "--threads", 1]
    done = run("recompute", ledger, *options, "--out", tmp_path, "--json")
    told = json.loads(done.stdout)
    assert told.pop("files") == [
        str(tmp_path / name) for name in ("metrics.csv", "metrics.parquet", "run.json")
    ]
    assert told == json.loads((tmp_path / "run.json").read_text())


def test_recompute_several_methodologies_and_some_metrics(
    demo: dict[str, Any], ledger: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text('sender = "pro_rata"\nnetting = "gross"\n')
    labels = ["--labels", demo["files"]["labels"]]
    several = ["--methodology", "reference", "--methodology", tmp_path / "mine.toml"]
    some = ["--metrics", "FlowMinerOut1HopAllEx*,MOMR", "--metrics", "BlkCnt"]
    done = run("recompute", ledger, *labels, *several, *some, "--out", tmp_path / "out", "--json")
    results = json.loads(done.stdout)["results"]
    ids = ["FlowMinerOut1HopAllExNtv", "FlowMinerOut1HopAllExUSD", "BlkCnt", "MOMR"]
    assert list(results) == ["reference", "mine"]
    for name, told in results.items():
        folder = tmp_path / "out" / name
        assert told["files"][0] == str(folder / "metrics.csv")
        assert told["selected"] == ids
        assert told["methodology"]["sender"] == ("pro_rata" if name == "mine" else "any_input")
        assert (folder / "metrics.csv").read_text().startswith(f"time,{','.join(ids)}\n")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mine", "reference"]
    wrong = ["--metrics", "FlowMinerOut2Hop*", "--out", tmp_path / "no"]
    assert "no metric is called FlowMinerOut2Hop*" in fails("recompute", ledger, *labels, *wrong)
    assert not (tmp_path / "no").exists()


def test_metrics_lists_the_catalogue(tmp_path: Path) -> None:
    labels = tmp_path / "l.csv"
    labels.write_text("address,entity\n1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa,NEW\n")
    told = json.loads(run("metrics", "--labels", labels, "--json").stdout)
    assert [metric["id"] for metric in told["metrics"]] == [metric.id for metric in catalog(["NEW"])]
    assert sum(metric["seed"] for metric in told["metrics"]) == 44
    assert told["presets"]["labels_only"]["clusters"] == "labels_only"
    assert len(json.loads(run("metrics", "--seeds", "--json").stdout)["metrics"]) == 44
    lines = run("metrics", "FlowMinerIn0HopAll*Ntv", "--labels", labels).stdout.splitlines()
    listed = {line.split()[0]: line for line in lines if "native" in line}
    assert list(listed) == [f"FlowMinerIn0HopAll{code}Ntv" for code in ("Ex", "NEW", "")]
    assert listed["FlowMinerIn0HopAllExNtv"].endswith(" seed ")
    assert "no metric is called blkcnt" in fails("metrics", "blkcnt")


def test_labels_check_counts(demo: dict[str, Any]) -> None:
    done = run("labels", "check", demo["files"]["labels"], "--network", "regtest")
    assert (done.returncode, done.stderr) == (0, "")
    assert any(line.split()[:2] == ["BNB", "exchange"] for line in done.stdout.splitlines())


def test_labels_check_tells_what_a_ledger_never_saw(
    demo: dict[str, Any], ledger: Path, tmp_path: Path
) -> None:
    unused = address_of(b"\x00\x14" + bytes(20), REGTEST)
    (tmp_path / "more.csv").write_text(f"address,entity\n{unused},BNB\n")
    options = ("labels", "check", "--ledger", ledger, demo["files"]["labels"], tmp_path / "more.csv")
    told = json.loads(run(*options, "--json").stdout)
    assert told["unseen"] == {"exchange": {"BNB": [unused]}}
    done = run(*options)
    assert (done.returncode, done.stderr) == (0, "")
    never = {tuple(line.split()[:4]) for line in done.stdout.splitlines()}
    assert {("BNB", "exchange", "3", "1"), ("BFX", "exchange", "2", "0")} <= never
    assert "ledger of network regtest, expected main" in fails(*options, "--network", "main")


@pytest.mark.parametrize("verb", ["recompute", "pools", "clusters"])
def test_the_later_label_file_decides_on_request(
    demo: dict[str, Any], ledger: Path, tmp_path: Path, verb: str
) -> None:
    labels = demo["files"]["labels"]
    (tmp_path / "mine.csv").write_text(labels.read_text().replace(",BNB,", ",NEW,"))
    out = ["--out", tmp_path / "out"]
    assert "is NEW (exchange) here, but BNB (exchange) in" in fails(
        verb, ledger, "--labels", labels, tmp_path / "mine.csv", *out
    )
    done = run(verb, ledger, "--labels", labels, tmp_path / "mine.csv", *out, "--prefer-later", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"NEW"' in done.stdout
    assert '"BNB"' not in done.stdout


def test_labels_check_passes_what_ships(tmp_path: Path) -> None:
    done = run("labels", "check", "shipped", "--json", cwd=tmp_path)
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert (report["counts"]["exchange"]["BMX"], report["errors"], report["unknown"]) == (730, [], [])
    files = (folder("labels") / "exchanges.csv", folder("labels") / "pools.csv")
    assert json.loads(run("labels", "check", *files, "--json").stdout) == report


def test_shipped_labels_stand_beside_own_files_and_a_path_is_always_a_file(tmp_path: Path) -> None:
    address = (folder("labels") / "exchanges.csv").read_text().splitlines()[1].split(",")[0]
    (tmp_path / "shipped").write_text(f"address,entity\n{address},MINE\n")
    alone = run("labels", "check", "./shipped", "--json", cwd=tmp_path)
    assert json.loads(alone.stdout)["counts"] == {"exchange": {"MINE": 1}}
    both = run("labels", "check", "shipped", "./shipped", cwd=tmp_path)
    assert (both.returncode, both.stderr.count("\n")) == (1, 1)
    assert both.stderr.startswith(f"reflow: shipped:2: {address} is MINE (exchange) here, but ")
    listed = run("metrics", "FlowIn*Ntv", "--labels", "shipped:pools", "--labels", "./shipped", cwd=tmp_path)
    assert "FlowInMINENtv" in listed.stdout


@pytest.mark.parametrize(
    "verb",
    [
        ["recompute", "LEDGER", "--out", "out"],
        ["pools", "LEDGER"],
        ["clusters", "LEDGER"],
        ["explain", "LEDGER", "FlowInExNtv", "2021-01-02"],
        ["sweep", "LEDGER", "--vendor", "RESULTS/metrics.csv", "--out", "out"],
        ["crosscheck", "--metrics", "RESULTS", "--vendor", "RESULTS/metrics.csv", "--ledger", "LEDGER"],
        ["serve", "RESULTS", "--ledger", "LEDGER", "--port", "0"],
        ["report", "RESULTS", "--out", "page.html", "--ledger", "LEDGER"],
        ["labels", "check", "--network", "regtest"],
        ["metrics", "--network", "regtest"],
    ],
    ids=lambda verb: verb[0],
)
def test_every_verb_with_labels_knows_the_shipped_ones(
    verb: list[str], demo: dict[str, Any], ledger: Path, tmp_path: Path
) -> None:
    results = str(demo["files"]["metrics.csv"].parent)
    parts = [part.replace("LEDGER", str(ledger)).replace("RESULTS", results) for part in verb]
    option = [] if verb[0] == "labels" else ["--labels"]

    def refusal(name: str) -> str:
        done = run(*parts, *option, name, cwd=tmp_path)
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        return line

    assert (
        refusal("shipped") == "reflow: shipped: the shipped labels are for main, expected labels of regtest"
    )
    assert refusal("shipped:miners") == (
        "reflow: shipped:miners: no such labels in the package, "
        "expected one of shipped, shipped:exchanges, shipped:pools"
    )
    assert list(tmp_path.iterdir()) == []


def test_labels_check_tells_every_error(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_text("address,entity\n1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa,NEW\n0,BNB\nl,BNB\n")
    done = run("labels", "check", path)
    assert done.returncode == 1
    lines = [f"reflow: {path}:{line}: not base58 or bech32: {text}" for line, text in ((3, "0"), (4, "l"))]
    assert done.stderr.splitlines() == lines
    told = run("labels", "check", path, "--json")
    assert (told.returncode, told.stderr) == (1, "")
    assert (len(json.loads(told.stdout)["errors"]), json.loads(told.stdout)["unknown"]) == (2, ["NEW"])


def test_bad_input_of_ingest_is_one_line(demo: dict[str, Any], ledger: Path, tmp_path: Path) -> None:
    blocks, new = demo["files"]["blocks"], tmp_path / "new.duckdb"
    assert "no such folder" in fails("ingest", new, "--datadir", tmp_path / "none")
    assert "expected main" in fails("ingest", new, "--datadir", blocks, "--network", "main")
    odd = run("ingest", new, "--datadir", blocks, "--memory", "lots")
    assert (odd.returncode, "'lots' is no memory limit" in odd.stderr) == (2, True)
    (tmp_path / "text.duckdb").write_text("not a database at all, but long enough to be read as one" * 100)
    assert "not a DuckDB file" in fails("ingest", tmp_path / "text.duckdb", "--datadir", blocks)
    assert "no folder" in fails("ingest", tmp_path / "no" / "where.duckdb", "--datadir", blocks)
    with duckdb.connect(str(ledger)):
        assert "in use by another process" in fails("ingest", ledger, "--datadir", blocks)
    assert not new.exists()


def test_bad_input_of_recompute_is_one_line_and_writes_nothing(
    demo: dict[str, Any], ledger: Path, tmp_path: Path
) -> None:
    good = {
        "--labels": demo["files"]["labels"],
        "--prices": demo["files"]["prices"],
        "--out": tmp_path / "out",
    }

    def with_option(option: str, value: object) -> str:
        return fails(
            "recompute", ledger, *[part for pair in (good | {option: value}).items() for part in pair]
        )

    (tmp_path / "labels.csv").write_text("address,colour\n")
    (tmp_path / "prices.csv").write_text("time,PriceUSD\n2020-01-01,cheap\n")
    (tmp_path / "m.toml").write_text('sender = "everybody"\n')
    assert "labels.csv:1: unknown column 'colour'" in with_option("--labels", tmp_path / "labels.csv")
    assert "address of main, expected regtest" in with_option("--labels", folder("labels") / "exchanges.csv")
    assert "PriceUSD 'cheap', expected a number" in with_option("--prices", tmp_path / "prices.csv")
    assert "no column time, found address, entity" in with_option("--prices", demo["files"]["labels"])
    assert "sender = 'everybody', expected one of" in with_option("--methodology", tmp_path / "m.toml")
    assert "neither a preset (reference" in with_option("--methodology", "unheard-of")
    (tmp_path / "file").write_text("in the way")
    assert "cannot write the results" in with_option("--out", tmp_path / "file")
    assert "no ledger there" in fails("recompute", tmp_path / "none.duckdb", "--labels", "l", "--out", "o")
    assert not (tmp_path / "out").exists()


def test_pools_tells_blocks_rewards_and_flows(demo: dict[str, Any], ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text("tag,entity\n/demopool b/,B\n/DemoPool/,other\n")
    labels, files = ("--labels", demo["files"]["labels"]), ("--pools", tmp_path / "tags.csv")
    told = json.loads(run("pools", ledger, *labels, *files, "--threads", 1, "--json").stdout)
    basis = {total["entity"]: (total["payouts"] > 0, total["tags"] > 0) for total in told["totals"]}
    assert basis["DemoPool A"] == (True, False)
    assert basis["B"] == (False, True)
    assert basis[None] == (False, False)
    assert set(told["matrix"]) == {*(basis.keys() - {None}), "unknown", "all"}
    assert sum(day["blocks"] for day in told["days"]) == told["blocks"]
    done = run("pools", ledger, *labels, *files, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("pools.csv", "blocks.csv", "matrix.csv"):
        assert str(tmp_path / "out" / name) in done.stdout
    [line] = [line for line in done.stdout.splitlines() if line.split()[:1] == ["all"]]
    assert told["matrix"]["all"]["Ex"] in line
    [none] = [total for total in told["totals"] if total["entity"] is None]
    [line, *_] = [line for line in done.stdout.splitlines() if line.split()[:1] == ["unknown"]]
    assert line.split()[1] == str(none["blocks"])
    assert json.loads(run("pools", ledger, "--json").stdout)["matrix"] is None
    (tmp_path / "bad.csv").write_text("tag,entity\n/x/\n")
    assert "bad.csv:2: 1 fields" in fails("pools", ledger, "--pools", tmp_path / "bad.csv")
    assert "no ledger there" in fails("pools", tmp_path / "none.duckdb")


def test_clusters_tells_how_accounts_were_found(demo: dict[str, Any], ledger: Path, tmp_path: Path) -> None:
    options = ("clusters", ledger, "--labels", demo["files"]["labels"])
    told = json.loads(run(*options, "--json").stdout)
    run_json = json.loads(demo["files"]["run.json"].read_text())
    assert run_json["exchanges"] == {
        cluster["entity"]: {"labelled": cluster["labelled"], "accounts": cluster["accounts"]}
        for cluster in told["clusters"]
    }
    assert (told["leaps"], told["files"]) == ([], [])
    assert sum(cluster["coinjoins"] for cluster in told["clusters"]) > 0
    done = run(*options, "--out", tmp_path, "--graph-accounts", 1)
    assert done.returncode == 0
    assert str(tmp_path / "accounts.csv") in done.stdout
    assert done.stderr.splitlines()[0].startswith(
        "reflow: warning: BFX has more accounts than --graph-accounts"
    )
    [line] = [line for line in done.stdout.splitlines() if line.split()[:1] == ["BNB"]]
    assert told["clusters"][2]["balance"] in line
    assert "labels.csv: cannot read" in fails(*options[:2], "--labels", tmp_path / "labels.csv")


def test_a_password_never_appears(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    new = tmp_path / "l.duckdb"
    for url in (
        f"http://user:{PASSWORD}@127.0.0.1:{port}",
        f"user:{PASSWORD}@127.0.0.1",
        f"http://u:{PASSWORD}@h:x",
    ):
        assert "RPC address" in (line := fails("ingest", new, "--rpc", url)) or "not reachable" in line
    line = fails(
        "ingest", new, "--rpc", f"http://127.0.0.1:{port}", REFLOW_RPC_USER="u", REFLOW_RPC_PASSWORD=PASSWORD
    )
    assert f"http://127.0.0.1:{port}: node not reachable: Connection refused" in line
    assert not new.exists()


def test_no_credentials_are_told_with_the_places_looked_at(tmp_path: Path) -> None:
    line = fails("ingest", tmp_path / "l.duckdb", "--rpc", "http://127.0.0.1:8332", HOME=str(tmp_path))
    assert "REFLOW_RPC_USER" in line
    assert "--rpc-cookie" in line
    assert str(tmp_path / ".bitcoin" / ".cookie") in line


def test_an_interrupt_is_one_line_and_status_130(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_node:
        url = f"http://user:{PASSWORD}@127.0.0.1:{silent_node.getsockname()[1]}"
        command = [
            sys.executable,
            "-m",
            "reflow.cli",
            "ingest",
            str(tmp_path / "l.duckdb"),
            "--rpc",
            url,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            connection, _ = silent_node.accept()
            with connection:
                connection.recv(1)  # the question has begun, the answer will not come
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.startswith("reflow: interrupted")
    assert err.count("\n") == 1


def test_explain_tells_the_cell_of_the_results(demo: dict[str, Any], ledger: Path, tmp_path: Path) -> None:
    files = demo["files"]
    options = ["--labels", files["labels"], "--prices", files["prices"], "--methodology", "reference"]
    for metric in ("FlowMinerOut1HopAllExUSD", "FlowInExNtv", "TxTfrValNtv"):
        with files["metrics.csv"].open() as stream:
            cell = next(row[metric] for row in csv.DictReader(stream) if row["time"] == "2020-01-20")
        done = run("explain", ledger, metric, "2020-01-20", *options)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(rf"^value +{re.escape(cell)}( = |$)", done.stdout, re.MULTILINE)
        told = json.loads(run("explain", ledger, metric, "2020-01-20", *options, "--json").stdout)
        assert (told["value"], told["warnings"]) == (cell, [])
        parts = told["transactions"] + told["blocks"]
        assert sum(part["adds"] for part in parts) == told["total"]
        assert len(parts) == told["number"] > 0
        assert all(part["height"] for part in parts)
    for metric, unit in (("SplyMiner1HopAllNtv", 10**8), ("AdrBalCnt", 1)):
        with files["metrics.csv"].open() as stream:
            cells = {row["time"]: Decimal(row[metric]) for row in csv.DictReader(stream)}
        done = run("explain", ledger, metric, "2020-01-15", *options, "--limit", 2)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(rf"^day before +{cells['2020-01-14'].normalize():f}$", done.stdout, re.MULTILINE)
        assert re.search(rf"^value +{cells['2020-01-15'].normalize():f}$", done.stdout, re.MULTILINE)
        assert ("5 accounts that joined or left, the 2 largest shown" in done.stdout) == (unit > 1)
        assert ("filled: " in done.stdout) == (unit == 1)
        told = json.loads(run("explain", ledger, metric, "2020-01-15", *options, "--json").stdout)
        assert told["change"] == sum(part["adds"] for part in (*told["transactions"], *told["joined"]))
        assert (told["before"] + told["change"], told["before"]) == (
            cells["2020-01-15"] * unit,
            cells["2020-01-14"] * unit,
        )
    few = run(
        "explain",
        ledger,
        "FlowInExNtv",
        "2020-01-20",
        *options,
        "--limit",
        1,
        "--graph",
        tmp_path / "p.graphml",
    )
    assert "the 1 largest shown" in few.stdout
    assert (tmp_path / "p.graphml").exists()


def test_bad_input_of_explain_is_one_line(demo: dict[str, Any], ledger: Path, tmp_path: Path) -> None:
    labels = ["--labels", demo["files"]["labels"]]
    assert "the nearest: FlowInExNtv" in fails("explain", ledger, "FlowInExNt", "2020-01-20", *labels)
    assert "expected 2020-01-01 to" in fails("explain", ledger, "FlowInExNtv", "2031-01-20", *labels)
    asked = ("explain", ledger, "FlowInExNtv", "2020-01-20", *labels)
    assert "no such folder" in fails(*asked, "--datadir", tmp_path / "none")
    assert "ends in .graphml or .svg" in fails(*asked, "--graph", tmp_path / "p.gif")
    for wrong in (("--rpc-cookie", "c"), ("--datadir", "d", "--rpc", "http://h:1")):
        assert run(*asked, *wrong).returncode == 2
    assert run("explain", ledger, "FlowInExNtv", "yesterday", *labels).returncode == 2


def test_sweep_finds_the_methodology_of_the_results(
    demo: dict[str, Any], ledger: Path, tmp_path: Path
) -> None:
    labels = demo["files"]["labels"]
    (tmp_path / "vendor.toml").write_text('sender = "pro_rata"\nexchange_accounts_as_miners = "hop0"\n')
    vendor = tmp_path / "vendor"
    run("recompute", ledger, "--labels", labels, "--methodology", tmp_path / "vendor.toml", "--out", vendor)
    (tmp_path / "grid.toml").write_text(
        'exchange_accounts_as_miners = ["never", "hop0"]\nsender = ["any_input", "pro_rata"]\n'
    )
    options = ["--labels", labels, "--vendor", vendor / "metrics.csv", "--grid", tmp_path / "grid.toml"]
    done = run("sweep", ledger, *options, "--threads", 1, "--json", "--out", tmp_path / "one")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    best = told["ranking"][0]
    assert (best["name"], best["distance"]) == ("exchange_accounts_as_miners=hop0, sender=pro_rata", 0)
    assert all(one["distance"] > 0 for one in told["ranking"][1:])
    del told["files"]
    assert told == json.loads((tmp_path / "one" / "sweep.json").read_text())
    done = run("sweep", ledger, *options, "--threads", 2, "--out", tmp_path / "two")
    assert done.returncode == 0
    assert "from exchange_accounts_as_miners=hop0, sender=pro_rata" in done.stdout
    for name in ("sweep.json", "sweep.csv", "sweep.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_sweep_in_which_nothing_is_exact_is_no_error(
    demo: dict[str, Any], ledger: Path, tmp_path: Path
) -> None:
    (tmp_path / "vendor.csv").write_text("time,FlowInExNtv,nonsense\n2020-01-08,1.5,2\n")
    (tmp_path / "grid.toml").write_text("")
    options = [
        "--vendor",
        tmp_path / "vendor.csv",
        "--grid",
        tmp_path / "grid.toml",
        "--out",
        tmp_path / "out",
    ]
    done = run("sweep", ledger, "--labels", demo["files"]["labels"], *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not in the catalogue, or of an exchange without a label: nonsense" in done.stdout


def test_sweep_prints_the_grid_that_ships() -> None:
    done = run("sweep", "--print-grid")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (folder("grids") / "default.toml").read_text(encoding="utf-8")


def test_a_sweep_that_cannot_be_made_writes_nothing(
    demo: dict[str, Any], ledger: Path, tmp_path: Path
) -> None:
    vendor, grid, out = tmp_path / "vendor.csv", tmp_path / "grid.toml", tmp_path / "out"
    vendor.write_text("time,FlowInExNtv\n2020-01-08,1.5\n")
    grid.write_text('# comment\nsendr = ["any_input"]\n')
    options = ["sweep", ledger, "--labels", demo["files"]["labels"], "--vendor", vendor]
    assert f"{grid}:2: unknown key sendr, expected one of clock," in fails(
        *options, "--out", out, "--grid", grid
    )
    assert "59 methodologies, expected at most 58" in fails(*options, "--out", out, "--limit", 58)
    assert "no metric is called Nonsense" in fails(*options, "--out", out, "--metrics", "Nonsense")
    assert f"{vendor} is not a folder" in fails(*options, "--out", vendor)
    vendor.write_text("time,FlowInExNtv\n1999-01-08,1.5\n")
    assert "no value on a complete day of the ledger" in fails(*options, "--out", out)
    assert not out.exists()


def test_crosscheck_tells_the_demos_faults(demo: dict[str, Any], tmp_path: Path) -> None:
    files = demo["files"]
    origin = ("--ledger", files["ledger"], "--labels", files["labels"])
    options = ("crosscheck", "--metrics", files["metrics.csv"].parent, "--vendor", files["vendor"])
    done = run(*options, *origin, "--worst", 1, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "reflow: required to agree, but off: BlkSizeByte on 9 of 36 days from 2020-01-28"
    )
    assert done.stderr.count("\n") == 1
    for fault in demo["planted"]:
        assert re.search(
            rf"^finding +{fault['kind']}: .*{fault['exchange'] or 'clock = header'}", done.stdout, re.M
        )
    command = re.search(r"^ +reflow (explain .*)$", done.stdout, re.MULTILINE)
    assert command is not None
    assert run(*shlex.split(command[1])).returncode == 0
    told = json.loads((tmp_path / "out" / "crosscheck.json").read_text())
    assert told["verdict"] == demo["check"]["verdict"]
    assert told["findings"] == demo["check"]["findings"]
    assert len(told["worst"]) == 3
    with (tmp_path / "out" / "crosscheck.csv").open() as stream:
        rows = {row["metric"]: row for row in csv.DictReader(stream)}
    table = pl.read_parquet(tmp_path / "out" / "crosscheck.parquet")
    assert list(rows) == table["metric"].to_list() == [one["metric"] for one in told["comparisons"]]
    assert table["first_off"].to_list()[1] == date(2020, 1, 28)
    days = pl.read_parquet(tmp_path / "out" / "differences.parquet")
    assert days.schema["difference"] == pl.Decimal(38, 18)
    assert days.height == sum(int(row["days"]) for row in rows.values())
    for metric in ("TxCnt", "FlowInExNtv"):
        mine = days.filter(pl.col("metric") == metric)
        assert mine.filter(pl.col("ours") - pl.col("vendor") != pl.col("difference")).is_empty()
        assert mine["difference"].abs().sum() == Decimal(rows[metric]["sum_absolute"])
    again = run(*options, *origin, "--worst", 1, "--json", "--require", "BlkCnt", "--threads", 1)
    assert again.returncode == 0
    assert json.loads(again.stdout)["findings"] == told["findings"]
    before = json.loads(run(*options, "--to", "2020-01-19", "--json").stdout)
    assert [finding["kind"] for finding in before["findings"]] == ["labels"]
    assert before["layers"][0]["status"] == "holds"


def test_bad_input_of_crosscheck_is_one_line_and_writes_nothing(demo: dict[str, Any], tmp_path: Path) -> None:
    results, good = demo["files"]["metrics.csv"].parent, demo["files"]["vendor"]

    def bad(text: str, *more: object) -> str:
        (tmp_path / "v.csv").write_text(text)
        options = ("--metrics", results, "--vendor", tmp_path / "v.csv", "--out", tmp_path / "out")
        return fails("crosscheck", *options, *more)

    assert "line 1: no column time, found day, BlkCnt" in bad("day,BlkCnt\n2020-01-20,22\n")
    assert "line 3: 2020-01-20 a second time" in bad("time,BlkCnt\n2020-01-20,22\n2020-01-20,22\n")
    assert "line 2: BlkCnt 'many', expected a number" in bad("time,BlkCnt\n2020-01-20,many\n")
    assert "no metric in common: found CapMrktCurUSD, PriceUSD" in bad(
        "time,PriceUSD,CapMrktCurUSD\n2020-01-20,1,2\n"
    )
    line = bad("time,BlkCnt\n2010-01-20,22\n2010-01-21,23\n")
    assert (
        "no day in common: the vendor's values are from 2010-01-20 to 2010-01-21, our values are from 2020-01-01"
        in line
    )
    assert "TxCnt is required, but the two sides have no such metric" in bad(
        "time,BlkCnt\n2020-01-20,22\n", "--require", "TxCnt"
    )
    assert "cannot read the vendor's series: No such file" in fails(
        "crosscheck", "--metrics", results, "--vendor", tmp_path / "none.csv"
    )
    assert "no run.json there" in fails("crosscheck", "--metrics", tmp_path, "--vendor", good)
    (tmp_path / "other.csv").write_text(demo["files"]["labels"].read_text().replace("custodian", "other"))
    options = (
        "--metrics",
        results,
        "--vendor",
        good,
        "--out",
        tmp_path / "out",
        "--ledger",
        demo["files"]["ledger"],
    )
    assert "are from other labels" in fails("crosscheck", *options, "--labels", tmp_path / "other.csv")
    assert not (tmp_path / "out").exists()
    listed = run("crosscheck", "--metrics", results, "--vendor", tmp_path / "v.csv")
    assert listed.returncode == 0
    (tmp_path / "v.csv").write_text("time,BlkCnt,Mood\n2020-01-20,22,sunny\n")
    assert (
        "not ours      1 metrics that only the vendor has: Mood"
        in run(*("crosscheck", "--metrics", results), "--vendor", tmp_path / "v.csv").stdout
    )
    for wrong in (("--tolerance", "much"), ("--from", "never"), ("--ledger", "l"), ("--worst", "-1")):
        assert run("crosscheck", "--metrics", results, "--vendor", good, *wrong).returncode == 2
