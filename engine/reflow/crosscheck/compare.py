"""How far our series are from the vendor's: day by day, and one comparison for each metric.

A difference is ours minus the vendor's. A day is compared if both have a value. Series are cut to the wanted days and
aligned once; differences and comparisons are made from that.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from math import fsum
from typing import Final, Literal, NamedTuple

from reflow.crosscheck.aligned import Aligned, align, correlation, products, quotient
from reflow.flows.catalog import EX, INCL, Family, Layer, Metric, find
from reflow.series import EXACT, Series, Table, decimals

Verdict = Literal["exact", "within", "off", "apart"]
"""Every compared day equal (see `Aligned.equal`); all within the tolerance; some off; no day in common."""


class Tolerance(NamedTuple):
    """A day is off when its difference is more than each of these allows."""

    absolute: Decimal = Decimal(0)
    """In the metric's unit."""
    relative: Decimal = Decimal(0)
    """A share of the vendor's value: 0.01 is one per cent."""
    control: bool = False
    """Whether control metrics get it too; else they must be exact."""


EXACTLY: Final = Tolerance()


class Difference(NamedTuple):
    """One day of one metric, in the metric's unit."""

    metric: str
    day: date
    ours: Decimal
    vendor: Decimal
    difference: Decimal
    """Ours minus the vendor's, exactly."""
    exact: bool
    """Whether both are equal, as far as the vendor's has digits (see `Aligned.equal`)."""
    off: bool
    """Whether they are not equal and the difference is beyond the tolerance."""


class Comparison(NamedTuple):
    """One metric. Sums and extremes are exact decimals in its unit; means, ratios, correlations are floats."""

    metric: str
    layer: Layer
    verdict: Verdict
    days: int
    """Days on which both have a value."""
    exact: int
    """Days on which both are equal, as far as the vendor's value has digits (see `Aligned.equal`)."""
    off: int
    """Days on which they are not equal and the difference is beyond the tolerance."""
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


class Compared(NamedTuple):
    """All metrics that both have, day by day."""

    comparisons: list[Comparison]
    """In our order."""
    metrics: dict[str, Metric]
    """Those of the catalogue, by id, in our order."""
    days: dict[str, list[Difference]]
    """Their compared days."""
    ours: Table
    """All days, also those left out: a series moved by a day shows in them."""
    vendor: Table
    other_clock: tuple[str, Table] | None = None
    """The name of the clock that was not used, and the control metrics under it, if a ledger is at hand."""

    def off(self, metric: str) -> list[Difference]:
        """The days of a metric that are off; none if it is not compared."""
        return [difference for difference in self.days.get(metric, ()) if difference.off]

    def anew(self, metric: str) -> list[Difference]:
        """The days of a metric that are off by themselves.

        An end-of-day figure that is off once is off on all later days. It counts only where the difference changed
        since the compared day before.
        """
        if metric not in self.metrics or self.metrics[metric].adds != "changes":
            return self.off(metric)
        days = self.days[metric]
        before = [Decimal(0), *(day.difference for day in days)]
        return [day for day, gap in zip(days, before, strict=False) if day.off and day.difference != gap]

    def of(self, *families: Family, direction: str = "", entity: str | None = None) -> list[Metric]:
        """The metrics of these families, and of one direction and entity, if given."""
        return [
            metric
            for metric in self.metrics.values()
            if metric.family in families
            and direction in ("", metric.direction)
            and entity in (None, metric.entity)
        ]

    def exchanges(self) -> list[str]:
        """The exchange codes that both have flows of, sorted."""
        return sorted({metric.entity for metric in self.metrics.values()} - {"", EX, INCL})

    def days_off(self, metrics: Iterable[Metric]) -> set[date]:
        """The days on which at least one of the metrics is off by itself (see `anew`)."""
        return {difference.day for metric in metrics for difference in self.anew(metric.id)}


def compare_tables(
    ours: Table,
    vendor: Table,
    tolerance: Tolerance = EXACTLY,
    *,
    first: date | None = None,
    last: date | None = None,
) -> Compared:
    """Compare every metric that both have; days before `first` and after `last` are left out."""
    comparisons, days = [], {}
    for id_ in [id_ for id_ in ours if id_ in vendor]:
        both = _within(ours[id_], first, last), _within(vendor[id_], first, last)
        aligned = align(*both)
        days[id_] = _differences(id_, aligned, ours[id_], tolerance)
        comparisons.append(_comparison(id_, aligned, days[id_], _gaps(*both)))
    metrics = {id_: metric for id_ in days if (metric := find(id_)) is not None}
    return Compared(comparisons, metrics, {id_: days[id_] for id_ in metrics}, ours, vendor)


def compare(
    ours: Table,
    vendor: Table,
    tolerance: Tolerance = EXACTLY,
    *,
    first: date | None = None,
    last: date | None = None,
) -> list[Comparison]:
    """One comparison for each metric that both have (see `compare_tables`)."""
    return compare_tables(ours, vendor, tolerance, first=first, last=last).comparisons


