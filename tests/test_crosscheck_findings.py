"""What differences mean: faults planted in series of known values, and each must be recognized as itself.

The base is sixty days of made-up series; without a fault nothing is found.
"""

import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from reflow.crosscheck.check import cross_check
from reflow.crosscheck.compare import compare_tables
from reflow.crosscheck.coverage import coverage, coverage_over_time
from reflow.crosscheck.findings import Finding, worst_days
from reflow.crosscheck.verdict import Diagnosis, diagnose
from reflow.results.read import Results
from reflow.series import Table
from reflow.vendor.files import Vendor
from support.walks import walked

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
    return diagnose(compare_tables(ours or base(), theirs))


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
    finding = only(diagnose(compare_tables(base(), theirs)._replace(other_clock=("header", other))))
    assert (finding.kind, finding.days) == ("clock", DAYS[5:10])
    assert "With clock = header our numbers are the vendor's on 2 of 2 days off" in finding.text
    changed(
        theirs, "TxCnt", lambda n, v: v - (100 if n in (6, 10) else 0)
    )  # cancels, but the ledger knows better
    assert (
        only(diagnose(compare_tables(base(), theirs)._replace(other_clock=("header", other)))).kind
        == "ledger"
    )


def test_blocks_missing_for_good_are_the_ledger() -> None:
    theirs = vendor()
    changed(theirs, "BlkCnt", lambda n, v: v + (20 if n == 12 else 0))
    finding = only(judge(theirs))
    assert (finding.kind, finding.days) == ("ledger", [DAYS[12]])
    assert "do not make up for it" in finding.text


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
    assert "our labels lack accounts of KRK that the vendor knows" in finding.text
    assert [layer.status for layer in found.layers] == ["holds", "breaks", "holds"]
    assert found.breaks_first == 2
    finding = only(judge(base(), theirs))  # the other way round
    assert (finding.kind, finding.entity) == ("labels", "KRK")
    assert "we count accounts of KRK that the vendor does not" in finding.text


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
    found = compare_tables(base(), theirs)
    [worst, *_] = worst_days(found, [finding], 5)
    assert (worst.difference.metric, worst.difference.day, worst.finding) == (
        "FlowInBNBNtv",
        DAYS[17],
        "transaction",
    )


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
    worst = worst_days(compare_tables(base(), theirs), judge(theirs).findings, 99)
    assert {one.layer for one in worst} == {1, 2, 3}
    assert max(one.difference.day for one in worst if one.layer > 1) < DAYS[50]


def test_layers_that_are_not_there_or_cannot_be_judged() -> None:
    theirs = {metric: series for metric, series in vendor().items() if metric in ("BlkCnt", "FlowInExNtv")}
    found = judge(theirs)
    assert [layer.status for layer in found.layers] == ["holds", "holds", "not compared"]
    changed(theirs, "BlkCnt", lambda n, v: v + 1 + n)
    assert [layer.status for layer in judge(theirs).layers] == ["breaks", "not judged", "not compared"]


def test_coverage_in_all_and_over_time() -> None:
    theirs = vendor()
    changed(theirs, "FlowInKRKNtv", lambda n, v: v * 4 if DAYS[n].month == 1 else v)
    found = compare_tables(base(), theirs)
    ratios = {(one.exchange, one.metric): one.ratio for one in coverage(found)}
    assert ratios["BNB", "FlowInBNBNtv"] == 1.0
    assert 0.25 < (ratios["KRK", "FlowInKRKNtv"] or 0) < 1
    weeks = [one for one in coverage_over_time(found) if one.metric == "FlowInKRKNtv"]
    assert [one.first.weekday() for one in weeks] == [4, *[0] * (len(weeks) - 1)]
    assert (weeks[0].ratio, weeks[-1].ratio) == (0.25, 1.0)
    assert sum(one.ours for one in weeks) == next(
        one.ours for one in coverage(found) if one.metric == "FlowInKRKNtv"
    )


def with_more(table: Table) -> Table:
    """What the vendor's free series and neighbours have besides: dollars, means, end-of-day figures, counts."""
    dice = random.Random(11)
    held = {code: Decimal(1_000_000) for code in (*CODES, "Ex")}
    accounts, revenue = 1_000, Decimal(0)
    for number, day in enumerate(DAYS):
        fees = Decimal(dice.randint(10**7, 10**9)).scaleb(-8)
        accounts += dice.randint(-20, 60)
        revenue += (900 + fees) * 50_000
        cells = {
            "FeeTotNtv": fees,
            "FeeTotUSD": fees * 50_000,
            "RevNtv": 900 + fees,
            "RevUSD": (900 + fees) * 50_000,
            "RevAllTimeUSD": revenue,
            "PuellMulRev": Decimal(dice.randint(1, 10**18)).scaleb(-18),
            "FeeMeanNtv": Decimal(dice.randint(1, 10**14)).scaleb(-18),
            "AdrBalCnt": Decimal(accounts),
            "TxExCnt": Decimal(dice.randint(100, 200)),
            "SplyMiner0HopAllNtv": Decimal(1_800_000 + number),
            "MRI0HopAll30d": Decimal(dice.randint(1, 10**18)).scaleb(-18),
        }
        for code in held:
            gained, lost = (table[f"Flow{way}{code}Ntv"][day] for way in ("In", "Out"))
            held[code] += (gained or 0) - (lost or 0)
            cells[f"Sply{code}Ntv"], cells[f"Sply{code}USD"] = held[code], held[code] * 50_000
            if code != "Ex":
                cells |= {f"FlowTfr{way}{code}Cnt": Decimal(dice.randint(10, 99)) for way in ("In", "Out")}
        for metric, value in cells.items():
            table.setdefault(metric, {})[day] = value
    return table


