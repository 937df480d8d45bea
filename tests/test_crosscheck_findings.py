"""What differences mean: faults planted in series of known values, and each must be recognized as itself.

The base is sixty days of made-up series; without a fault nothing is found.
"""

import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest

from reflow.crosscheck.board import board, metrics_of
from reflow.crosscheck.coverage import coverage, coverage_over_time
from reflow.crosscheck.findings import Finding
from reflow.crosscheck.layers import Diagnosis, diagnose
from reflow.crosscheck.series import Table
from reflow.crosscheck.worst import worst_days

START = date(2021, 1, 1)
DAYS = [START + timedelta(n) for n in range(60)]
CODES = ("BNB", "KRK")


def base() -> Table:
    """Control metrics, flows of two exchanges and of miners, in native units and USD; every day different."""
    dice = random.Random(7)
    table: Table = {"BlkCnt": {}, "TxCnt": {}, "BlkSizeByte": {}, "SplyCur": {}}
    flows = [f"Flow{way}{e}" for e in (*CODES, "Ex") for way in ("In", "Out")]
    flows += [
        f"FlowMiner{way}{hop}HopAll{e}" for e in (*CODES, "Ex") for way in ("In", "Out") for hop in (0, 1)
    ]
    for number, day in enumerate(DAYS):
        table["BlkCnt"][day] = Decimal(dice.randint(130, 160))
        table["TxCnt"][day] = Decimal(dice.randint(200_000, 300_000))
        table["BlkSizeByte"][day] = Decimal(dice.randint(10**8, 2 * 10**8))
        table["SplyCur"][day] = Decimal(18_000_000) + 900 * number
        for flow in flows:
            native = Decimal(dice.randint(10**9, 10**12)).scaleb(-8)
            table.setdefault(f"{flow}Ntv", {})[day] = native
            table.setdefault(f"{flow}USD", {})[day] = native * 50_000
    return table


def vendor() -> Table:
    return {metric: dict(series) for metric, series in base().items()}


def changed(table: Table, metric: str, change: Callable[[int, Decimal], Decimal | None]) -> None:
    """Give a metric other values, by the number of the day and the value."""
    for number, day in enumerate(DAYS):
        value = table[metric][day]
        assert value is not None
        table[metric][day] = change(number, value)


def judge(theirs: Table, ours: Table | None = None) -> Diagnosis:
    return diagnose(board(ours or base(), theirs))


def only(found: Diagnosis) -> Finding:
    [finding] = found.findings
    return finding


def test_equal_series_hold_in_all_layers() -> None:
    found = judge(vendor())
    assert (found.breaks_first, found.findings) == (None, [])
    assert [layer.status for layer in found.layers] == ["holds"] * 3
    assert found.text.endswith(": control metrics and exchange flows and miner flows.")


def test_blocks_that_moved_between_days_are_another_clock() -> None:
    theirs = vendor()
    moves = {10: 1, 11: -1, 20: -2, 21: 2, 30: 1, 31: 1, 32: -2}
    for metric, unit in (("BlkCnt", 1), ("TxCnt", 1_700), ("BlkSizeByte", 1_200_000)):
        changed(theirs, metric, lambda n, v, unit=unit: v + moves.get(n, 0) * unit)  # type: ignore[misc]
    found = judge(theirs)
    finding = only(found)
    assert (finding.kind, finding.layer, found.breaks_first) == ("clock", 1, 1)
    assert finding.days == DAYS[10:33]
    assert "BlkCnt differs on 7 days" in finding.text
    assert "seems to cut" in finding.text
    assert found.layers[1].days == 60 - 23


