"""The statistics of a comparison: worked by hand, and against an obvious slow computation with fractions."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import isclose, sqrt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reflow.amounts import VALUE_PLACES, plain
from reflow.crosscheck.compare import Comparison, Difference, Tolerance, compare, compare_tables, layer_of
from reflow.flows.catalog import catalog, find
from reflow.flows.values import metric_values
from reflow.series import Binary, Series
from reflow.vendor.files import read_vendor

START = date(2021, 1, 1)


def series(*values: str | None) -> Series:
    """Values of consecutive days; None for a day without one."""
    return {START + timedelta(n): None if v is None else Decimal(v) for n, v in enumerate(values)}


def day(number: int) -> date:
    return START + timedelta(number)


def compare_series(metric: str, ours: Series, vendor: Series, *tolerance: Tolerance) -> Comparison:
    [comparison] = compare({metric: ours}, {metric: vendor}, *tolerance)
    return comparison


def differences(metric: str, ours: Series, vendor: Series, first: date | None = None) -> list[Difference]:
    return compare_tables({metric: ours}, {metric: vendor}, first=first).days[metric]


def test_a_comparison_worked_by_hand() -> None:
    ours = series("10", "20.5", "30", None, "40", "50", "60")
    vendor = series("10", "20", "33", "35", "40", None, "66", "70")
    found = compare_series("FlowInExNtv", ours, vendor)
    assert (found.layer, found.verdict, found.printed) == (2, "off", 0)
    assert (found.days, found.exact, found.off, found.only_ours, found.only_vendor) == (5, 2, 3, 1, 1)
    assert (found.first_day, found.last_day) == (day(0), day(6))
    assert (found.first_off, found.last_off) == (day(1), day(6))
    assert (found.longest_run, found.longest_run_from) == (2, day(1))
    assert (found.sum_ours, found.sum_vendor) == (Decimal("160.5"), Decimal(169))
    assert (found.sum_absolute, found.max_absolute, found.max_absolute_day) == (
        Decimal("9.5"),
        Decimal(6),
        day(6),
    )
    assert found.mean_absolute == 1.9
    assert found.bias == -1.7
    assert found.mean_relative == pytest.approx((0.025 + 3 / 33 + 6 / 66) / 5)
    assert found.max_relative == 3 / 33
    assert found.ratio == 160.5 / 169
    assert found.scale == pytest.approx((100 + 410 + 990 + 1600 + 3960) / (100 + 400 + 1089 + 1600 + 4356))


def test_changes_are_those_between_neighbouring_days() -> None:
    """Levels rise on both sides, changes go opposite ways; the gap in the middle gives no change."""
    ours = series("1", "3", "4", None, "104", "106", "107")
    vendor = series("1", "2", "4", None, "104", "105", "107")
    found = compare_series("FlowInExNtv", ours, vendor)
    assert found.correlation is not None
    assert found.correlation > 0.99
    assert found.correlation_changes == -1.0


def test_equal_series_are_exact_and_constant_ones_have_no_correlation() -> None:
    found = compare_series("BlkCnt", series("144", "151", "139"), series("144", "151", "139"))
    assert (found.verdict, found.off, found.correlation, found.scale, found.ratio) == (
        "exact",
        0,
        1.0,
        1.0,
        1.0,
    )
    assert (found.first_off, found.longest_run_from, found.max_absolute_day) == (None, None, None)
    flat = compare_series("BlkCnt", series("5", "5"), series("5", "5"))
    assert (flat.correlation, flat.correlation_changes) == (None, None)
    zero = compare_series("FlowInExNtv", series("1", "0"), series("0", "0"))
    assert (zero.ratio, zero.scale, zero.mean_relative, zero.max_absolute) == (None, None, 0.0, Decimal(1))


def test_no_day_in_common_is_apart() -> None:
    found = compare_series("BlkCnt", series("144"), {day(5): Decimal(144)})
    assert (found.verdict, found.days, found.mean_absolute, found.first_day) == ("apart", 0, None, None)


@pytest.mark.parametrize(
    ("ours", "vendor", "verdict"),
    [
        ("0.12345678", "0.123456780000000000", "exact"),  # zeros at the end
        ("0.12345678", "0.12345679", "off"),  # a satoshi
        ("0.12345678", "0.1234568", "off"),  # rounded: no longer the amount
        ("0.12345678", "0.1234567800000000001", "off"),
        ("10.4", "10", "off"),
    ],
)
@pytest.mark.parametrize("metric", ["FlowInExNtv", "SplyBNBNtv", "TxTfrCnt", "FlowInExUSD", "RevAllTimeUSD"])
def test_amounts_and_counts_are_equal_as_they_are(metric: str, ours: str, vendor: str, verdict: str) -> None:
    assert compare_series(metric, series(ours), series(vendor)).verdict == verdict


def test_a_product_of_dollars_is_met_to_the_last_of_18_places() -> None:
    """2.5 native units and a satoshi at a price of 17 places: worked out by hand."""
    price, native = Decimal("87652.83512345678901234"), Decimal("2.50000001")
    product = "219132.088685170323765418"  # 219132.0886851703237654178901234, rounded
    metric = find("FlowInExUSD")
    assert metric is not None
    [ours] = metric_values(metric, {("gained", "Ex"): [250_000_001]}, [START], {START: price})
    assert ours is not None
    assert plain(ours, VALUE_PLACES) == product
    assert abs(native * price - Decimal(product)) < Decimal("5e-18")
    assert compare_series("FlowInExUSD", series(product), series(product)).verdict == "exact"
    last = product[:-1] + "7"
    found = compare_series("FlowInExUSD", series(product), series(last))
    assert (found.verdict, f"{found.max_absolute:f}") == ("off", "0.000000000000000001")


@pytest.mark.parametrize(
    ("ours", "vendor", "verdict"),
    [
        ("50.428571428571428571", "50.4285714285714", "exact"),  # 353 / 7: the vendor's 15 digits
        ("50.428571428571428571", "50.4285714285715", "off"),
        ("50.428571428571428571", "50.4285714285714000", "off"),  # zeros at the end are digits
        ("50.428571428571428571", "50.428571428571428571", "exact"),
        ("50.428571428571428571", "50.4285714285714285714", "exact"),  # further places than ours
        ("50.428571428571428571", "50.428571428571428572", "off"),
        ("0.00025", "0.0003", "exact"),  # half goes away from zero
        ("-0.00025", "-0.0003", "exact"),
        ("0.00025", "0.0002", "off"),
        ("8.591666666666666667", "8.59166666666667", "exact"),
        ("387.5", "387.5", "exact"),
        ("1234", "1.234E+3", "exact"),
    ],
)
@pytest.mark.parametrize(
    "metric", ["TxTfrValMeanNtv", "FeeMedNtv", "FeeRevPct", "MRI0HopAll30d", "PuellMulRev"]
)
def test_a_quotient_is_met_by_ours_rounded_to_the_places_of_that_value(
    metric: str, ours: str, vendor: str, verdict: str
) -> None:
    assert compare_series(metric, series(ours), series(vendor)).verdict == verdict


def test_the_vendors_own_means_are_met_by_its_own_sums(shared_data: Path) -> None:
    """Real figures: TxTfrValNtv over TxTfrCnt, on 24 of 36 days of 2009; the vendor's means have 15 digits."""
    vendor = read_vendor(shared_data / "vendor-2009.csv")
    days = list(vendor["BlkCnt"])
    sums = {
        (name, ""): [int((value or Decimal(0)) * unit) for value in vendor[id_].values()]
        for name, id_, unit in (("transfer_value", "TxTfrValNtv", 10**8), ("transfer_count", "TxTfrCnt", 1))
    }
    metric = find("TxTfrValMeanNtv")
    assert metric is not None
    values = metric_values(metric, sums, days, {})
    ours: Series = {
        day: None if value is None else Decimal(value).scaleb(-VALUE_PLACES)
        for day, value in zip(days, values, strict=True)
    }
    found = compare_series(metric.id, ours, vendor[metric.id])
    assert (len(days), found.days, found.exact, found.printed) == (36, 24, 24, 14)
    assert (found.only_ours, found.only_vendor) == (0, 0)
    wrong = vendor[metric.id] | {date(2009, 2, 3): Decimal("8.59166666666666")}
    assert compare_series(metric.id, ours, wrong).last_off == date(2009, 2, 3)


