"""The demonstration: every cell of the simulator's books is found again by the engine, and a wrong one is noticed."""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from reflow.errors import OutputError
from reflow.flows.catalog import control, seeds
from reflow.simulate.books import Row
from reflow.simulate.demo import DemoResult, Disagreement, compare, run_demo
from reflow.simulate.market import EXCHANGES


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    return run_demo(tmp_path_factory.mktemp("demo"))


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_cell_agrees(demo: DemoResult) -> None:
    assert demo.disagreements == []
    rows = read_rows(demo.files["expected"])
    assert demo.cells == len(rows) * (len(rows[0]) - 1) > 3_000


def test_the_books_hold_every_seed_and_control_metric(demo: DemoResult) -> None:
    rows = read_rows(demo.files["expected"])
    metrics = [metric.id for metric in (*seeds(), *control())]
    assert set(metrics) <= set(rows[0])
    assert len(rows) >= 34  # a month of payments after four days of maturing coinbases
    assert all(any(Decimal(row[metric] or 0) for row in rows) for metric in metrics)
    without_price = [row["time"] for row in rows if not row["FlowMinerOut1HopAllUSD"]]
    assert without_price == ["2020-01-10"]


def test_the_table_of_flows_is_the_sum_of_the_days(demo: DemoResult) -> None:
    assert [flow.exchange for flow in demo.flows] == [*EXCHANGES, "Ex"]
    rows = read_rows(demo.files["expected"])
    for flow in demo.flows:
        out, back = (f"FlowMiner{way}1HopAll{flow.exchange}" for way in ("Out", "In"))
        assert flow.from_miners == sum(Decimal(row[f"{out}Ntv"]) for row in rows) > 0
        assert flow.to_miners == sum(Decimal(row[f"{back}Ntv"]) for row in rows) > 0
        assert flow.to_miners_usd == sum(Decimal(row[f"{back}USD"] or 0) for row in rows)


def test_the_demo_can_be_run_again_in_its_folder(demo: DemoResult) -> None:
    again = run_demo(demo.folder)
    assert again.ingested.blocks == 0
    assert again.disagreements == []


def test_a_wrong_cell_a_missing_cell_and_a_day_too_many_are_noticed() -> None:
    first, second, third = (date(2020, 1, day) for day in (1, 2, 3))
    books: dict[date, Row] = {
        first: {"BlkCnt": Decimal(1), "FeeTotNtv": Decimal("0.5"), "TxCnt": None},
        second: {"BlkCnt": Decimal(1)},
    }
    found: dict[date, Row] = {
        first: {"BlkCnt": Decimal(1), "FeeTotNtv": Decimal("0.50000001")},
        third: {"BlkCnt": Decimal(1)},
    }
    assert list(compare(books, found)) == [
        Disagreement(first, "FeeTotNtv", Decimal("0.5"), Decimal("0.50000001")),
        Disagreement(first, "TxCnt", None, None),
        Disagreement(second, "BlkCnt", Decimal(1), None),
        Disagreement(third, "BlkCnt", None, Decimal(1)),
    ]
    assert list(compare({first: {"TxCnt": Decimal("1.0")}}, {first: {"TxCnt": Decimal(1)}})) == []


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file: cannot write the demonstration: Not a directory"):
        run_demo(tmp_path / "file")
