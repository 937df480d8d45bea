"""How far our series are from the vendor's: one comparison a metric, exact where it counts money.

A difference is ours minus the vendor's. Days are compared on which both have a value.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal, Inexact
from itertools import pairwise
from math import copysign, fsum, gcd, sqrt
from operator import mul
from typing import Final, Literal, NamedTuple

from reflow.crosscheck.series import EXACT, Series, Table, decimals
from reflow.flows.catalog import control

OUR_DECIMALS: Final = 8
"""Ours are rounded to that many places, so further digits of the vendor's cannot be compared."""
CONTROL: Final = frozenset(metric.id for metric in control())

Verdict = Literal["exact", "within", "off", "apart"]
"""Every compared day equal (to the vendor's printed places); all within the tolerance; some off; no day in common."""

Layer = Literal[1, 2, 3]
"""1 control metrics (the ledger), 2 exchange flows (the labels), 3 miner flows (the definition)."""


class Tolerance(NamedTuple):
    """A day is off when its difference is more than each of these allows."""

    absolute: Decimal = Decimal(0)
    """In the metric's unit."""
    relative: Decimal = Decimal(0)
    """A share of the vendor's value: 0.01 is one per cent."""
    control: bool = False
    """Whether control metrics get it too; else they must be exact."""


class Difference(NamedTuple):
    """One day of one metric, in the metric's unit."""

    metric: str
    day: date
    ours: Decimal
    vendor: Decimal
    difference: Decimal
    """Ours minus the vendor's, exactly."""


class Comparison(NamedTuple):
    """One metric. Sums and extremes are exact decimals in its unit; means, ratios, correlations are floats."""

    metric: str
    layer: Layer
    verdict: Verdict
    days: int
    """Days on which both have a value."""
    exact: int
    """Those on which they are equal, to the places that the vendor prints."""
    off: int
    """Those on which the difference is more than the tolerance."""
    only_ours: int
    """Days of the compared span on which only we have a value."""
    only_vendor: int
    """Days of the compared span on which only the vendor has one."""
    first_day: date | None
    """First day compared."""
    last_day: date | None
    first_off: date | None
    last_off: date | None
    longest_run: int
    """Most consecutive calendar days off."""
    longest_run_from: date | None
    """Its first day."""
    sum_ours: Decimal
    """Over the days compared."""
    sum_vendor: Decimal
    sum_absolute: Decimal
    """Sum of absolute differences."""
    max_absolute: Decimal
    max_absolute_day: date | None
    mean_absolute: float | None
    mean_relative: float | None
    """Mean of |difference| over |vendor's|; days on which the vendor's is 0 and ours is not are left out."""
    max_relative: float | None
    bias: float | None
    """Mean difference: positive where ours is more."""
    ratio: float | None
    """Sum of ours over sum of the vendor's: of an exchange flow, the label coverage."""
    scale: float | None
    """The factor s that minimizes the sum of (ours - s * vendor's) squared."""
    correlation: float | None
    """Pearson's, of the levels; None for less than two days or a constant series."""
    correlation_changes: float | None
    """Pearson's, of the changes from one compared day to the next calendar day."""
    printed: int
    """Most decimal places that the vendor prints of this metric."""


def layer_of(metric: str) -> Layer:
    """The layer that a metric belongs to."""
    if metric in CONTROL:
        return 1
    return 2 if metric.startswith(("FlowIn", "FlowOut", "FlowNet")) else 3


def compare(
    ours: Table,
    vendor: Table,
    tolerance: Tolerance = Tolerance(),  # noqa: B008  # immutable
    *,
    first: date | None = None,
    last: date | None = None,
) -> list[Comparison]:
    """Compare every metric that both have, in our order; days before `first` and after `last` are left out."""
    return [
        compare_series(metric, ours[metric], vendor[metric], tolerance, first=first, last=last)
        for metric in ours
        if metric in vendor
    ]


