"""The demonstration: every cell of the simulator's books is found again by the engine, and a wrong one is noticed.

Its vendor's three faults are named by the cross-check from the series and the ledger alone.
"""

import csv
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from reflow.errors import OutputError
from reflow.flows.catalog import catalog
from reflow.simulate.books import Row
from reflow.simulate.demo import DemoResult, Disagreement, compare, run_demo
from reflow.simulate.market import EXCHANGES
from support import chains


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    return run_demo(tmp_path_factory.mktemp("demo"))


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_cell_agrees(demo: DemoResult) -> None:
    assert demo.disagreements == []
    rows = read_rows(demo.files["expected"])
    assert demo.cells == len(rows) * (len(rows[0]) - 1) > 8_000


def test_the_books_hold_every_metric_of_the_catalogue(demo: DemoResult) -> None:
    rows = read_rows(demo.files["expected"])
    metrics = [metric.id for metric in catalog(EXCHANGES)]
    assert set(rows[0]) == {"time", *metrics}
    assert len(rows) >= 34  # a month of payments after four days of maturing coinbases
    empty = [metric for metric in metrics if not any(Decimal(row[metric] or 0) for row in rows)]
    assert empty == ["PuellMulTot", "PuellMulRev"]  # a year's prices are not there
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


def test_the_three_planted_faults_are_named_and_nothing_else(demo: DemoResult) -> None:
    assert [(fault.kind, fault.named) for fault in demo.planted] == [
        ("clock", True),
        ("labels", True),
        ("transaction", True),
    ]
    clock, labels, transaction = sorted(demo.check.diagnosis.findings, key=lambda finding: finding.kind)
    vendor = chains.simulation().vendor
    assert clock.days == [day for day in vendor.rows if day >= vendor.header_from]
    assert "With clock = header our numbers are the vendor's on 9 of 9 days off" in clock.text
    assert (labels.entity, transaction.entity) == (vendor.well_known, vendor.overlooked_exchange)
    assert transaction.days == [vendor.overlooked_day]
    ours, theirs = (read_rows(demo.files[name]) for name in ("expected", "vendor"))
    metric = f"FlowIn{vendor.well_known}Ntv"
    short = [
        date.fromisoformat(a["time"])
        for a, b in zip(ours, theirs, strict=True)
        if a["time"] < str(vendor.header_from) and a[metric] != b[metric]
    ]
    assert set(short) <= set(labels.days)
    assert len(short) > 10


def test_the_deposit_that_the_vendor_overlooked_is_found(demo: DemoResult) -> None:
    """Its amount alone closes the gap, and it is the transaction that the simulator left out."""
    vendor = chains.simulation().vendor
    told = json.loads(demo.files["crosscheck.json"].read_text())
    [worst] = [one for one in told["worst"] if one["finding"] == "transaction"]
    assert (worst["metric"], worst["day"]) == (
        f"FlowIn{vendor.overlooked_exchange}Ntv",
        str(vendor.overlooked_day),
    )
    closing = worst["closing"]
    assert (closing["way"], closing["exact"], closing["ways"]) == ("exclude", True, 1)
    [transaction] = closing["parts"]
    [named] = [finding["text"] for finding in told["findings"] if finding["kind"] == "transaction"]
    assert f"Exactly this amount: {transaction['txid']} (block" in named
    paid = sorted(party["value"] for party in transaction["credits"])
    assert paid == sorted(value for _, value in vendor.overlooked.credits)
    assert str(transaction["adds"]) == worst["difference"].replace(".", "").lstrip("0")


def test_deposits_to_accounts_without_a_label_close_the_gaps(demo: DemoResult) -> None:
    found = [
        one.closer for one in demo.check.drilled if one.worst.finding == "labels" and one.worst.layer == 2
    ]
    exact = [closer for closer in found if closer is not None and closer.exact]
    assert len(exact) >= 2
    assert {closer.way for closer in exact} == {"include"}


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
