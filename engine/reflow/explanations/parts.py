"""What each transaction of a day adds to a metric: recompute's queries, with each transaction as a day of its own.

There is no second set of formulas. The queries exchange_gains, exchange_flows and plain_flows sum by the number in a
transaction's `day`. Here that number is the transaction's place in the range, so each transaction gets its own rows.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from reflow.flows.catalog import INCL, Metric, sums_behind
from reflow.flows.methodology import Methodology
from reflow.flows.postings import MembersOf, read_members
from reflow.flows.sums import Daily, Flow, exchange_series, mining_series, queries_for, range_sums
from reflow.flows.values import metric_values
from reflow.ledger.days import Blocks, Ints, Longs, Range
from reflow.owners.owners import Owners


class Turns(NamedTuple):
    """Transactions by which an account began or ceased to hold something, in chain order."""

    tx: Longs
    account: Longs
    turn: Longs
    """1: it holds something after the transaction and held nothing before; -1: the other way round."""

    def of_tx(self) -> dict[int, int]:
        """The change in the number of accounts that hold something, for each transaction that changes it."""
        transactions, place = np.unique(self.tx, return_inverse=True)
        sums = np.zeros(len(transactions), np.int64)
        np.add.at(sums, place, self.turn)
        return {tx: by for tx, by in zip(transactions.tolist(), sums.tolist(), strict=True) if by}

    def among(self, transactions: Collection[int]) -> dict[tuple[int, int], int]:
        """(tx, account) to its turn, of these transactions."""
        at = np.flatnonzero(np.isin(self.tx, np.array(sorted(transactions), np.int64)))
        found = zip(self.tx[at].tolist(), self.account[at].tolist(), self.turn[at].tolist(), strict=True)
        return {(tx, account): turn for tx, account, turn in found}


class Change(NamedTuple):
    """Other data on the change of an end-of-day figure, beside its transactions."""

    before: int | None
    """What it was at the end of the day before, in sat or as a number; 0 before the ledger's first day."""
    joined: dict[int, int]
    """Accounts that became members that day, to the sat that they held before it; negative for those that ceased."""
    turns: Turns | None
    """Of AdrBalCnt."""


class Contributions(NamedTuple):
    """One cell and its parts."""

    of_tx: dict[int, int]
    """What each transaction adds, in chain order: sat, or a number for counts; those that add nothing are left out."""
    value: int | None
    """The cell as recompute has it, in 10**-18 units; None where it is not computable."""
    change: Change | None = None
    """Of an end-of-day figure: transactions and accounts that joined add up to its change."""


def contributions(
    owners: Owners,
    blocks: Blocks,
    day: int,
    metric: Metric,
    methodology: Methodology,
    usd: dict[date, Decimal],
) -> Contributions:
    """Take apart the cell of `metric`, which adds up over transactions, on the day with number `day`.

    `owners` are found under the one rule of `methodology`.
    """
    exchanges = owners.exchanges
    with owners.store.memory() as memory:
        members_of = read_members(
            owners,
            lambda tx: np.zeros(len(tx), np.int32),  # end-of-day balances are not asked for
            memory,
        )
    part = _range_of(blocks, day)
    if part is None:
        return Contributions({}, _value([], metric, exchanges, blocks.days()[day], usd))
    outside = np.where(part.days == day, 0, 1).astype(np.int32)
    queries = queries_for(sums_behind([metric]))
    whole = _flows(owners, part._replace(days=outside), 1, members_of, methodology, queries)
    value = _value(whole, metric, exchanges, blocks.days()[day], usd)
    places = np.arange(len(part.days), dtype=np.int32)
    single = _flows(owners, part._replace(days=places), len(places), members_of, methodology, queries)
    sums = _signed(single, metric, exchanges)
    of_tx = {part.first_tx + place: sat for place, sat in sorted(sums.items()) if sat and not outside[place]}
    raise_if_parts_differ(metric, sum(of_tx.values()), _signed(whole, metric, exchanges)[0])
    return Contributions(of_tx, value)


def raise_if_parts_differ(metric: Metric, parts: int, whole: int) -> None:
    """Raise ArithmeticError if the parts do not add up: that is a mistake in this program."""
    if parts != whole:
        raise ArithmeticError(f"{metric.id}: the parts add up to {parts}, recompute has {whole}")


def _value(
    flows: Sequence[Flow], metric: Metric, exchanges: Sequence[str], day: date, usd: dict[date, Decimal]
) -> int | None:
    """The metric's value on a day with these sums."""
    daily = Daily(1)
    daily.put(flows)
    queries = queries_for(sums_behind([metric]))
    series = exchange_series(daily, exchanges, queries) | mining_series(daily, exchanges, queries)
    return metric_values(metric, series, [day], usd)[0]


def _range_of(blocks: Blocks, day: int) -> Range | None:
    """From the day's first to its last block; under the header clock blocks of other days lie among them."""
    found = np.flatnonzero(blocks.day == day)
    if not len(found):
        return None
    span = slice(int(found[0]), int(found[-1]) + 1)
    days: Ints = np.repeat(blocks.day[span], blocks.columns["tx_count"][span])
    first = int(blocks.columns["first_tx"][span.start])
    return Range(first, first + len(days) - 1, days)


def _flows(
    owners: Owners,
    part: Range,
    day_count: int,
    members_of: MembersOf,
    methodology: Methodology,
    queries: Collection[str],
) -> list[Flow]:
    found = range_sums(owners.store, part, day_count, members_of, [methodology], owners, queries)
    return [*found.exchanges, *found.mining[0]]


def _signed(flows: Sequence[Flow], metric: Metric, exchanges: Sequence[str]) -> Counter[int]:
    """Number of the day to what the metric has in it, sat or a number, the sums that are taken off included."""
    entities = exchanges if metric.entity == INCL else [metric.entity]
    signs = {(metric.minus, entity): -1 for entity in entities}
    signs |= {(metric.sums, entity): 1 for entity in entities}
    totals: Counter[int] = Counter()
    for key, day, sat in flows:
        totals[day] += signs.get(key, 0) * sat
    return totals
