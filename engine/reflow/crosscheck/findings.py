"""Findings, words for their sentences, and the worst days: where to look first."""

from collections.abc import Sequence, Sized
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from reflow.crosscheck.aligned import share
from reflow.crosscheck.compare import Compared, Difference
from reflow.flows.catalog import EX, INCL, LAYERS, Layer, Metric, native

Kind = Literal[
    "clock", "day_shift", "start_value", "unit", "ledger", "labels", "transaction", "prices", "definition"
]
"""The kinds of findings; docs/crosscheck.md says how each is recognized and what to do about it."""


class Finding(NamedTuple):
    """An explanation of differences."""

    kind: Kind
    layer: Layer
    entity: str
    """The exchange with the difference, `Ex` for all as one, or empty."""
    metrics: list[str]
    days: list[date]
    """Days on which it shows, in order."""
    ratio: float | None
    """Ours over the vendor's, for label coverage and units."""
    gap: Decimal | None
    """Ours minus the vendor's for the first metric, if a single day differs."""
    text: str
    """What was found, in a sentence or two."""
    advice: str
    """What to do about it."""


def plural(number: int, thing: str) -> str:
    """`1 day`, `2 days`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def are(names: Sized) -> str:
    """`is` for one name, `are` for several."""
    return "is" if len(names) == 1 else "are"


def listed(names: Sequence[str], most: int = 4) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def percent(ratio: float) -> str:
    """A share for people."""
    return f"{100 * ratio:.1f} %"


class WorstDay(NamedTuple):
    """A day of a metric that is off, and can be taken apart by `reflow explain`."""

    layer: Layer
    difference: Difference
    relative: float | None
    """|difference| over the vendor's value; None where that is 0."""
    finding: str
    """Kind of the finding that explains it; empty for none."""


def worst_days(compared: Compared, findings: Sequence[Finding], most: int) -> list[WorstDay]:
    """The `most` worst days of each layer, without those that show the same gap again.

    Of metrics with the same gap on a day, only the one of a single exchange is listed; layer 1 has one metric a day.
    Flows are left out on days on which control metrics are off. Days that only a transaction explains come first, then
    those with the largest share of the vendor's value. Counts of transfers are listed only where no amount is.
    """
    shaky = {day for finding in findings if finding.layer == 1 for day in finding.days}
    worst: list[WorstDay] = []
    for layer in LAYERS:
        days = [
            difference
            for metric in _explainable(compared)
            if metric.layer == layer
            for difference in compared.off(metric.id)
            if layer == 1 or difference.day not in shaky
        ]
        counts = {id_ for id_, metric in compared.metrics.items() if layer > 1 and metric.unit == "count"}
        with_amounts = {difference.day for difference in days if difference.metric not in counts}
        seen: set[tuple[date, object]] = set()
        candidates = []
        for difference in days:
            gap = (difference.day, layer == 1 or difference.difference.copy_abs())
            if gap not in seen and not (difference.metric in counts and difference.day in with_amounts):
                seen.add(gap)
                relative = share(difference.difference.copy_abs(), difference.vendor.copy_abs())
                candidates.append(WorstDay(layer, difference, relative, _kind(difference, findings)))
        worst += sorted(candidates, key=_size)[:most]
    return worst


def _explainable(compared: Compared) -> list[Metric]:
    """Sums over a day's blocks or transactions, those of one exchange first."""
    sums = [
        metric
        for metric in native(compared.metrics.values())
        if metric.adds in ("blocks", "transactions")
        and metric.direction != "Net"
        and not (metric.layer == 1 and metric.needs_prices)
    ]
    order = {EX: 1, "": 2, INCL: 3}
    return sorted(sums, key=lambda metric: order.get(metric.entity, 0) if metric.layer > 1 else 0)


def _size(worst: WorstDay) -> tuple[bool, float, date, str]:
    part = float("inf") if worst.relative is None else worst.relative
    return worst.finding != "transaction", -part, worst.difference.day, worst.difference.metric


def _kind(difference: Difference, findings: Sequence[Finding]) -> str:
    """The kind of the finding about this metric that day, else of one about that day."""
    about = [finding for finding in findings if difference.day in finding.days]
    own = [finding for finding in about if difference.metric in finding.metrics]
    return (own or about)[0].kind if about else ""
