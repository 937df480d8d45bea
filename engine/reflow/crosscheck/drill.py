"""From a worst day to its transactions: the largest ones, and those that would close the gap.

If ours is more than the vendor's, the vendor may lack transactions that count here. If ours is less, the vendor may
count more: payments to accounts of no exchange that add up to the gap exactly, or, for miner flows, transactions in
which the same exchange gained or lost without a miner. For control metrics, blocks may move to another day by the
clock.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reflow.amounts import SAT_PLACES, VALUE_PLACES, plain
from reflow.crosscheck.findings import WorstDay
from reflow.crosscheck.subset_sum import Subset, find_subset
from reflow.errors import MetricError
from reflow.explanations.explain import ExplainSession, block_parts, explain_cell, parts_of
from reflow.explanations.parts import Contributions
from reflow.flows.catalog import EX, Metric, control, exchange_flow, find
from reflow.flows.methodology import Clock
from reflow.flows.values import block_amounts, control_series, metric_values
from reflow.ledger.days import Blocks, read_blocks
from reflow.series import EXACT, Table

CANDIDATES: Final = 2_000
"""A gap is searched among this many of the largest payments to accounts of no exchange."""
SHOWN: Final = 3
"""Largest transactions or blocks listed of a worst day."""


class Closer(NamedTuple):
    """Transactions or blocks that would close a gap."""

    way: Literal["exclude", "include", "other clock"]
    """Leave them out, count them too, or cut days by the other clock."""
    rest: str
    """What is left of the gap, in the metric's unit; 0 where they close it."""
    exact: bool
    ways: int
    """How many choices of this size do as well; with more than one, chance may be at work."""
    parts: list[dict[str, Any]]
    """Transactions or blocks, as `reflow explain --json` has them."""


class Drilled(NamedTuple):
    """A worst day taken apart."""

    worst: WorstDay
    number: int
    """Transactions or blocks that the cell is made of."""
    largest: list[dict[str, Any]]
    """The largest of them."""
    closer: Closer | None


def drill(session: ExplainSession, worst: WorstDay) -> Drilled | None:
    """Take a worst day apart; None if these labels do not have the metric or it is not made of parts."""
    metric = find(worst.difference.metric)
    if metric is None or metric.needs_prices or metric.entity not in ("", EX, *session.labels.exchanges()):
        return None
    if metric.adds == "blocks":
        return _drill_blocks(session, worst)
    try:
        parts = parts_of(session, metric.id, worst.difference.day)
    except MetricError:
        return None
    biggest = sorted(parts.of_tx, key=lambda tx: (-abs(parts.of_tx[tx]), tx))[:SHOWN]
    return Drilled(
        worst,
        len(parts.of_tx),
        _transactions(session, worst, {tx: parts.of_tx[tx] for tx in biggest}),
        _closer(session, worst, metric, parts),
    )


def _gap(worst: WorstDay, metric: Metric) -> int:
    """The gap in the unit of the parts, sat or a number; the vendor may print more places."""
    places = SAT_PLACES if metric.unit == "native" else 0
    return round(worst.difference.difference.scaleb(places, EXACT))


def _closer(session: ExplainSession, worst: WorstDay, metric: Metric, parts: Contributions) -> Closer | None:
    gap = _gap(worst, metric)
    if gap > 0:
        return _closing(session, worst, "exclude", parts.of_tx, find_subset(parts.of_tx, gap))
    if metric.family == "FlowMiner" and metric.entity:
        if metric.direction == "Out" and (closer := _unlabelled(session, worst, -gap)) is not None:
            return closer
        candidates = _of_the_exchange(session, worst, metric, parts)
        return _closing(session, worst, "include", candidates, find_subset(candidates, -gap))
    if metric.family == "Flow":
        return _unlabelled(session, worst, -gap)
    return None


def _of_the_exchange(
    session: ExplainSession, worst: WorstDay, metric: Metric, parts: Contributions
) -> dict[int, int]:
    """What the exchange gained (Out of miners) or lost (In) in transactions that do not count, or not wholly."""
    own = "In" if metric.direction == "Out" else "Out"
    moved = parts_of(session, exchange_flow(own, metric.entity).id, worst.difference.day).of_tx
    return {tx: sat - parts.of_tx.get(tx, 0) for tx, sat in moved.items() if sat > parts.of_tx.get(tx, 0)}