def test_places_count_for_each_value_by_itself() -> None:
    found = compare_series("MOMR", series("0.125", "0.125", "0.125"), series("0.1", "0.13", "0.120"))
    assert (found.days, found.exact, found.off, found.first_off, found.printed) == (3, 2, 1, day(2), 3)


def test_a_binary_float_is_met_by_the_nearest_one() -> None:
    """100 / 3 as a float ends in 36; of the next float above no digit is right."""
    for metric, ours, off in (
        ("TxTfrValMeanNtv", "33.333333333333333333", 33.33333333333334),
        ("FlowInExUSD", "219132.088685170323765418", 219132.08868517034),
    ):
        nearest: Series = {START: Binary(repr(float(ours)))}
        assert compare_series(metric, series(ours), nearest).verdict == "exact"
        assert compare_series(metric, series(ours), {START: Binary(repr(off))}).verdict == "off"
        as_text: Series = {START: Decimal(repr(float(ours)))}
        assert compare_series(metric, series(ours), as_text).verdict == "off"


def test_tolerances() -> None:
    ours, vendor = series("101", "99", "0.5"), series("100", "100", "0")

    def off(metric: str, *tolerance: object) -> int:
        return compare_series(metric, ours, vendor, Tolerance(*tolerance)).off  # type: ignore[arg-type]

    assert off("FlowInExNtv") == 3
    assert off("FlowInExNtv", Decimal(1)) == 0
    assert off("FlowInExNtv", Decimal("0.5")) == 2
    assert off("FlowInExNtv", Decimal(0), Decimal("0.01")) == 1
    assert off("FlowInExNtv", Decimal(0), Decimal("0.0099")) == 3
    assert off("BlkCnt", Decimal(1), Decimal(1)) == 3
    assert off("BlkCnt", Decimal(1), Decimal(0), True) == 0
    assert off("RevUSD", Decimal(1)) == 0  # prices decide it too: it proves no ledger
    assert compare_series("FlowInExNtv", ours, vendor, Tolerance(Decimal(1))).verdict == "within"