def judge_more(theirs: Table, ours: Table | None = None) -> Diagnosis:
    return diagnose(compare_tables(ours or with_more(base()), theirs))


def from_day(table: Table, metric: str, first: int, gap: object) -> None:
    """An end-of-day figure that is off from a day on, by the same each day."""
    changed(table, metric, lambda n, v: v + Decimal(str(gap)) if n >= first else v)


def test_equal_series_of_every_kind_hold() -> None:
    found = judge_more(with_more(base()))
    assert (found.breaks_first, found.findings) == (None, [])
    assert [layer.metrics for layer in found.layers] == [8, 14, 14]


def test_means_of_fewer_digits_hold() -> None:
    theirs = with_more(base())
    for metric in ("FeeMeanNtv", "MRI0HopAll30d"):
        changed(theirs, metric, lambda _, v: v.quantize(Decimal("1e-12"), "ROUND_HALF_UP"))
    assert judge_more(theirs).findings == []
    changed(theirs, "FeeMeanNtv", lambda n, v: v + Decimal("1e-12") if n == 4 else v)
    finding = only(judge_more(theirs))
    assert (finding.kind, finding.layer, finding.metrics, finding.days) == (
        "ledger",
        1,
        ["FeeMeanNtv"],
        [DAYS[4]],
    )


def test_other_prices_break_no_layer() -> None:
    """One price is another: dollars of that day, and all that adds up dollars from then on. The ledger holds."""
    theirs = with_more(base())
    for metric in theirs:
        if metric.endswith("USD") and metric != "RevAllTimeUSD":
            changed(theirs, metric, lambda n, v: v * 2 if n == 9 else v)
    from_day(theirs, "RevAllTimeUSD", 9, 45_000_000)
    changed(theirs, "PuellMulRev", lambda n, v: v / 2 if n >= 9 else v)
    found = judge_more(theirs)
    finding = only(found)
    assert (finding.kind, finding.days, found.breaks_first) == ("prices", [DAYS[9]], None)
    assert {"FeeTotUSD", "RevUSD", "RevAllTimeUSD", "PuellMulRev", "SplyBNBUSD"} <= set(finding.metrics)
    assert [layer.status for layer in found.layers] == ["holds"] * 3
    assert found.text.startswith("Except for prices, no difference")
    assert not [
        one for one in worst_days(compare_tables(with_more(base()), theirs), [finding], 99) if one.layer == 1
    ]


def test_dollars_alone_prove_no_ledger_and_what_they_are_made_of_comes_first() -> None:
    theirs = with_more(base())
    dollars = {id_: theirs[id_] for id_ in ("RevUSD", "RevAllTimeUSD", "FlowInBNBUSD")}
    assert [layer.status for layer in judge_more(dollars).layers] == ["not compared", "holds", "not compared"]
    changed(theirs, "RevNtv", lambda n, v: v + 1 if n == 9 else v)
    changed(theirs, "RevUSD", lambda n, v: v + 50_000 if n == 9 else v)
    from_day(theirs, "RevAllTimeUSD", 9, 50_000)
    finding = only(judge_more(theirs))
    assert (finding.kind, finding.metrics, finding.days) == ("ledger", ["RevNtv"], [DAYS[9]])


def test_control_metrics_that_are_off_on_the_same_days_are_one_finding() -> None:
    theirs = with_more(base())
    for metric in ("FeeTotNtv", "FeeMeanNtv"):
        changed(theirs, metric, lambda n, v: v * 2 if n in (3, 8) else v)
    changed(theirs, "TxCnt", lambda n, v: v + 1 if n == 8 else v)
    found = [(finding.metrics, finding.days) for finding in judge_more(theirs).findings]
    assert found == [(["TxCnt"], [DAYS[8]]), (["FeeTotNtv", "FeeMeanNtv"], [DAYS[3], DAYS[8]])]


def test_an_end_of_day_figure_is_off_anew_only_where_the_gap_is_another() -> None:
    theirs = with_more(base())
    from_day(theirs, "AdrBalCnt", 20, 3)
    from_day(theirs, "AdrBalCnt", 40, 2)
    found = judge_more(theirs)
    finding = only(found)
    assert (finding.kind, finding.metrics, finding.days) == ("ledger", ["AdrBalCnt"], [DAYS[20], DAYS[40]])
    assert (found.layers[0].days_off, found.layers[1].days) == (2, 58)