def compare_series(
    metric: str,
    ours: Series,
    vendor: Series,
    tolerance: Tolerance = Tolerance(),  # noqa: B008  # immutable
    *,
    first: date | None = None,
    last: date | None = None,
) -> Comparison:
    """Compare one metric."""
    ours, vendor = _within(ours, first, last), _within(vendor, first, last)
    pairs = align(ours, vendor)
    printed, off = printed_places(pairs), days_off(metric, pairs, tolerance)
    exact = sum(_tolerable(pairs, printed, Tolerance()))
    run, run_from = _longest_run(off)
    days, a, b = pairs.days, pairs.ours, pairs.vendor
    gap = [x - y for x, y in zip(a, b, strict=True)]
    largest = max(range(len(gap)), key=lambda place: abs(gap[place]), default=None)
    absolute, unit = sum(map(abs, gap)), len(gap) * 10**pairs.places
    relative = [abs(d) / abs(y) if d else 0.0 for d, y in zip(gap, b, strict=True) if y or not d]
    only_ours, only_vendor = _gaps(ours, vendor)
    return Comparison(
        metric=metric,
        layer=layer_of(metric),
        verdict=_verdict(len(days), exact, len(off)),
        days=len(days),
        exact=exact,
        off=len(off),
        only_ours=only_ours,
        only_vendor=only_vendor,
        first_day=days[0] if days else None,
        last_day=days[-1] if days else None,
        first_off=off[0] if off else None,
        last_off=off[-1] if off else None,
        longest_run=run,
        longest_run_from=run_from,
        sum_ours=pairs.decimal(sum(a)),
        sum_vendor=pairs.decimal(sum(b)),
        sum_absolute=pairs.decimal(absolute),
        max_absolute=pairs.decimal(0 if largest is None else abs(gap[largest])),
        max_absolute_day=days[largest] if largest is not None and gap[largest] else None,
        mean_absolute=_quotient(absolute, unit),
        mean_relative=fsum(relative) / len(relative) if relative else None,
        max_relative=max(relative, default=None),
        bias=_quotient(sum(gap), unit),
        ratio=_quotient(sum(a), sum(b)),
        scale=_quotient(_products(a, b), _products(b, b)),
        correlation=correlation(a, b),
        correlation_changes=correlation(*_changes(pairs)),
        printed=printed,
    )


class Pairs(NamedTuple):
    """The days on which both have a value, in order, as integers of one unit: nothing is rounded."""

    days: list[date]
    ours: list[int]
    """In 10**-`places` units of the metric."""
    vendor: list[int]
    places: int

    def decimal(self, number: int) -> Decimal:
        """An integer of that unit in the metric's own, without zeros at the end of a fraction."""
        value = EXACT.normalize(EXACT.scaleb(Decimal(number), -self.places))
        return value if decimals(value) else EXACT.quantize(value, Decimal(1))


def align(ours: Series, vendor: Series) -> Pairs:
    """Bring two series to the days and the unit that they share."""
    both = {day: (ours[day], vendor[day]) for day in sorted(ours.keys() & vendor.keys())}
    known = {day: (a, b) for day, (a, b) in both.items() if a is not None and b is not None}
    try:
        return _scaled(known, OUR_DECIMALS)
    except Inexact:
        return _scaled(known, max(decimals(value) for pair in known.values() for value in pair))


def _scaled(known: dict[date, tuple[Decimal, Decimal]], places: int) -> Pairs:
    ours, vendor = (
        [int(pair[side].scaleb(places, EXACT).to_integral_exact(context=EXACT)) for pair in known.values()]
        for side in (0, 1)
    )
    return Pairs(list(known), ours, vendor, places)


def differences(metric: str, ours: Series, vendor: Series) -> list[Difference]:
    """The days on which both have a value, in order."""
    pairs = align(ours, vendor)
    return [
        Difference(metric, day, *map(pairs.decimal, (a, b, a - b)))
        for day, a, b in zip(pairs.days, pairs.ours, pairs.vendor, strict=True)
    ]


