"""All compared days of all metrics at once, and which of them can still be judged after the layers below."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from reflow.crosscheck.compare import EXACTLY, Difference, Tolerance, differences
from reflow.flows.catalog import EX, INCL, Metric, find
from reflow.series import Table


class Board(NamedTuple):
    """What is compared, day by day."""

    ours: Table
    vendor: Table
    metrics: dict[str, Metric]
    """Metrics that both have, by id, in our order."""
    days: dict[str, list[Difference]]
    """Their compared days."""

    def off(self, metric: str) -> list[Difference]:
        """The days of a metric that are off; none for one that is not compared."""
        return [one for one in self.days.get(metric, ()) if one.off]

    def anew(self, metric: str) -> list[Difference]:
        """The days of a metric that are off by themselves.

        An end-of-day figure that is off once is off on all later days: anew only where the difference is another than
        on the compared day before.
        """
        known = self.metrics.get(metric)
        if known is None or known.adds != "changes":
            return self.off(metric)
        days = self.days[metric]
        before = [Decimal(0), *(one.difference for one in days)]
        return [one for one, gap in zip(days, before, strict=False) if one.off and one.difference != gap]

    def of(self, *families: str, direction: str = "", entity: str | None = None) -> list[Metric]:
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
        """The days on which one of the metrics is off by itself (see `anew`), at least."""
        return {one.day for metric in metrics for one in self.anew(metric.id)}


def board(
    ours: Table,
    vendor: Table,
    tolerance: Tolerance = EXACTLY,
    *,
    first: date | None = None,
    last: date | None = None,
) -> Board:
    """Everything that both have, between the days `first` and `last`."""
    common = {id_: metric for id_ in ours if id_ in vendor and (metric := find(id_)) is not None}
    days = {
        id_: differences(id_, ours[id_], vendor[id_], tolerance, first=first, last=last) for id_ in common
    }
    return Board(ours, vendor, common, days)