def test_the_ledger_proves_a_clock_or_rules_it_out() -> None:
    theirs = vendor()
    changed(theirs, "TxCnt", lambda n, v: v + (100 if n in (5, 9) else 0))  # cancels nothing
    assert only(judge(theirs)).kind == "ledger"
    other = {metric: dict(theirs[metric]) for metric in ("BlkCnt", "TxCnt")}
    finding = only(diagnose(board(base(), theirs), ("header", other)))
    assert (finding.kind, finding.days) == ("clock", DAYS[5:10])
    assert "Under clock = header this ledger gives the vendor's numbers on 2 of 2 days off" in finding.text
    changed(
        theirs, "TxCnt", lambda n, v: v - (100 if n in (6, 10) else 0)
    )  # cancels, but the ledger knows better
    assert only(diagnose(board(base(), theirs), ("header", other))).kind == "ledger"


def test_blocks_missing_for_good_are_the_ledger() -> None:
    theirs = vendor()
    changed(theirs, "BlkCnt", lambda n, v: v + (20 if n == 12 else 0))
    finding = only(judge(theirs))
    assert (finding.kind, finding.days) == ("ledger", [DAYS[12]])
    assert "not made up for" in finding.text


def test_a_series_moved_by_a_day() -> None:
    theirs = {
        metric: {day + timedelta(1): v for day, v in series.items()} for metric, series in vendor().items()
    }
    finding = only(Diagnosis(1, "", [], judge(theirs).findings[:1]))
    assert finding.kind == "day_shift"
    assert "one day after ours" in finding.text


def test_another_start_value_says_nothing_about_days() -> None:
    theirs = vendor()
    changed(theirs, "SplyCur", lambda _, v: v + 50)
    found = judge(theirs)
    finding = only(found)
    assert (finding.kind, finding.gap) == ("start_value", Decimal(-50))
    assert found.layers[1].status == "holds"


def test_another_unit() -> None:
    theirs = vendor()
    changed(theirs, "FlowInKRKNtv", lambda _, v: v * 1000)
    del theirs["FlowInKRKUSD"]
    finding = only(judge(theirs))
    assert (finding.kind, finding.layer, finding.entity) == ("unit", 2, "KRK")
    assert finding.ratio == pytest.approx(0.001)


def more(table: Table, e: str, way: str, amount: Callable[[int], Decimal]) -> None:
    """The vendor counts more, in the exchange's flow, that of all, and in the miners'."""
    for flow in (f"Flow{way}{e}", f"Flow{way}Ex", f"FlowMinerOut1HopAll{e}"):
        changed(table, f"{flow}Ntv", lambda n, v: v + amount(n))
        changed(table, f"{flow}USD", lambda n, v: v + amount(n) * 50_000)


def test_missing_labels_on_either_side() -> None:
    theirs = vendor()
    more(theirs, "KRK", "In", lambda n: Decimal(n % 3) * 700)
    found = judge(theirs)
    finding = only(found)
    assert (finding.kind, finding.layer, finding.entity) == ("labels", 2, "KRK")
    assert len(finding.days) == 40
    assert finding.ratio is not None
    assert 0.8 < finding.ratio < 0.95
    assert "accounts of KRK that the vendor knows are not among your labels" in finding.text
    assert [layer.status for layer in found.layers] == ["holds", "breaks", "holds"]
    assert found.breaks_first == 2
    finding = only(judge(base(), theirs))  # the other way round
    assert (finding.kind, finding.entity) == ("labels", "KRK")
    assert "you count accounts of KRK that the vendor does not" in finding.text


def test_exchanges_that_only_all_as_one_have() -> None:
    theirs = vendor()
    changed(theirs, "FlowInExNtv", lambda _, v: v * 2 + 1)
    del theirs["FlowInExUSD"]
    finding = only(judge(theirs))
    assert (finding.kind, finding.entity) == ("labels", "Ex")
    assert "exchanges that the vendor knows" in finding.text


def test_a_single_day_is_a_transaction() -> None:
    theirs = vendor()
    more(theirs, "BNB", "In", lambda n: Decimal("-1.25") if n == 17 else Decimal(0))
    finding = only(judge(theirs))
    assert (finding.kind, finding.entity, finding.days) == ("transaction", "BNB", [DAYS[17]])
    assert finding.gap == Decimal("1.25")
    assert finding.metrics == ["FlowInBNBNtv"]
    found = board(base(), theirs)
    [worst, *_] = worst_days(found, [finding], 5)
    assert (worst.cell.metric, worst.cell.day, worst.finding) == ("FlowInBNBNtv", DAYS[17], "transaction")


