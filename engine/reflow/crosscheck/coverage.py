"""Label coverage: the share of the vendor's flow of an exchange that our labels show, in all and over time."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from reflow.crosscheck.aligned import share
from reflow.crosscheck.compare import Compared, Difference
from reflow.flows.catalog import EX, INCL, native
from reflow.series import EXACT

WEEKS_UP_TO: Final = 180
"""Days of comparison up to which a period is a week from Monday; else a calendar month."""


class Coverage(NamedTuple):
    """A flow of one exchange over some days."""

    exchange: str
    """Its code, or `Ex` for all as one."""
    metric: str
    first: date
    last: date
    """First and last compared day among them."""
    ours: Decimal
    """Sum over the days, in the metric's unit."""
    vendor: Decimal
    ratio: float | None
    """Ours over the vendor's: the coverage; None where the vendor has no flow."""


def coverage(compared: Compared) -> list[Coverage]:
    """In and Out of each exchange, then of all as one, over all compared days."""
    return [_over(metric, days) for metric, days in _flows(compared)]


def coverage_over_time(compared: Compared) -> list[Coverage]:
    """The same by week, or by month for a longer comparison, in order of time."""
    periods = []
    for metric, days in _flows(compared):
        short = (days[-1].day - days[0].day).days < WEEKS_UP_TO
        period: Callable[[date], date] = _week if short else _month
        parts: defaultdict[date, list[Difference]] = defaultdict(list)
        for day in days:
            parts[period(day.day)].append(day)
        periods += [_over(metric, part) for part in parts.values()]
    return periods


def _flows(compared: Compared) -> list[tuple[tuple[str, str], list[Difference]]]:
    """Exchange and metric, with the compared days."""
    return [
        ((metric.entity, metric.id), compared.days[metric.id])
        for code in (*compared.exchanges(), EX)
        for metric in native(compared.of("Flow", entity=code))
        if metric.direction in ("In", "Out") and metric.entity != INCL and compared.days[metric.id]
    ]


def _over(metric: tuple[str, str], days: list[Difference]) -> Coverage:
    ours = vendor = Decimal(0)
    for day in days:
        ours, vendor = EXACT.add(ours, day.ours), EXACT.add(vendor, day.vendor)
    return Coverage(*metric, days[0].day, days[-1].day, ours, vendor, share(ours, vendor))


def _week(day: date) -> date:
    return day - timedelta(day.weekday())


def _month(day: date) -> date:
    return day.replace(day=1)