def printed_places(pairs: Pairs) -> int:
    """Most decimal places among the vendor's values, zeros at the end not counted."""
    step = gcd(10**pairs.places, *pairs.vendor)
    return next(k for k in range(pairs.places + 1) if step % 10 ** (pairs.places - k) == 0)


def days_off(metric: str, pairs: Pairs, tolerance: Tolerance) -> list[date]:
    """The days on which the difference is more than `tolerance` allows for this metric."""
    allowed = tolerance if layer_of(metric) > 1 or tolerance.control else Tolerance()
    fine = _tolerable(pairs, printed_places(pairs), allowed)
    return [day for day, tolerable in zip(pairs.days, fine, strict=True) if not tolerable]


def correlation(a: Sequence[int], b: Sequence[int]) -> float | None:
    """Pearson's correlation; None for less than two values, and where one side is constant."""
    both, spread = _covariance(a, b), _covariance(a, a) * _covariance(b, b)
    squared = _quotient(both * both, spread)
    return None if squared is None else copysign(sqrt(squared), both)


def _covariance(a: Sequence[int], b: Sequence[int]) -> int:
    """Times the square of their number, so that nothing is divided."""
    return len(a) * _products(a, b) - sum(a) * sum(b)


def _products(a: Sequence[int], b: Sequence[int]) -> int:
    return sum(map(mul, a, b))


def _quotient(part: int, whole: int) -> float | None:
    """Rounded once; None where there is none, or none that a float can hold."""
    try:
        return part / whole
    except (ZeroDivisionError, OverflowError):
        return None


def _within(series: Series, first: date | None, last: date | None) -> Series:
    if first is None and last is None:
        return series
    return {
        day: value
        for day, value in series.items()
        if (first is None or day >= first) and (last is None or day <= last)
    }


def _tolerable(pairs: Pairs, printed: int, tolerance: Tolerance) -> list[bool]:
    unit = 10**pairs.places
    part, parts = tolerance.absolute.as_integer_ratio()
    least = max(part * unit // parts, _half_a_place(printed, unit))
    share, whole = tolerance.relative.as_integer_ratio()
    return [
        abs(a - b) <= least or abs(a - b) * whole <= share * abs(b)
        for a, b in zip(pairs.ours, pairs.vendor, strict=True)
    ]


def _half_a_place(printed: int, unit: int) -> int:
    """What rounding to the places that both have may change; whole numbers are taken as they are."""
    return unit // (2 * 10 ** min(printed, OUR_DECIMALS)) if printed else 0


def _verdict(days: int, exact: int, off: int) -> Verdict:
    if not days:
        return "apart"
    if off:
        return "off"
    return "exact" if exact == days else "within"


def _longest_run(days: Sequence[date]) -> tuple[int, date | None]:
    """Most consecutive days, and the first of the earliest such run."""
    best, start, run = 0, None, 0
    for place, day in enumerate(days):
        run = run + 1 if place and day - days[place - 1] == timedelta(1) else 1
        if run > best:
            best, start = run, day - timedelta(run - 1)
    return best, start


def _changes(pairs: Pairs) -> tuple[list[int], list[int]]:
    """The changes of both sides between neighbouring days."""
    after = [place for place, (x, y) in enumerate(pairwise(pairs.days), start=1) if y - x == timedelta(1)]
    ours, vendor = ([side[n] - side[n - 1] for n in after] for side in (pairs.ours, pairs.vendor))
    return ours, vendor


def _gaps(ours: Series, vendor: Series) -> tuple[int, int]:
    """Days on which only we, or only the vendor, have a value, in the span that both series reach over."""
    if not ours or not vendor:
        return 0, 0
    first, last = max(min(ours), min(vendor)), min(max(ours), max(vendor))
    a, b = ({day for day, value in side.items() if value is not None} for side in (ours, vendor))
    return sum(first <= day <= last for day in a - b), sum(first <= day <= last for day in b - a)
