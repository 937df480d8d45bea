"""The simulator's books on hand-made ledgers: METHODOLOGY section 7, links, days, prices."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from reflow.simulate.books import BlockEntry, Books, Row, Transfer

M, A, B, U, V, M0 = b"M", b"A", b"B", b"U", b"V", b"M0"
DAY = date(2020, 1, 1)
NOON = int(datetime(2020, 1, 1, 12, tzinfo=UTC).timestamp())
NEXT_DAY = BlockEntry(NOON + 86_400, NOON + 86_400, 0, (), ())


def books() -> Books:
    """Books of two exchanges, A and B."""
    result = Books()
    result.publish("A", A)
    result.publish("B", B)
    return result


def day_of(
    *transfers: Transfer, coinbase: tuple[tuple[bytes, int], ...] = ((M, 50),), then: Books | None = None
) -> Row:
    """The row of one day with one block of these transactions; by default its coinbase makes M a miner."""
    ledger = then or books()
    ledger.add_block(BlockEntry(NOON, NOON, 1_000, coinbase, transfers))
    ledger.add_block(NEXT_DAY)
    return ledger.rows({DAY: Decimal("7200.55")})[DAY]


def sat(row: Row, metric: str) -> int:
    value = row[f"{metric}Ntv"]
    assert value is not None
    return int(value * 10**8)


@pytest.mark.parametrize(
    ("transfer", "expected"),
    [
        (
            Transfer(((M, 1000),), ((A, 600), (M, 390))),
            {"Out0HopAllA": 600, "Out0HopAllEx": 600, "Out0HopAll": 600},
        ),
        (Transfer(((M, 100), (U, 900)), ((A, 500), (U, 490))), {"Out0HopAllA": 500, "Out1HopAllA": 500}),
        (Transfer(((M, 500), (A, 500)), ((A, 990),)), {"Out0HopAllA": 490, "In0HopAllA": 0}),
        (
            Transfer(((A, 1000),), ((M, 300), (A, 690))),
            {"In0HopAllA": 300, "In1HopAllEx": 300, "Out0HopAll": 0},
        ),
        (Transfer(((A, 1000),), ((B, 500), (U, 490))), {"Out0HopAllB": 0, "In0HopAllA": 0, "Out1HopAll": 0}),
        (
            Transfer(((M, 1000),), ((V, 900), (A, 90))),
            {"Out1HopAll": 90, "Out0HopAll": 990, "Out1HopAllA": 90},
        ),
    ],
)
def test_worked_transactions(transfer: Transfer, expected: dict[str, int]) -> None:
    row = day_of(transfer)
    assert {metric: sat(row, f"FlowMiner{metric}") for metric in expected} == expected


def test_a_coinbase_to_an_exchange_is_no_flow_and_makes_no_miner() -> None:
    row = day_of(Transfer(((A, 100),), ((B, 100),)), coinbase=((A, 625_000_000),))
    assert all(value == 0 for metric, value in row.items() if "FlowMiner" in metric)


def test_a_payment_of_nothing_makes_no_member() -> None:
    row = day_of(Transfer(((M, 5),), ((V, 0), (U, 5))), Transfer(((V, 7),), ((A, 7),)))
    assert sat(row, "FlowMinerOut1HopAllA") == 0


def test_joint_signatures_link_deposits_over_several_rounds() -> None:
    ledger = books()
    ledger.signed_together("A", [U, V])
    ledger.signed_together("A", [V, A])
    ledger.signed_together("A", [b"X", b"Y"])
    row = day_of(Transfer(((M, 10),), ((U, 3), (V, 2), (b"X", 4))), then=ledger)
    assert sat(row, "FlowMinerOut0HopAllA") == 5


def test_control_metrics_of_a_day() -> None:
    transfer = Transfer(((U, 100), (V, 0)), ((U, 30), (M, 50), (b"note", 0), (b"burnt", 5)))
    row = day_of(transfer, coinbase=((M, 65),))
    assert {
        metric: row[metric] for metric in ("BlkCnt", "BlkSizeByte", "TxCnt", "TxTfrCnt", "AdrActCnt")
    } == {
        "BlkCnt": 1,
        "BlkSizeByte": 1_000,
        "TxCnt": 1,
        "TxTfrCnt": 2,
        "AdrActCnt": 4,  # U, V, M, burnt
    }
    assert sat(row, "TxTfrVal") == 55
    assert (sat(row, "FeeTot"), sat(row, "IssTot"), sat(row, "Rev")) == (15, 50, 65)
    assert row["SplyCur"] == Decimal("0.00000050")


def test_dollars_are_rounded_half_away_from_zero_and_missing_without_a_price() -> None:
    row = day_of(Transfer(((M, 1000),), ((A, 600),)))
    assert row["FlowMinerOut0HopAllAUSD"] == Decimal("0.04320330")
    row = day_of(Transfer(((M, 10),), ((A, 1),)))
    assert row["FlowMinerOut0HopAllAUSD"] == Decimal("0.00007201")  # 0.0000720055
    ledger = books()
    for block in (BlockEntry(NOON, NOON, 1, ((M, 5),), ()), NEXT_DAY):
        ledger.add_block(block)
    assert ledger.rows({})[DAY]["FlowMinerOut0HopAllAUSD"] is None


def test_a_day_without_blocks_has_a_row_and_the_last_day_has_none() -> None:
    ledger = books()
    for block in (
        BlockEntry(NOON, NOON, 1, ((M, 5),), ()),
        BlockEntry(NOON + 2 * 86_400, NOON + 2 * 86_400, 1, ((M, 5),), ()),
    ):
        ledger.add_block(block)
    rows = ledger.rows({})
    assert [str(day) for day in rows] == ["2020-01-01", "2020-01-02"]
    quiet = rows[date(2020, 1, 2)]
    assert quiet["BlkCnt"] == quiet["FlowMinerOut0HopAllExNtv"] == 0
    assert quiet["SplyCur"] == Decimal("0.00000005")
