"""All compared days of all metrics at once, and which of them can still be judged after the layers below."""

import re
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from reflow.crosscheck.compare import EXACTLY, Difference, Tolerance, differences
from reflow.crosscheck.series import Table
from reflow.flows.catalog import EX, INCL, Metric, catalog

_FLOW = re.compile(r"Flow(?:Miner(?:In|Out|Net)[01]HopAll|In|Out|Net)(\w+?)(?:Ntv|USD)")


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
        """The days on which one of the metrics is off, at least."""
        return {one.day for metric in metrics for one in self.off(metric.id)}


def board(
    ours: Table,
    vendor: Table,
    tolerance: Tolerance = EXACTLY,
    *,
    first: date | None = None,
    last: date | None = None,
) -> Board:
    """Everything that both have, between the days `first` and `last`."""
    known = metrics_of(ours)
    common = {id_: known[id_] for id_ in ours if id_ in vendor and id_ in known}
    days = {
        id_: differences(id_, ours[id_], vendor[id_], tolerance, first=first, last=last) for id_ in common
    }
    return Board(ours, vendor, common, days)


def metrics_of(ids: Iterable[str]) -> dict[str, Metric]:
    """What the catalogue says of metrics, whatever the exchanges in them are called."""
    found = list(ids)
    codes = {match[1] for id_ in found if (match := _FLOW.fullmatch(id_))} - {EX, INCL}
    known = {metric.id: metric for metric in catalog(codes)}
    return {id_: known[id_] for id_ in found if id_ in known}