def test_a_balance_follows_from_the_flows_of_its_exchange() -> None:
    """A transaction that we lack: from that day on the balance is off, and it is told once."""
    theirs = with_more(base())
    more(theirs, "BNB", "In", lambda n: Decimal("1.25") if n == 17 else Decimal(0))
    changed(theirs, "FlowTfrInBNBCnt", lambda n, v: v + 1 if n == 17 else v)
    changed(theirs, "TxExCnt", lambda n, v: v + 1 if n == 17 else v)
    for code in ("BNB", "Ex"):
        from_day(theirs, f"Sply{code}Ntv", 17, "1.25")
        from_day(theirs, f"Sply{code}USD", 17, 62_500)
    found = judge_more(theirs)
    [finding] = found.findings
    assert (finding.kind, finding.days, finding.gap) == ("transaction", [DAYS[17]], Decimal("-1.25"))
    assert finding.metrics == ["FlowInBNBNtv", "SplyBNBNtv", "FlowTfrInBNBCnt"]
    assert (found.layers[1].days_off, found.layers[2].status) == (1, "holds")
    worst = worst_days(compare_tables(with_more(base()), theirs), found.findings, 99)
    assert [(one.difference.metric, one.difference.day) for one in worst if one.layer == 2] == [
        ("FlowInBNBNtv", DAYS[17])
    ]


def test_missing_labels_show_in_the_balance_too() -> None:
    theirs = with_more(base())
    more(theirs, "KRK", "In", lambda n: Decimal(n % 3) * 700)
    changed(theirs, "SplyKRKNtv", lambda n, v: v + sum(day % 3 * 700 for day in range(n + 1)))
    finding = only(judge_more(theirs))
    assert (finding.kind, finding.entity) == ("labels", "KRK")
    assert finding.metrics == ["FlowInKRKNtv", "SplyKRKNtv"]


def test_a_balance_that_differs_while_the_flows_agree_is_one_finding_of_labels() -> None:
    theirs = with_more(base())
    from_day(theirs, "SplyKRKNtv", 0, 5)
    from_day(theirs, "SplyKRKNtv", 33, 1)
    found = judge_more(theirs)
    finding = only(found)
    assert (finding.kind, finding.entity, finding.metrics) == ("labels", "KRK", ["SplyKRKNtv"])
    assert finding.days == [DAYS[0], DAYS[33]]
    assert "off by a new amount on 2 days" in finding.text
    assert found.layers[2].status == "holds"
    assert not [
        one for one in coverage(compare_tables(with_more(base()), theirs)) if one.metric == "SplyKRKNtv"
    ]


def test_counts_stand_in_where_no_amounts_are_compared() -> None:
    ours, theirs = with_more(base()), with_more(base())
    counts = {metric: theirs[metric] for metric in theirs if metric.startswith(("BlkCnt", "FlowTfr"))}
    changed(counts, "FlowTfrInBNBCnt", lambda _, v: v * 2 + 1)
    finding = only(judge_more(counts, ours))
    assert (finding.kind, finding.entity, finding.metrics) == ("labels", "BNB", ["FlowTfrInBNBCnt"])


def test_what_is_made_of_miner_flows_is_judged_where_they_agree() -> None:
    theirs = with_more(base())
    changed(theirs, "SplyMiner0HopAllNtv", lambda n, v: v + 7 if n >= 30 else v)
    finding = only(judge_more(theirs))
    assert (finding.kind, finding.layer, finding.days) == ("definition", 3, [DAYS[30]])


def test_a_ratio_of_thirty_days_is_not_judged_where_one_of_them_is_off_below() -> None:
    theirs = with_more(base())
    changed(theirs, "TxCnt", lambda n, v: v + 1 if n == 25 else v)
    changed(theirs, "MRI0HopAll30d", lambda n, v: v * 2 if n in (25, 30, 54) else v)
    assert [layer.status for layer in judge_more(theirs).layers] == ["breaks", "holds", "holds"]
    changed(theirs, "MRI0HopAll30d", lambda n, v: v * 2 if n == 55 else v)
    found = judge_more(theirs)
    assert (found.layers[2].status, found.layers[2].first_off) == ("breaks", DAYS[55])


def test_a_cross_check_is_read_in_ten_files(tmp_path: Path) -> None:
    """From the door to its result, whoever follows a cross-check opens no more of the engine."""
    theirs = with_more(base())
    changed(theirs, "TxCnt", lambda n, v: v + 1 if n == 25 else v)
    changed(theirs, "FeeMeanNtv", lambda n, v: v + Decimal("1e-12") if n == 4 else v)
    more(theirs, "BNB", "In", lambda n: Decimal("1.25") if n == 17 else Decimal(0))
    results = Results(tmp_path, "reference", {}, with_more(base()))
    with walked() as walk:
        check = cross_check(results, Vendor(theirs, [], "vendor.csv", ""))
    assert check.diagnosis.breaks_first == 1
    assert len(walk.files) <= 10