def test_days_can_be_left_out() -> None:
    ours, vendor = series("1", "2", "3", "4"), series("9", "2", "3", "9")
    [found] = compare({"BlkCnt": ours}, {"BlkCnt": vendor, "Other": vendor}, first=day(1), last=day(2))
    assert (found.verdict, found.days) == ("exact", 2)
    assert [one.day for one in differences("BlkCnt", ours, vendor, first=day(3))] == [day(3)]


def test_differences_are_exact_beyond_any_float() -> None:
    [one] = differences(
        "FlowInExUSD", series("12345678901234567890123.00000001"), series("0.000000000000000001")
    )
    assert f"{one.difference:f}" == "12345678901234567890123.000000009999999999"
    assert one.off


def test_ids_of_the_catalogue_are_known_whatever_the_exchange_is_called() -> None:
    for metric in catalog(["BNB", "N7", "Cur", "Tfr"]):
        assert find(metric.id) == metric
    assert [find(id_) for id_ in ("PriceUSD", "FlowInBNB", "FlowMinerOut2HopAllBNBNtv", "SplyFF", "")] == [
        None
    ] * 5


def test_layers_of_metrics() -> None:
    ids = (
        "BlkCnt",
        "AdrActCnt",
        "FlowInBNBNtv",
        "FlowNetExInclNtv",
        "SplyNEW7Ntv",
        "FlowTfrInNEW7Cnt",
        "TxExCnt",
        "FlowMinerOut0HopAllExNtv",
        "MOMR",
        "SplyMiner1HopAllNtv",
    )
    assert [layer_of(id_) for id_ in ids] == [1, 1, 2, 2, 2, 2, 2, 3, 3, 3]
    assert layer_of("PriceUSD") == 3


values = st.none() | st.decimals(min_value=-(10**9), max_value=10**9, places=8)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(values, values), max_size=12))
def test_statistics_against_the_plain_formulas(pairs: list[tuple[Decimal | None, Decimal | None]]) -> None:
    ours = {day(n): a for n, (a, _) in enumerate(pairs)}
    vendor = {day(n): b for n, (_, b) in enumerate(pairs)}
    found = compare_series("FlowInExNtv", ours, vendor)
    known = [
        (n, Fraction(a), Fraction(b)) for n, (a, b) in enumerate(pairs) if a is not None and b is not None
    ]
    gaps = [a - b for _, a, b in known]
    assert found.days == len(known)
    assert Fraction(found.sum_absolute) == sum(map(abs, gaps))
    assert Fraction(found.sum_ours) == sum(a for _, a, _ in known)
    assert Fraction(found.max_absolute) == max(map(abs, gaps), default=0)
    if not known:
        return
    assert found.mean_absolute == float(sum(map(abs, gaps)) / len(gaps))
    assert found.bias == float(sum(gaps) / len(gaps))
    same(found.correlation, pearson([a for _, a, _ in known], [b for _, _, b in known]))
    steps = [(q, p) for p, q in pairwise(known) if q[0] == p[0] + 1]
    same(found.correlation_changes, pearson([q[1] - p[1] for q, p in steps], [q[2] - p[2] for q, p in steps]))
    squares = sum(b * b for _, _, b in known)
    same(found.scale, float(sum(a * b for _, a, b in known) / squares) if squares else None)


def pearson(a: list[Fraction], b: list[Fraction]) -> float | None:
    if len(set(a)) < 2 or len(set(b)) < 2:
        return None
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    both = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    spread = sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b)
    return float(both) / sqrt(spread)


def same(found: float | None, expected: float | None) -> None:
    assert (found is None) == (expected is None)
    assert found is None or expected is None or isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)
