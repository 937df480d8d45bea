"""metrics.csv, metrics.parquet and run.json: exact cells, the same bytes from the same input, all files or none."""

import csv
import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from reflow.amounts import plain
from reflow.errors import LedgerError, OutputError
from reflow.flows import sums
from reflow.flows.methodology import REFERENCE, Methodology
from reflow.flows.prices import prices_of
from reflow.flows.recompute import Recomputation, recompute
from reflow.flows.values import divide
from reflow.ledger import days
from reflow.ledger.kept_days import keep_days
from reflow.ledger.ledger import Ledger
from reflow.network import REGTEST
from reflow.results.write import write
from support.economy import (
    START,
    Block,
    coinbase,
    day_of,
    labels_of,
    ledger_of,
    ledger_rows,
    on_day,
    pay,
    settled,
)

PRICES = prices_of({day_of(START) + timedelta(n): Decimal("0.1") / 3 for n in range(5)})
LABELS = labels_of({2: "BFX", 3: "NEW"}, {9: "pool"})
FILES = ("metrics.csv", "metrics.parquet", "run.json")


def economy() -> Sequence[Block]:
    body = [pay([(1, 1000)], [(2, 600), (1, 390)]), pay([(2, 70), (4, 1)], [(3, 65), (7, 0)])]
    return settled(on_day(0, coinbase((1, 5_000_000_000))), *(on_day(n, *body) for n in range(14)))


def small(method: Methodology = REFERENCE) -> Recomputation:
    with ledger_of(economy()) as ledger:
        return recompute(ledger, LABELS, prices=PRICES, methodology=method)


