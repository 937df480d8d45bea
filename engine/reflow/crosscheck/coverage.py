"""Label coverage: what share of an exchange's flow, as the vendor has it, our labels show; in all and over time."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from reflow.crosscheck.aligned import quotient
from reflow.crosscheck.board import Board
from reflow.crosscheck.compare import Difference
from reflow.crosscheck.flow_faults import native
from reflow.flows.catalog import EX, INCL
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


def coverage(board: Board) -> list[Coverage]:
    """In and Out of each exchange, then of all as one, over all compared days."""
    return [_over(metric, days) for metric, days in _flows(board)]


def coverage_over_time(board: Board) -> list[Coverage]:
    """The same by week, or by month for a longer comparison, in order of time."""
    found = []
    for metric, days in _flows(board):
        short = (days[-1].day - days[0].day).days < WEEKS_UP_TO
        period: Callable[[date], date] = _week if short else _month
        parts: defaultdict[date, list[Difference]] = defaultdict(list)
        for one in days:
            parts[period(one.day)].append(one)
        found += [_over(metric, part) for part in parts.values()]
    return found


def _flows(board: Board) -> list[tuple[tuple[str, str], list[Difference]]]:
    """Exchange and metric, with the compared days."""
    return [
        ((metric.entity, metric.id), board.days[metric.id])
        for code in (*board.exchanges(), EX)
        for metric in native(board.of("Flow", entity=code))
        if metric.direction in ("In", "Out") and metric.entity != INCL and board.days[metric.id]
    ]


def _over(metric: tuple[str, str], days: list[Difference]) -> Coverage:
    ours = vendor = Decimal(0)
    for one in days:
        ours, vendor = EXACT.add(ours, one.ours), EXACT.add(vendor, one.vendor)
    return Coverage(*metric, days[0].day, days[-1].day, ours, vendor, share(ours, vendor))


def share(part: Decimal, whole: Decimal) -> float | None:
    """`part` over `whole`, rounded once; None where `whole` is 0."""
    (a, b), (c, d) = part.as_integer_ratio(), whole.as_integer_ratio()
    return quotient(a * d, b * c)


def _week(day: date) -> date:
    return day - timedelta(day.weekday())


def _month(day: date) -> date:
    return day.replace(day=1)
