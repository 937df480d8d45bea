"""Daily sums in satoshis of everything that depends on who owns an account, range by range through the ledger.

A kernel finds the members' postings (postings.py); the queries exchange_gains, exchange_flows and plain_flows add up
the flows.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reflow.flows.catalog import EX, exchange_sums, sums_of
from reflow.flows.daily import Daily, Flow, exchange_series, mining_series
from reflow.flows.kernels import Bools, Longs, MiningSets
from reflow.flows.members import MembersOf, read_members
from reflow.flows.methodology import Methodology
from reflow.flows.postings import (
    ExchangeRows,
    MiningSums,
    Postings,
    add_up,
    exchange_rows,
    read_postings,
    sets_of,
)
from reflow.flows.values import Series
from reflow.ledger.days import RANGE_BYTES, Blocks, Range, whole_day_ranges
from reflow.owners.owners import MiningRule, Owners
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


class RangeSums(NamedTuple):
    """What one range adds, by the number of the day; the one after the last complete day is dropped in the end."""

    exchanges: list[Flow]
    """What exchanges gained, lost and hold more, and their transfers, whatever the methodology."""
    mining: list[list[Flow]]
    """What miners sent and got, under each methodology."""
    balance: dict[MiningSets, Longs]
    """`[h, day]` for each: change of the end-of-day balance of M0, and of M0 with M1."""


def sum_flows(
    owners: Owners,
    blocks: Blocks,
    methodologies: Sequence[Methodology],
    *,
    progress: Progress = silent,
) -> Iterator[Series]:
    """The sums that need owners, under each of the methodologies, after one pass over the ledger for all of them.

    They agree on the clock of `blocks`, and their rules are among those of `owners`. Memory is as large as the
    database's limit allows, and is shared with it; beyond that, results take 16 bytes for each day, series and
    methodology. `progress` counts transactions.
    """
    store, exchanges, rules = owners.store, owners.exchanges, owners.rules
    totals = [Daily(blocks.day_count) for _ in range(len(methodologies) + 1)]
    balance = {sets_of(each, rules): np.zeros((2, blocks.day_count + 1), np.int64) for each in methodologies}
    with store.memory() as memory:
        workers = min(_WORKERS, store.threads)
        limit = int(memory / _RANGE_SHARE / workers / _BYTES_PER_BLOCK_BYTE)
        ranges = list(whole_day_ranges(blocks, min(limit, RANGE_BYTES)))
        members_of = read_members(owners, blocks.day_of_tx, memory - memory // _RANGE_SHARE)

        def sum_range(own: Store, part: Range) -> RangeSums:
            return range_sums(own, part, blocks.day_count, members_of, methodologies, rules, exchanges)

        for part, found in zip(ranges, store.over_ranges(sum_range, ranges, workers), strict=True):
            for total, flows in zip(totals, (found.exchanges, *found.mining), strict=True):
                total.put(flows)
            for sets, change in found.balance.items():
                balance[sets] += change
            progress("flows", part.last_tx + 1, ranges[-1].last_tx + 1)
    shared = exchange_series(totals[0], exchanges)
    for methodology, total in zip(methodologies, totals[1:], strict=True):
        held = _balances(balance[sets_of(methodology, rules)], methodology)
        yield shared | held | mining_series(total, exchanges)


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
    rules: list[MiningRule],
    exchanges: Sequence[str],
) -> RangeSums:
    """What the transactions of `part` add to each of the numbers in `part.days`, below `day_count` or dropped.

    The methodologies are as `sum_flows` has them; `store` is for this call alone.
    """
    postings = read_postings(store, part, members_of)
    of_exchange = exchange_rows(postings)
    with store.lend(EXCHANGE_SUM, _exchange_sums(postings, of_exchange)):
        gains = [
            ((name, _code(exchanges, row["exchange"])), row["day"], int(row[name]))
            for row in store.rows("exchange_gains")
            for name in exchange_sums()
        ]
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
                mining |= {each: list(_flows(store, each, exchanges)) for each in alike}
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


def _flows(store: Store, methodology: Methodology, exchanges: Sequence[str]) -> Iterator[Flow]:
    """Everything between miners and others that moved in the range."""
    for row in store.rows("plain_flows", sender=methodology.sender):
        yield from (((name, ""), row["day"], int(row[name])) for name in sums_of("FlowMiner"))
    gross = methodology.netting == "gross"
    for row in store.rows("exchange_flows", sender=methodology.sender, gross=gross):
        yield (row["series"], _code(exchanges, row["exchange"])), row["day"], int(row["value"])
