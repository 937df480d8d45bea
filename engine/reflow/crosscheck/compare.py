"""How far our series are from the vendor's: one comparison a metric, exact where it counts money.

A difference is ours minus the vendor's. Days are compared on which both have a value.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from math import fsum
from typing import Final, Literal, NamedTuple

from reflow.crosscheck.aligned import (
    Pairs,
    Tolerance,
    align,
    changes,
    correlation,
    equal,
    products,
    quotient,
    tolerable,
)
from reflow.flows.catalog import Layer, find
from reflow.series import EXACT, Series, Table, decimals

__all__ = [
    "EXACTLY",
    "Comparison",
    "Difference",
    "Layer",
    "Pairs",
    "Tolerance",
    "Verdict",
    "agree",
    "align",
    "compare",
    "compare_series",
    "correlation",
    "days_off",
    "differences",
    "is_proof",
    "layer_of",
]

EXACTLY: Final = Tolerance()

Verdict = Literal["exact", "within", "off", "apart"]
"""Every compared day equal (see `pairs.equal`); all within the tolerance; some off; no day in common."""


class Difference(NamedTuple):
    """One day of one metric, in the metric's unit."""

    metric: str
    day: date
    ours: Decimal
    vendor: Decimal
    difference: Decimal
    """Ours minus the vendor's, exactly."""
    exact: bool
    """Whether they are equal, as far as the vendor's has digits (see `pairs.equal`)."""
    off: bool
    """Whether they are not, and the difference is more than the tolerance allows."""


class Comparison(NamedTuple):
    """One metric. Sums and extremes are exact decimals in its unit; means, ratios, correlations are floats."""

    metric: str
    layer: Layer
    verdict: Verdict
    days: int
    """Days on which both have a value."""
    exact: int
    """Those on which they are equal, as far as the vendor's value has digits (see `pairs.equal`)."""
    off: int
    """Those on which they are not, and the difference is more than the tolerance allows."""
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
    """Most decimal places among the vendor's values, as they stand in the source."""


def layer_of(metric: str) -> Layer:
    """The layer that a metric belongs to; one that the catalogue does not know is judged last."""
    known = find(metric)
    return known.layer if known else 3


def is_proof(metric: str) -> bool:
    """Whether it proves the ledger: a metric of layer 1 that no price can make wrong."""
    known = find(metric)
    return known is not None and known.layer == 1 and not known.needs_prices


def agree(metric: str, ours: Decimal, vendor: Decimal) -> bool:
    """Whether two values of a metric are equal, as far as the vendor's has digits (see `pairs.equal`)."""
    return ours == vendor or all(_equal(metric, align({date.min: ours}, {date.min: vendor})))


def _equal(metric: str, pairs: Pairs) -> list[bool]:
    known = find(metric)
    return equal(pairs, is_quotient=known is not None and known.is_quotient)


def compare(
    ours: Table,
    vendor: Table,
    tolerance: Tolerance = EXACTLY,
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
    tolerance: Tolerance = EXACTLY,
    *,
    first: date | None = None,
    last: date | None = None,
) -> Comparison:
    """Compare one metric."""
    ours, vendor = _within(ours, first, last), _within(vendor, first, last)
    pairs = align(ours, vendor)
    exact = sum(_equal(metric, pairs))
    return _comparison(metric, pairs, days_off(metric, pairs, tolerance), exact, _gaps(ours, vendor))


def differences(
    metric: str,
    ours: Series,
    vendor: Series,
    tolerance: Tolerance = EXACTLY,
    *,
    first: date | None = None,
    last: date | None = None,
) -> list[Difference]:
    """The days of one metric on which both have a value, in order; the numbers as they were printed."""
    pairs = align(_within(ours, first, last), _within(vendor, first, last))
    off = set(days_off(metric, pairs, tolerance))
    found = []
    for day, exact in zip(pairs.days, _equal(metric, pairs), strict=True):
        a, b = ours[day], vendor[day]
        assert a is not None, day
        assert b is not None, day
        found.append(Difference(metric, day, a, b, EXACT.subtract(a, b), exact, day in off))
    return found


def days_off(metric: str, pairs: Pairs, tolerance: Tolerance) -> list[date]:
    """The days that are not equal, and on which the difference is more than `tolerance` allows for this metric."""
    exact = _equal(metric, pairs)
    allowed = EXACTLY if is_proof(metric) and not tolerance.control else tolerance
    fine = exact if allowed == EXACTLY else tolerable(pairs, allowed)
    return [day for day, a, b in zip(pairs.days, exact, fine, strict=True) if not (a or b)]


def _comparison(metric: str, pairs: Pairs, off: list[date], exact: int, gaps: tuple[int, int]) -> Comparison:
    days, a, b = pairs.days, pairs.ours, pairs.vendor
    run, run_from = _longest_run(off)
    gap = [x - y for x, y in zip(a, b, strict=True)]
    largest = max(range(len(gap)), key=lambda place: abs(gap[place]), default=None)
    absolute, unit = sum(map(abs, gap)), len(gap) * 10**pairs.places
    relative = _relative(gap, b)
    return Comparison(
        metric=metric,
        layer=layer_of(metric),
        verdict=_verdict(len(days), exact, len(off)),
        days=len(days),
        exact=exact,
        off=len(off),
        only_ours=gaps[0],
        only_vendor=gaps[1],
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
        mean_absolute=quotient(absolute, unit),
        mean_relative=fsum(relative) / len(relative) if relative else None,
        max_relative=max(relative, default=None),
        bias=quotient(sum(gap), unit),
        ratio=quotient(sum(a), sum(b)),
        scale=quotient(products(a, b), products(b, b)),
        correlation=correlation(a, b),
        correlation_changes=correlation(*changes(pairs)),
        printed=max(map(decimals, pairs.printed), default=0),
    )


def _relative(gap: Sequence[int], vendor: Sequence[int]) -> list[float]:
    """|difference| over |vendor's| of the days that have it, in a float's range."""
    parts = (quotient(abs(d), abs(y)) if d else 0.0 for d, y in zip(gap, vendor, strict=True))
    return [part for part in parts if part is not None]


def _within(series: Series, first: date | None, last: date | None) -> Series:
    if first is None and last is None:
        return series
    return {
        day: value
        for day, value in series.items()
        if (first is None or day >= first) and (last is None or day <= last)
    }


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


def _gaps(ours: Series, vendor: Series) -> tuple[int, int]:
    """Days on which only we, or only the vendor, have a value, in the span that both series reach over."""
    if not ours or not vendor:
        return 0, 0
    first, last = max(min(ours), min(vendor)), min(max(ours), max(vendor))
    a, b = ({day for day, value in side.items() if value is not None} for side in (ours, vendor))
    return sum(first <= day <= last for day in a - b), sum(first <= day <= last for day in b - a)