def _unlabelled(session: ExplainSession, worst: WorstDay, gap: int) -> Closer | None:
    """Payments of the day to accounts of no exchange that close the gap exactly; a near fit would be chance."""
    number = (worst.difference.day - session.blocks.first_day).days
    today = np.flatnonzero(session.blocks.day == number)
    if not len(today):
        return None
    first, last = (int(session.blocks.columns["first_tx"][today[end]]) for end in (0, -1))
    last += int(session.blocks.columns["tx_count"][today[-1]]) - 1
    credits_ = session.store.rows("outside_credits", first=first, last=last, most=gap, rows=CANDIDATES)
    choice = find_subset({place: int(row["value"]) for place, row in enumerate(credits_)}, gap)
    if choice is None or choice.rest:
        return None
    amounts: Counter[int] = Counter()
    for place in choice.chosen:
        amounts[credits_[place]["tx"]] += int(credits_[place]["value"])
    return _closing(session, worst, "include", amounts, choice._replace(chosen=tuple(amounts)))


def _closing(
    session: ExplainSession,
    worst: WorstDay,
    way: Literal["exclude", "include"],
    amounts: Mapping[int, int],
    choice: Subset | None,
) -> Closer | None:
    if choice is None:
        return None
    transactions = _transactions(session, worst, {tx: amounts[tx] for tx in choice.chosen})
    metric = find(worst.difference.metric)
    rest = plain(choice.rest, SAT_PLACES if metric is not None and metric.unit == "native" else 0)
    return Closer(way, rest, choice.rest == 0, choice.ways, transactions)


def _transactions(session: ExplainSession, worst: WorstDay, only: Mapping[int, int]) -> list[dict[str, Any]]:
    some = Contributions(dict(only), None)
    explanation = explain_cell(session, worst.difference.metric, worst.difference.day, found=some).facts()
    transactions: list[dict[str, Any]] = explanation["transactions"]
    return transactions


def _drill_blocks(session: ExplainSession, worst: WorstDay) -> Drilled:
    cell = explain_cell(session, worst.difference.metric, worst.difference.day, limit=SHOWN)
    return Drilled(worst, cell.number, cell.facts()["blocks"], _moved(session, worst, cell.metric))


def _moved(session: ExplainSession, worst: WorstDay, metric: Metric) -> Closer | None:
    """The blocks that belong to this day by one clock only, if they close the gap."""
    clock = other_clock(session.methodology.clock)
    other = read_blocks(session.store, clock)
    mine = _is_day(session.blocks, worst.difference.day)
    theirs = _is_day(other, worst.difference.day)
    amounts = block_amounts(other)[metric.sums] * np.where(mine, 1, -1)
    places = np.flatnonzero(mine != theirs)
    if not len(places) or int(amounts[places].sum()) != _gap(worst, metric):
        return None
    parts = block_parts(session.store, other, metric, places.tolist())
    blocks = [{"height": b.height, "hash": b.block_hash, "adds": b.amount} for b in parts]
    return Closer("other clock", "0", True, 1, blocks)


def _is_day(blocks: Blocks, day: date) -> NDArray[np.bool_]:
    return np.asarray(blocks.day == (day - blocks.first_day).days)


def other_clock(clock: Clock) -> Clock:
    """The clock that is not used."""
    return "mediantime" if clock == "header" else "header"


def control_metrics(session: ExplainSession, clock: Clock) -> Table:
    """The control metrics from blocks alone that need no prices, with days cut by `clock`."""
    blocks = read_blocks(session.store, clock)
    series, days = control_series(blocks), blocks.days()
    return {
        metric.id: {
            day: None if value is None else Decimal(value).scaleb(-VALUE_PLACES, EXACT)
            for day, value in zip(days, metric_values(metric, series, days, {}), strict=True)
        }
        for metric in control()
        if not metric.needs_prices
        and (metric.sums, "") in series
        and (metric.ratio is None or (metric.ratio.of, "") in series)
    }