def layer_of(metric: str) -> Layer:
    """The layer of a metric; a metric that is not in the catalogue belongs to the last layer."""
    entry = find(metric)
    return entry.layer if entry else 3


def is_proof(metric: str) -> bool:
    """Whether the metric proves the ledger: it is of layer 1 and needs no prices."""
    entry = find(metric)
    return entry is not None and entry.layer == 1 and not entry.needs_prices


def agree(metric: str, ours: Decimal, vendor: Decimal) -> bool:
    """Whether two values of a metric are equal, as far as the vendor's has digits (see `Aligned.equal`)."""
    return ours == vendor or all(_equal(metric, align({date.min: ours}, {date.min: vendor})))


def days_off(metric: str, aligned: Aligned, tolerance: Tolerance) -> list[date]:
    """The days on which the values are not equal and the difference is beyond `tolerance` for this metric."""
    return [day for day, off in zip(aligned.days, _off(metric, aligned, tolerance), strict=True) if off]


def _off(
    metric: str, aligned: Aligned, tolerance: Tolerance, equal: Sequence[bool] | None = None
) -> list[bool]:
    """Day by day, whether it is off; `equal` if that is known."""
    equal = _equal(metric, aligned) if equal is None else equal
    if tolerance == EXACTLY or (is_proof(metric) and not tolerance.control):
        return [not same for same in equal]
    return [not (same or near) for same, near in zip(equal, _tolerable(aligned, tolerance), strict=True)]


def _equal(metric: str, aligned: Aligned) -> list[bool]:
    entry = find(metric)
    return aligned.equal(is_quotient=entry is not None and entry.is_quotient)


def _tolerable(aligned: Aligned, tolerance: Tolerance) -> list[bool]:
    """Day by day, whether the difference is no more than the tolerance allows."""
    part, parts = tolerance.absolute.as_integer_ratio()
    least = part * 10**aligned.places // parts
    share, whole = tolerance.relative.as_integer_ratio()
    return [
        abs(gap) <= least or abs(gap) * whole <= share * abs(theirs)
        for gap, theirs in zip(aligned.gaps(), aligned.vendor, strict=True)
    ]


def _differences(metric: str, aligned: Aligned, ours: Series, tolerance: Tolerance) -> list[Difference]:
    """The compared days in order; the numbers as they were printed."""
    equal = _equal(metric, aligned)
    off = _off(metric, aligned, tolerance, equal)
    differences = []
    for day, theirs, exact, is_off in zip(aligned.days, aligned.printed, equal, off, strict=True):
        value = ours[day]
        assert value is not None, day
        gap = EXACT.subtract(value, theirs)
        differences.append(Difference(metric, day, value, theirs, gap, exact, is_off))
    return differences


def _comparison(
    metric: str, aligned: Aligned, differences: Sequence[Difference], alone: tuple[int, int]
) -> Comparison:
    days, a, b, gaps = aligned.days, aligned.ours, aligned.vendor, aligned.gaps()
    off = [difference.day for difference in differences if difference.off]
    exact = sum(difference.exact for difference in differences)
    run, run_from = _longest_run(off)
    largest = max(range(len(gaps)), key=lambda place: abs(gaps[place]), default=None)
    absolute, unit = sum(map(abs, gaps)), len(gaps) * 10**aligned.places
    relative = _relative(gaps, b)
    return Comparison(
        metric=metric,
        layer=layer_of(metric),
        verdict=_verdict(len(days), exact, len(off)),
        days=len(days),
        exact=exact,
        off=len(off),
        only_ours=alone[0],
        only_vendor=alone[1],
        first_day=days[0] if days else None,
        last_day=days[-1] if days else None,
        first_off=off[0] if off else None,
        last_off=off[-1] if off else None,
        longest_run=run,
        longest_run_from=run_from,
        sum_ours=aligned.decimal(sum(a)),
        sum_vendor=aligned.decimal(sum(b)),
        sum_absolute=aligned.decimal(absolute),
        max_absolute=aligned.decimal(0 if largest is None else abs(gaps[largest])),
        max_absolute_day=days[largest] if largest is not None and gaps[largest] else None,
        mean_absolute=quotient(absolute, unit),
        mean_relative=fsum(relative) / len(relative) if relative else None,
        max_relative=max(relative, default=None),
        bias=quotient(sum(gaps), unit),
        ratio=quotient(sum(a), sum(b)),
        scale=quotient(products(a, b), products(b, b)),
        correlation=correlation(a, b),
        correlation_changes=correlation(*aligned.changes()),
        printed=max(map(decimals, aligned.printed), default=0),
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
    """Days on which only we, or only the vendor, have a value, in the span that both series cover."""
    if not ours or not vendor:
        return 0, 0
    first, last = max(min(ours), min(vendor)), min(max(ours), max(vendor))
    a, b = ({day for day, value in side.items() if value is not None} for side in (ours, vendor))
    return sum(first <= day <= last for day in a - b), sum(first <= day <= last for day in b - a)
