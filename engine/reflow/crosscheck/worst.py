"""The worst days: where to look first, without naming one gap many times."""

from datetime import date
from typing import NamedTuple

from reflow.crosscheck.board import Board
from reflow.crosscheck.compare import Difference
from reflow.crosscheck.coverage import share
from reflow.crosscheck.findings import Finding
from reflow.crosscheck.flow_faults import native
from reflow.flows.catalog import EX, INCL, Layer, Metric


class Worst(NamedTuple):
    """A day of a metric that is off, and can be taken apart by `reflow explain`."""

    layer: Layer
    cell: Difference
    relative: float | None
    """|difference| over the vendor's value; None where that is 0."""
    finding: str
    """Kind of the finding that explains it; empty for none."""


def worst_days(board: Board, findings: list[Finding], most: int) -> list[Worst]:
    """The `most` worst days of each layer; of metrics with one gap on a day the narrowest, of layer 1 one a day.

    Flows are left out of days on which control metrics are off. Single days that only a transaction explains come
    first, then the largest share of the vendor's value. Counts of transfers are told where no amount is.
    """
    shaky = {day for finding in findings if finding.layer == 1 for day in finding.days}
    found: list[Worst] = []
    for layer in (1, 2, 3):
        seen: set[tuple[date, object]] = set()
        days = [
            one
            for metric in _explainable(board)
            if metric.layer == layer
            for one in board.off(metric.id)
            if layer == 1 or one.day not in shaky
        ]
        amounts = {one.day for one in days if board.metrics[one.metric].unit != "count"}
        narrow = []
        for one in days:
            is_count = layer > 1 and board.metrics[one.metric].unit == "count"
            key = (one.day, layer == 1 or one.difference.copy_abs())
            if key not in seen and not (is_count and one.day in amounts):
                seen.add(key)
                narrow.append(Worst(layer, one, _relative(one), _kind(one, findings)))
        found += sorted(narrow, key=_size)[:most]
    return found


def _explainable(board: Board) -> list[Metric]:
    """Sums over a day's blocks or transactions, those of one exchange first."""
    sums = [
        metric
        for metric in native(board.metrics.values())
        if metric.adds in ("blocks", "transactions")
        and metric.direction != "Net"
        and not (metric.layer == 1 and metric.needs_prices)
    ]
    order = {EX: 1, "": 2, INCL: 3}
    return sorted(sums, key=lambda metric: order.get(metric.entity, 0) if metric.layer > 1 else 0)


def _relative(one: Difference) -> float | None:
    return share(one.difference.copy_abs(), one.vendor.copy_abs())


def _size(one: Worst) -> tuple[bool, float, date, str]:
    share_of = float("inf") if one.relative is None else one.relative
    return one.finding != "transaction", -share_of, one.cell.day, one.cell.metric


def _kind(one: Difference, findings: list[Finding]) -> str:
    """The finding about this very metric that day, else one about the day below it."""
    about = [finding for finding in findings if one.day in finding.days]
    own = [finding for finding in about if one.metric in finding.metrics]
    return (own or about)[0].kind if about else ""