def content(folder: Path) -> tuple[bytes, bytes, dict[str, Any]]:
    run = json.loads((folder / "run.json").read_text())
    assert run.pop("seconds").keys() == {"closure", "days", "hops", "flows", "metrics"}
    return (folder / "metrics.csv").read_bytes(), (folder / "metrics.parquet").read_bytes(), run


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1, "0.00000001"),
        (-1, "-0.00000001"),
        (150_000_000, "1.5"),
        (-1_000_000_000, "-10"),
        (10**20 + 10, "1000000000000.0000001"),
    ],
)
def test_plain_decimals(value: int, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize(
    ("a", "b", "quotient"),
    [(1, 2, 1), (-1, 2, -1), (1, 3, 0), (2, 3, 1), (-5, 2, -3), (5, 10, 1), (49, 100, 0)],
)
def test_half_away_from_zero(a: int, b: int, quotient: int) -> None:
    assert divide(a, b) == quotient


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    result = small()
    assert write(result, tmp_path / "deep" / "out") == [tmp_path / "deep" / "out" / name for name in FILES]
    with (tmp_path / "deep" / "out" / "metrics.csv").open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["time", *(metric.id for metric in result.metrics)]
    assert [row[0] for row in rows] == [str(day) for day in result.days]
    wide = {
        (row[0], name): Decimal(cell) if cell else None
        for row in rows
        for name, cell in zip(header[1:], row[1:], strict=True)
    }
    con = duckdb.connect()
    file = str(tmp_path / "deep" / "out" / "metrics.parquet")
    types = con.execute(
        "SELECT typeof(COLUMNS(*)) FROM read_parquet($file) LIMIT 1", {"file": file}
    ).fetchall()
    assert types == [("VARCHAR", "DATE", "VARCHAR", "DECIMAL(38,18)")]
    long = con.execute(
        "SELECT asset, time, metric, value FROM read_parquet($file)", {"file": file}
    ).fetchall()
    assert {(str(time), metric): value for _, time, metric, value in long} == wide
    assert len(long) == len(wide)
    assert {asset for asset, *_ in long} == {"btc"}
    assert long == sorted(long, key=lambda row: (row[2], row[1]))


def test_cells(tmp_path: Path) -> None:
    write(small(Methodology(clock="header")), tmp_path)
    with (tmp_path / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    day = rows[3]
    assert day["FlowMinerOut1HopAllBFXNtv"] == "0.000006"
    assert day["FlowMinerOut1HopAllBFXUSD"] == "0.0000002"
    assert day["FlowMinerOut1HopAllKRKNtv"] == ""
    assert day["SplyCur"] == "49.99999936"
    assert day["TxCnt"] == "2"
    assert rows[6]["FlowMinerOut1HopAllBFXUSD"] == ""
    assert rows[6]["FlowMinerOut1HopAllBFXNtv"] == "0.000006"


def test_run_json_names_its_input(tmp_path: Path) -> None:
    result = small()
    write(result, tmp_path)
    _, _, run = content(tmp_path)
    assert run["network"] == "regtest"
    assert run["tip"] == {"height": len(economy()), "hash": result.tip.hash.hex()}
    assert run["digests"]["labels"] == LABELS.digest
    assert run["digests"]["prices"] == PRICES.digest
    assert run["digests"]["methodology"] == result.methodology.digest()
    assert run["methodology"]["name"] == "reference"
    assert run["methodology"]["sender"] == "any_input"
    assert run["exchanges"] == {"BFX": {"labelled": 1, "accounts": 2}, "NEW": {"labelled": 1, "accounts": 1}}
    assert run["closure"] == {"rounds": 1, "conflicts": 0}
    assert run["first_day"] == str(result.days[0])
    assert run["last_day"] == str(result.days[-1])


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("range_bytes", [1, 10**9])
def test_same_bytes_whatever_threads_and_ranges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, range_bytes: int
) -> None:
    write(small(), tmp_path / "one")
    monkeypatch.setattr(
        sums, "whole_day_ranges", lambda blocks, limit: days.whole_day_ranges(blocks, range_bytes)
    )
    with Ledger.open(tmp_path / "ledger", REGTEST, threads=threads, memory="500MB") as ledger:
        rows = ledger_rows(economy())
        ledger.append(rows)
    with Ledger.open(tmp_path / "ledger", read_only=True, threads=threads) as ledger:
        write(recompute(ledger, LABELS, prices=PRICES), tmp_path / "two")
        tables = {name for (name,) in ledger.con.execute("SHOW TABLES").fetchall()}
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert tables == {"meta", "block", "tx", "debit", "credit", "coinbase", "script"}


def test_same_bytes_whatever_the_row_order(tmp_path: Path) -> None:
    write(small(), tmp_path / "one")
    with ledger_of(economy()) as ledger:
        for table in ("debit", "credit"):
            ledger.con.execute(
                f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {table} ORDER BY hash(tx, value)"
            )
        write(recompute(ledger, LABELS, prices=PRICES), tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_a_ledger_without_a_complete_day(tmp_path: Path) -> None:
    with ledger_of([on_day(0, coinbase((1, 5)))]) as ledger:
        write(recompute(ledger, LABELS), tmp_path)
    lines = (tmp_path / "metrics.csv").read_text().splitlines()
    assert [line[:5] for line in lines] == ["time,"]
    assert duckdb.connect().execute(f"SELECT count(*) FROM '{tmp_path}/metrics.parquet'").fetchall() == [(0,)]


def test_an_empty_ledger() -> None:
    with ledger_of([]) as ledger, pytest.raises(LedgerError, match="no blocks in it yet"):
        recompute(ledger, LABELS)


def test_all_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = small()
    write(result, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}

    def full(self: Path, *args: object, **kwargs: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match=r"cannot write the results: No space left on device$"):
        write(
            result._replace(days=result.days[:1], values={k: v[:1] for k, v in result.values.items()}),
            tmp_path,
        )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="cannot write the results"):
        write(small(), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_progress_tells_stages(tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    with ledger_of(economy()) as ledger:
        recompute(ledger, LABELS, progress=lambda *call: calls.append(call))
        stages = list(dict.fromkeys(stage for stage, _, _ in calls))
        assert stages == ["common inputs", "closure", "hops", "days", "flows"]
        calls.clear()
        keep_days(ledger.con, "mediantime")  # what is kept need not be computed
        recompute(ledger, LABELS, progress=lambda *call: calls.append(call))
    assert [stage for stage, _, _ in calls] == ["common inputs", "closure", "hops", "hops", "flows"]
    assert calls[-1][1] == calls[-1][2] > 0
