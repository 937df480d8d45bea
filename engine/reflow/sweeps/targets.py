"""The vendor's side of a sweep: which metrics are compared, on which days, with which values."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from reflow.amounts import VALUE_PLACES
from reflow.crosscheck.aligned import Aligned, align
from reflow.flows.catalog import Metric, catalog, select
from reflow.flows.values import Values
from reflow.owners.labels import Labels
from reflow.vendor.files import Vendor

REASONS: Final[dict[str, str]] = {
    "unknown": "not in the catalogue, or of an exchange without a label",
    "not asked for": "not asked for (metrics that need prices are compared only if named)",
    "no day": "the vendor has no value on any complete day of the ledger",
    "not computed": "we have no value on the vendor's days: no label or no price",
}
"""Reasons why a metric of the vendor is not compared."""


class Target(NamedTuple):
    """The vendor's values of one metric on the days that are compared."""

    metric: str
    days: list[date]
    values: list[int]
    """In 10**-`places` units of the metric."""
    printed: list[Decimal]
    """As they stand in the source."""
    places: int

    def beside(self, days: Sequence[date], ours: Values) -> Aligned:
        """Our values of `days`, in 10**-18 units, aligned with the vendor's, where we have one."""
        our_values = dict(zip(days, ours, strict=True))
        scale = 10 ** (self.places - VALUE_PLACES)
        aligned = Aligned([], [], [], [], self.places)
        for day, vendors, printed in zip(self.days, self.values, self.printed, strict=True):
            if (value := our_values[day]) is not None:
                aligned.days.append(day)
                aligned.ours.append(value * scale)
                aligned.vendor.append(vendors)
                aligned.printed.append(printed)
        return aligned


def comparable(labels: Labels, metrics: Sequence[str] = ()) -> list[Metric]:
    """The metrics that are compared if the vendor has them: `metrics` (ids, patterns), or all that need no prices.

    Dollars are native units times a price: they say nothing about a definition. Raises MetricError when
    there is no such metric.
    """
    ours = catalog(labels.exchanges())
    return select(ours, metrics) if metrics else [metric for metric in ours if not metric.needs_prices]


def find_targets(vendor: Vendor, wanted: Iterable[str], days: Collection[date]) -> dict[str, Target]:
    """The vendor's values of the `wanted` metrics on `days`; metrics without any such value are left out."""
    targets = {}
    for metric in wanted:
        series = {day: value for day, value in vendor.table.get(metric, {}).items() if day in days}
        aligned = align(series, series)
        if aligned.days:
            targets[metric] = Target(metric, aligned.days, aligned.vendor, aligned.printed, aligned.places)
    return targets


def left_out(
    vendor: Vendor,
    labels: Labels,
    wanted: Collection[str],
    targets: Collection[str],
    compared: Collection[str],
) -> dict[str, list[str]]:
    """Every metric of the vendor that is not compared, by the first of the REASONS that applies."""
    ours = {metric.id for metric in catalog(labels.exchanges())}
    reasons: dict[str, list[str]] = {reason: [] for reason in REASONS}
    for metric in sorted({*vendor.table, *vendor.unread} - set(compared)):
        if metric not in ours:
            reasons["unknown"].append(metric)
        elif metric not in wanted:
            reasons["not asked for"].append(metric)
        else:
            reasons["not computed" if metric in targets else "no day"].append(metric)
    return reasons
