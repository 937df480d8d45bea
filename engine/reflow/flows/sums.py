"""Daily sums in satoshis of everything that depends on who owns an account, range by range through the ledger.

A kernel finds the members' postings (postings.py); the queries exchange_gains, exchange_flows and plain_flows add up
the flows.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reflow.flows.catalog import EX, HELD, INCL, SumKey, exchange_sums, mining_sums
from reflow.flows.kernels import Bools, MiningSets
from reflow.flows.methodology import Methodology
from reflow.flows.postings import (
    ExchangeRows,
    MembersOf,
    MiningSums,
    Postings,
    add_up,
    exchange_rows,
    read_members,
    read_postings,
    sets_of,
)
from reflow.flows.values import Series
from reflow.ledger.days import RANGE_BYTES, Blocks, Longs, Range, whole_day_ranges
from reflow.owners.owners import Owners
from reflow.progress import Progress, silent
from reflow.store.relations import EXCHANGE_SUM, SHARED_SUM, TRANSACTION_SUM
from reflow.store.store import Store

_WORKERS: Final = 4
"""Ranges worked on at once, at most; each has its rows in memory."""

_RANGE_SHARE: Final = 4
"""Ranges take one part in so many of the memory for arrays, members the rest."""

_BYTES_PER_BLOCK_BYTE: Final = 0.5
"""Memory that a range takes for each byte of its blocks: a debit or credit is about 100 bytes of block."""

Columns = dict[str, NDArray[Any]]
"""A table by column."""

Flow = tuple[tuple[str, str], int, int]
"""(sums, entity), day, sat."""

_BASE: Final = 1 << 62

GAINS: Final = "exchange_gains"
PLAIN: Final = "plain_flows"
FLOWS: Final = "exchange_flows"
"""The queries that daily sums come from."""


class RangeSums(NamedTuple):
    """What one range adds, by the number of the day; the one after the last complete day is dropped in the end."""

    exchanges: list[Flow]
    """What exchanges gained, lost and hold more, and their transfers, whatever the methodology."""
    mining: list[list[Flow]]
    """What miners sent and got, under each methodology."""
    balance: dict[MiningSets, Longs]
    """`[h, day]` for each: change of the end-of-day balance of M0, and of M0 with M1."""


class Daily:
    """Series of one sum a day each; a sum may have any size, as two numbers of which the second is below 2**62."""

    def __init__(self, day_count: int) -> None:
        self.day_count: Final = day_count
        self._sums: dict[tuple[str, str], Longs] = {}

    def put(self, flows: Iterable[Flow]) -> None:
        """Set sums, none of them for a second time; those after the last complete day are dropped."""
        for key, day, sat in flows:
            if day < self.day_count:
                self._series(key)[:, day] = divmod(sat, _BASE)

    def of(self, key: tuple[str, str]) -> list[int]:
        """The sum of each day, 0 where none was set."""
        if key not in self._sums:
            return [0] * self.day_count
        high, low = self._sums[key].tolist()
        return [a * _BASE + b for a, b in zip(high, low, strict=True)]

    def _series(self, key: tuple[str, str]) -> Longs:
        if key not in self._sums:
            self._sums[key] = np.zeros((2, self.day_count), np.int64)
        return self._sums[key]


def sum_flows(
    owners: Owners,
    blocks: Blocks,
    methodologies: Sequence[Methodology],
    needed: Collection[SumKey],
    *,
    progress: Progress = silent,
) -> Iterator[Series]:
    """The sums that need owners, under each of the methodologies, after one pass over the ledger for all of them.

    The queries are asked that the sums `needed` come from, and all that they answer is given. The methodologies agree
    on the clock of `blocks`, and their rules are among those of `owners`. Memory is as large as the database's limit
    allows, and is shared with it; beyond that, results take 16 bytes for each day, series and methodology. `progress`
    counts transactions.
    """
    store, exchanges, rules, queries = owners.store, owners.exchanges, owners.rules, queries_for(needed)
    totals = [Daily(blocks.day_count) for _ in range(len(methodologies) + 1)]
    balance = {sets_of(each, rules): np.zeros((2, blocks.day_count + 1), np.int64) for each in methodologies}
    with store.memory() as memory:
        workers = min(_WORKERS, store.threads)
        limit = int(memory / _RANGE_SHARE / workers / _BYTES_PER_BLOCK_BYTE)
        ranges = list(whole_day_ranges(blocks, min(limit, RANGE_BYTES)))
        members_of = read_members(owners, blocks.day_of_tx, memory - memory // _RANGE_SHARE)

        def sum_range(own: Store, part: Range) -> RangeSums:
            return range_sums(own, part, blocks.day_count, members_of, methodologies, owners, queries)

        for part, found in zip(ranges, store.over_ranges(sum_range, ranges, workers), strict=True):
            for total, flows in zip(totals, (found.exchanges, *found.mining), strict=True):
                total.put(flows)
            for sets, change in found.balance.items():
                balance[sets] += change
            progress("flows", part.last_tx + 1, ranges[-1].last_tx + 1)
    shared = exchange_series(totals[0], exchanges, queries)
    for methodology, total in zip(methodologies, totals[1:], strict=True):
        held = _balances(balance[sets_of(methodology, rules)], methodology)
        yield shared | held | mining_series(total, exchanges, queries)


def _balances(change: Longs, methodology: Methodology) -> Series:
    hop0, within = np.cumsum(change, axis=1)[:, :-1]
    hop1 = within - hop0 if methodology.one_hop == "exact" else within
    return {(f"balance{hop}", ""): [int(sat) for sat in held] for hop, held in enumerate((hop0, hop1))}


def range_sums(
    store: Store,
    part: Range,
    day_count: int,
    members_of: MembersOf,
    methodologies: Sequence[Methodology],
    owners: Owners,
    queries: Collection[str],
) -> RangeSums:
    """What the transactions of `part` add to each of the numbers in `part.days`, below `day_count` or dropped.

    The methodologies are as `sum_flows` has them, the queries as `queries_for`; `store` is for this call alone.
    """
    rules, exchanges = owners.rules, owners.exchanges
    postings = read_postings(store, part, members_of)
    of_exchange = exchange_rows(postings)
    with store.lend(EXCHANGE_SUM, _exchange_sums(postings, of_exchange)):
        gains = list(_gains(store, exchanges, queries))
    all_sets = dict.fromkeys(sets_of(each, rules) for each in methodologies)
    balance: dict[MiningSets, Longs] = {}
    mining: dict[Methodology, list[Flow]] = {}
    for sets in all_sets:
        sums = add_up(postings, of_exchange, sets, day_count)
        balance[sets] = sums.balance
        takes_part = _takes_part(sums)
        transactions = _columns_at(postings, sums, np.flatnonzero(takes_part))
        shared = _shared_sums(postings, of_exchange, sums, takes_part)
        same_sets = [each for each in methodologies if sets_of(each, rules) == sets]
        for one_hop in dict.fromkeys(each.one_hop for each in same_sets):
            alike = [each for each in same_sets if each.one_hop == one_hop]
            tables = [
                pa.table(_without_hop0(columns) if one_hop == "exact" else columns)
                for columns in (transactions, shared)
            ]
            with store.lend(TRANSACTION_SUM, tables[0]), store.lend(SHARED_SUM, tables[1]):
                mining |= {each: list(_flows(store, each, exchanges, queries)) for each in alike}
    return RangeSums(gains, [mining[each] for each in methodologies], balance)


def _code(exchanges: Sequence[str], number: int) -> str:
    return EX if number < 0 else exchanges[number]


def _takes_part(sums: MiningSums) -> Bools:
    """Which of the transactions have a debit or positive credit of a mining member."""
    hop0, hop1 = sums.hops
    return (hop0.inputs > 0) | (hop0.outputs > 0) | (hop1.inputs > 0) | (hop1.outputs > 0)


def _exchange_sums(postings: Postings, of_exchange: ExchangeRows) -> pa.Table:
    """The transactions with an exchange, as the query exchange_gains describes them."""
    place = postings.touched[of_exchange.touched]
    columns: Columns = {
        "day": postings.part.days[place],
        "inputs": postings.inputs.number[place].astype(np.int64),
        "outputs": postings.outputs.number[place].astype(np.int64),
        "exchange": of_exchange.exchange,
        "inputs_e": of_exchange.inputs,
        "debit_e": of_exchange.debit,
        "outputs_e": of_exchange.outputs,
        "credit_e": of_exchange.credit,
    }
    return pa.table(columns)


def _shared_sums(
    postings: Postings, of_exchange: ExchangeRows, sums: MiningSums, takes_part: Bools
) -> Columns:
    """Those of them that have a mining member too, as the query exchange_flows describes them."""
    is_payment = postings.inputs.number[postings.touched] > 0
    both = (takes_part & is_payment)[of_exchange.touched]
    own: Columns = {
        "exchange": of_exchange.exchange,
        "inputs_e": of_exchange.inputs,
        "debit_e": of_exchange.debit,
        "credit_e": of_exchange.credit,
    }
    for hop, (debit, credit) in enumerate(sums.exchange_hops):
        own |= {f"debit_e{hop}": debit, f"credit_e{hop}": credit}
    columns = {name: column[both] for name, column in own.items()}
    return {**_columns_at(postings, sums, of_exchange.touched[both]), **columns}


def _without_hop0(columns: Columns) -> Columns:
    """The same with S_1 as `one_hop = exact` has it, M1 without M0: both together, less M0 (methodology 3)."""
    pairs = {name: f"{name[:-1]}0" for name in columns if name.endswith("1")}
    return columns | {name: columns[name] - columns[hop0] for name, hop0 in pairs.items()}


def _columns_at(postings: Postings, sums: MiningSums, at: Longs) -> Columns:
    """What the queries ask of these of the touched transactions; plain_flows asks no more."""
    place = postings.touched[at]
    columns: Columns = {
        "day": postings.part.days[place],
        "inputs": postings.inputs.number[place].astype(np.int64),
        "debit": postings.inputs.total[place],
        "credit": postings.outputs.total[place],
    }
    for hop, found in enumerate(sums.hops):
        columns |= {
            f"inputs{hop}": found.inputs[at],
            f"debit{hop}": found.debit[at],
            f"credit{hop}": found.credit[at],
        }
    return columns


def _gains(store: Store, exchanges: Sequence[str], queries: Collection[str]) -> Iterator[Flow]:
    """What exchanges gained, lost and hold more in the range, and their transfers."""
    for row in store.rows(GAINS) if GAINS in queries else ():
        code = _code(exchanges, row["exchange"])
        yield from (((name, code), row["day"], int(row[name])) for name in exchange_sums())


def _flows(
    store: Store, methodology: Methodology, exchanges: Sequence[str], queries: Collection[str]
) -> Iterator[Flow]:
    """What moved between miners and others in the range."""
    for row in store.rows(PLAIN, sender=methodology.sender) if PLAIN in queries else ():
        yield from (((name, ""), row["day"], int(row[name])) for name in mining_sums())
    gross = methodology.netting == "gross"
    for row in store.rows(FLOWS, sender=methodology.sender, gross=gross) if FLOWS in queries else ():
        yield (row["series"], _code(exchanges, row["exchange"])), row["day"], int(row["value"])


def queries_for(needed: Collection[SumKey]) -> set[str]:
    """Which of GAINS, PLAIN and FLOWS these daily sums come from."""
    queries = {GAINS} if any(name in exchange_sums() for name, _ in needed) else set[str]()
    return queries | {FLOWS if entity else PLAIN for name, entity in needed if name in mining_sums()}


def exchange_series(daily: Daily, exchanges: Sequence[str], queries: Collection[str]) -> Series:
    """What exchanges gained, lost and hold; it is known of one that has a label, of all if one has."""
    if not exchanges or GAINS not in queries:
        return {}
    entities = (*exchanges, EX)
    series = {(name, code): daily.of((name, code)) for name in exchange_sums() for code in entities}
    for code in entities:
        series[HELD, code] = list(accumulate(series[HELD, code]))
    for name in exchange_sums():
        parts = (series[name, code] for code in exchanges)
        series[name, INCL] = [sum(day) for day in zip(*parts, strict=True)]
    return series


def mining_series(daily: Daily, exchanges: Sequence[str], queries: Collection[str]) -> Series:
    """What miners sent and got: plain, and with each exchange that has a label."""
    entities = [""] if PLAIN in queries else []
    if exchanges and FLOWS in queries:
        entities += [*exchanges, EX]
    return {(name, code): daily.of((name, code)) for name in mining_sums() for code in entities}