def test_missing_and_other_prices() -> None:
    ours, theirs = base(), vendor()
    for metric in ours:
        if metric.endswith("USD"):
            changed(ours, metric, lambda n, v: None if n == 3 else v)
            changed(theirs, metric, lambda n, v: v * 2 if n == 5 else v)
    finding = only(judge(theirs, ours))
    assert (finding.kind, finding.days) == ("prices", [DAYS[3], DAYS[5]])


def test_miner_flows_alone_are_the_definition() -> None:
    theirs = vendor()
    for e in (*CODES, "Ex"):
        changed(theirs, f"FlowMinerOut1HopAll{e}Ntv", lambda n, v: v + n)
        changed(theirs, f"FlowMinerOut1HopAll{e}USD", lambda n, v: v + n * 50_000)
    found = judge(theirs)
    finding = only(found)
    assert (finding.kind, finding.layer, found.breaks_first) == ("definition", 3, 3)
    assert "Out at hop 1" in finding.text
    assert "In at hop 0, In at hop 1, Out at hop 0 agree" in finding.text


def test_three_faults_in_one_series_are_told_apart() -> None:
    theirs = vendor()
    more(theirs, "KRK", "In", lambda n: Decimal(n % 2) * 400)
    more(theirs, "BNB", "In", lambda n: Decimal(-33) if n == 8 else Decimal(0))
    for metric in theirs:
        if metric not in ("BlkCnt", "SplyCur"):
            changed(theirs, metric, lambda n, v: v if n < 50 else v * (9 if n % 2 else 11) / 10)
    found = [(finding.kind, finding.entity) for finding in judge(theirs).findings]
    assert found == [("clock", ""), ("transaction", "BNB"), ("labels", "KRK")]
    worst = worst_days(board(base(), theirs), judge(theirs).findings, 99)
    assert {one.layer for one in worst} == {1, 2, 3}
    assert max(one.cell.day for one in worst if one.layer > 1) < DAYS[50]


def test_layers_that_are_not_there_or_cannot_be_judged() -> None:
    theirs = {metric: series for metric, series in vendor().items() if metric in ("BlkCnt", "FlowInExNtv")}
    found = judge(theirs)
    assert [layer.status for layer in found.layers] == ["holds", "holds", "not compared"]
    changed(theirs, "BlkCnt", lambda n, v: v + 1 + n)
    assert [layer.status for layer in judge(theirs).layers] == ["breaks", "not judged", "not compared"]


def test_coverage_in_all_and_over_time() -> None:
    theirs = vendor()
    changed(theirs, "FlowInKRKNtv", lambda n, v: v * 4 if DAYS[n].month == 1 else v)
    found = board(base(), theirs)
    ratios = {(one.exchange, one.metric): one.ratio for one in coverage(found)}
    assert ratios["BNB", "FlowInBNBNtv"] == 1.0
    assert 0.25 < (ratios["KRK", "FlowInKRKNtv"] or 0) < 1
    weeks = [one for one in coverage_over_time(found) if one.metric == "FlowInKRKNtv"]
    assert [one.first.weekday() for one in weeks] == [4, *[0] * (len(weeks) - 1)]
    assert (weeks[0].ratio, weeks[-1].ratio) == (0.25, 1.0)
    assert sum(one.ours for one in weeks) == next(
        one.ours for one in coverage(found) if one.metric == "FlowInKRKNtv"
    )


def test_metrics_are_known_whatever_the_exchange_is_called() -> None:
    found = metrics_of(["FlowMinerOut1HopAllNEW7Ntv", "FlowInNEW8USD", "BlkCnt", "PriceUSD"])
    assert [metric.entity for metric in found.values()] == ["NEW7", "NEW8", ""]
