"""The simulator's books on hand-made ledgers: methodology 7, links, days, prices."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from reflow.simulate.books import BlockEntry, Books, Row, Transfer, dollars, over

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


def test_dollars_are_exact_to_18_places_and_missing_without_a_price() -> None:
    row = day_of(Transfer(((M, 1000),), ((A, 600),)))
    assert row["FlowMinerOut0HopAllAUSD"] == Decimal("0.0432033")
    row = day_of(Transfer(((M, 10),), ((A, 1),)))
    assert row["FlowMinerOut0HopAllAUSD"] == Decimal("0.0000720055")
    for price, expected in (("0.00000000005", "1e-18"), ("0.00000000004", "0"), ("1e10", "100")):
        assert dollars(1, Decimal(price)) == Decimal(expected)
    assert dollars(-1, Decimal("0.00000000005")) == Decimal("-1e-18")
    ledger = books()
    for block in (BlockEntry(NOON, NOON, 1, ((M, 5),), ()), NEXT_DAY):
        ledger.add_block(block)
    row = ledger.rows({})[DAY]
    assert [
        row[name] for name in ("FlowMinerOut0HopAllAUSD", "SplyAUSD", "RevUSD", "RevAllTimeUSD", "MCTC")
    ] == [None] * 5


def test_transfers_and_transactions_of_exchanges() -> None:
    row = day_of(
        Transfer(((U, 10),), ((A, 3), (A, 3), (B, 3), (V, 1))),  # three in
        Transfer(((A, 6),), ((A, 1), (B, 2), (V, 0), (U, 3))),  # two out of A, one into B, one out of all
        Transfer(((U, 1),), ((A, 0), (V, 1))),
        coinbase=((A, 5),),
    )
    names = ("InA", "OutA", "InB", "OutB", "ToEx", "FromEx", "ToExIncl", "FromExIncl")
    assert [row[f"FlowTfr{name}Cnt"] for name in names] == [2, 2, 2, 0, 3, 1, 4, 2]
    assert row["TxExCnt"] == 2


def test_balances_at_the_end_of_the_day() -> None:
    """M mines, and V, whom M pays after V has paid U; coinbases count, members bring what they have."""
    row = day_of(
        Transfer(((A, 40),), ((V, 30), (B, 10))),
        Transfer(((V, 30),), ((U, 30),)),
        Transfer(((M, 50),), ((V, 20), (M, 25))),
        coinbase=((M, 50), (A, 100)),
    )
    assert [sat(row, f"Sply{name}") for name in ("A", "B", "Ex")] == [60, 10, 70]
    assert [sat(row, f"SplyMiner{hop}HopAll") for hop in (0, 1)] == [25, 45]
    assert row["SplyExUSD"] == Decimal("0.000000007") * Decimal("720055")
    assert row["AdrBalCnt"] == 5  # M, V, U, A, B
    assert [row[f"AdrAct{what}Cnt"] for what in ("", "Sent", "Rec")] == [5, 3, 5]


def test_a_day_before_members_join_and_a_day_by_header_times() -> None:
    """U is a member from the second day on, with what it had before."""
    ledger = books()
    second, third = NOON + 86_400, NOON + 2 * 86_400
    ledger.add_block(BlockEntry(NOON, NOON, 1, ((M, 50),), (Transfer(((b"X", 7),), ((U, 7),)),)))
    ledger.add_block(BlockEntry(second, second, 1, (), (Transfer(((M, 10),), ((U, 10),)),)))
    ledger.add_block(BlockEntry(NOON, second, 1, (), (Transfer(((U, 1),), ((V, 1),)),)))
    ledger.add_block(BlockEntry(third, third, 1, (), ()))
    first_day, second_day = ledger.rows({}).values()
    assert [sat(first_day, f"SplyMiner{hop}HopAll") for hop in (0, 1)] == [50, 50]
    assert [sat(second_day, f"SplyMiner{hop}HopAll") for hop in (0, 1)] == [40, 56]
    first_day, second_day = ledger.rows({}, header_clock=True).values()
    assert [sat(first_day, "SplyMiner1HopAll"), sat(second_day, "SplyMiner1HopAll")] == [50, 56]
    assert [first_day["AdrBalCnt"], second_day["AdrBalCnt"]] == [3, 3]  # M, U, V: U pays on the first day


def test_miners_plain_inflow_and_net() -> None:
    row = day_of(
        Transfer(((U, 30),), ((M, 20), (V, 10))),
        Transfer(((M, 60),), ((M, 15), (V, 40))),
        Transfer(((U, 5),), ((V, 5),)),
    )
    assert [sat(row, f"FlowMiner{way}0HopAll") for way in ("In", "Out", "Net")] == [70, 40, 30]
    assert [sat(row, f"FlowMiner{way}1HopAll") for way in ("In", "Out", "Net")] == [75, 0, 75]
    assert row["MOMR"] == 0


def test_means_medians_and_shares() -> None:
    row = day_of(
        Transfer(((U, 10),), ((V, 8),)),  # fee 2
        Transfer(((U, 10),), ((V, 5), (U, 4))),  # 1
        Transfer(((U, 10),), ((V, 3),)),  # 7
        coinbase=((M, 30),),
    )
    assert row["FeeMeanNtv"] == Decimal("0.000000033333333333")
    assert row["FeeMedNtv"] == Decimal("0.00000002")
    assert row["TxTfrValMeanNtv"] == Decimal("0.000000053333333333")
    assert row["TxTfrValMedNtv"] == Decimal("0.00000005")
    assert row["FeeRevPct"] == Decimal("33.333333333333333333")
    assert row["BlkSizeMeanByte"] == 1_000
    even = day_of(Transfer(((U, 10),), ((V, 8),)), Transfer(((U, 10),), ((V, 5),)), coinbase=())
    assert even["FeeMedNtv"] == Decimal("0.000000035")
    assert even["FeeRevPct"] is None
    empty = day_of(coinbase=())
    names = ("FeeMeanNtv", "FeeMedNtv", "TxTfrValMeanNtv", "TxTfrValMedNtv", "FeeRevPct", "MOMR", "MCTC")
    assert [empty[name] for name in names] == [None] * 7


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (2, 3, "0.666666666666666667"),
        (-2, 3, "-0.666666666666666667"),
        (1, 2 * 10**18, "1e-18"),
        (5, 0, None),
    ],
)
def test_quotients_are_rounded_half_away_from_zero(part: int, whole: int, expected: str | None) -> None:
    assert over(part, whole) == (None if expected is None else Decimal(expected))


def test_what_needs_a_month_or_a_year() -> None:
    """A block a day, 400 days; the revenue doubles on the last day, the price is missing on the tenth."""
    ledger = books()
    for number in range(401):
        time = NOON + number * 86_400
        revenue = 200 if number == 399 else 100
        spent = (Transfer(((M, 30),), ((M, 20), (U, 10))),)
        ledger.add_block(BlockEntry(time, time, 1, ((M, revenue),), spent))
    prices = {DAY + timedelta(number): Decimal(2) for number in range(401) if number != 9}
    rows = list(ledger.rows(prices).values())
    assert len(rows) == 400
    assert [row["MRI0HopAll30d"] for row in rows[:29]] == [None] * 29
    assert rows[29]["MRI0HopAll30d"] == 10
    assert rows[399]["MRI0HopAll30d"] == over(100 * 300, 3100)
    assert [rows[399][name] for name in ("MOMR", "MRI1HopAll30d")] == [0, 0]
    assert [rows[n]["RevAllTimeUSD"] for n in (8, 9, 10)] == [Decimal("0.000018"), None, Decimal("0.00002")]
    # on the eleventh day M has 1100 - 110 and U 110 of what was mined, ten days' revenue had a price
    assert rows[10]["MCTC"] == over(1100 - 110 + 1100, 1000)
    # a year without a gap ends on day 374
    assert [rows[n]["PuellMulRev"] for n in (363, 364, 373, 374)] == [None, None, None, 1]
    assert rows[399]["PuellMulRev"] == rows[399]["PuellMulTot"] == over(200 * 365, 100 * 364 + 200)


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
