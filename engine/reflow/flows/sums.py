"""Daily sums in satoshis of everything that depends on who owns an account, range by range through the ledger.

The members are found by a kernel (members.py); the flows are queries/exchange_flows.sql and
queries/plain_flows.sql over what it found.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from reflow.flows.active import active_accounts
from reflow.flows.catalog import EX, INCL, sums_of
from reflow.flows.days import Blocks, Range, whole_day_ranges
from reflow.flows.kernels import Bools, Longs
from reflow.flows.members import (
    ExchangePostings,
    ExchangeSums,
    Members,
    Postings,
    Sums,
    add_up,
    add_up_exchanges,
    read_members,
)
from reflow.flows.methodology import Methodology
from reflow.flows.values import Series
from reflow.progress import Progress, silent
from reflow.resources import query
from reflow.tables import columns, count, keep, rows

_WORKERS: Final = 4
"""Ranges worked on at once, at most; each has its rows in memory."""

ACTIVE: Final = ("active", "")
"""Key of the numbers of active accounts."""

Columns = dict[str, NDArray[Any]]
"""A table by column."""

Flow = tuple[tuple[str, str], int, int]
"""(sums, entity), day, sat."""


class RangeSums(NamedTuple):
    """What one range adds, by the number of the day; the one after the last complete day is dropped in the end."""

    flows: list[list[Flow]]
    """Of each methodology."""
    active: dict[int, int]
    balance: Longs
    """`[h, day]`: change of the end-of-day balance of S_h, M0 included in S_1."""


def sum_flows(
    con: DuckDBPyConnection,
    blocks: Blocks,
    exchanges: Sequence[str],
    methodologies: Sequence[Methodology],
    *,
    active: bool = True,
    progress: Progress = silent,
) -> list[Series]:
    """The sums that need owners, under each of the methodologies, which differ in what a pass over the ledger shares.

    They may differ in `netting`, in `one_hop`, and in `sender` as long as all are `all_inputs` or none is: M0 and M1
    are then the same. `con` has the temporary tables of `find_exchange_accounts` and `find_mining_accounts`;
    `exchanges` are the codes with a label. Without `active` the numbers of active accounts, which no methodology
    but the clock changes, are left out. Memory is bounded by the number of members and the rows of a few ranges of
    days. `progress` counts transactions.
    """
    keep(con, "exchange", query("exchange_numbers"))
    first = methodologies[0]
    members = read_members(
        con,
        blocks.day_of_tx,
        ever=first.membership == "ever",
        exchanges_too=first.exchange_accounts_as_miners == "always",
    )
    ranges = list(whole_day_ranges(blocks))

    def sum_range(part: Range) -> RangeSums:
        with con.cursor() as own:
            return range_sums(own, part, blocks.day_count, members, methodologies, exchanges, active)

    totals = RangeSums([[] for _ in methodologies], {}, np.zeros((2, blocks.day_count + 1), np.int64))
    pool = ThreadPoolExecutor(min(_WORKERS, count(con, "SELECT current_setting('threads')")))
    try:
        for part, found in zip(ranges, pool.map(sum_range, ranges), strict=True):
            for all_flows, flows in zip(totals.flows, found.flows, strict=True):
                all_flows.extend(flows)
            totals.active.update(found.active)
            totals.balance[:] += found.balance
            progress("flows", part.last_tx + 1, ranges[-1].last_tx + 1)
    finally:
        pool.shutdown(cancel_futures=True)
    return [
        _shared_series(totals, blocks.day_count, each, active)
        | flow_series(flows, exchanges, blocks.day_count)
        for each, flows in zip(methodologies, totals.flows, strict=True)
    ]


def range_sums(
    con: DuckDBPyConnection,
    part: Range,
    day_count: int,
    members: Members,
    methodologies: Sequence[Methodology],
    exchanges: Sequence[str],
    with_active: bool,
) -> RangeSums:
    """What the transactions of `part` add to each of the numbers in `part.days`, below `day_count` or dropped.

    The methodologies differ in what `sum_flows` allows; `con` has the temporary table `exchange` and is for this
    call alone.
    """
    spending, paying = _postings(con, "debits", part), _postings(con, "credits", part)
    balance = np.zeros((2, day_count + 1), np.int64)

    def side(postings: Postings) -> tuple[Sums, ExchangePostings]:
        return add_up(
            postings,
            members,
            first_tx=part.first_tx,
            days=part.days,
            is_input=postings is spending,
            balance=balance,
        )

    (inputs, spent), (outputs, paid) = side(spending), side(paying)
    active = active_accounts(part, spending, paying) if with_active else {}
    of_exchange, mining = add_up_exchanges(spent, paid), _mining(inputs, outputs)
    con.register("exchange_sum", _exchange_sums(part, inputs, of_exchange))
    own = _transaction_sums(part, inputs, outputs, mining)
    shared = _shared_sums(part, inputs, outputs, of_exchange, mining)
    flows: dict[Methodology, list[Flow]] = {}
    for one_hop in dict.fromkeys(each.one_hop for each in methodologies):
        for name, table in (("transaction_sum", own), ("shared_sum", shared)):
            con.register(name, pa.table(_without_hop0(table) if one_hop == "exact" else table))
        flows |= {
            each: list(_flows(con, each, exchanges)) for each in methodologies if each.one_hop == one_hop
        }
    return RangeSums([flows[each] for each in methodologies], active, balance)


def _postings(con: DuckDBPyConnection, side: str, part: Range) -> Postings:
    found = columns(con, query(side), {"first": part.first_tx, "last": part.last_tx})
    return Postings(found["tx"], found["account"], found["value"])


def _mining(inputs: Sums, outputs: Sums) -> Bools:
    """Which transactions of the range have a debit or positive credit of a mining member."""
    return (inputs.number0 > 0) | (inputs.number1 > 0) | (outputs.number0 > 0) | (outputs.number1 > 0)


def _transaction_sums(part: Range, inputs: Sums, outputs: Sums, mining: Bools) -> Columns:
    """The transactions with a mining member, as queries/plain_flows.sql describes them."""
    return _columns_at(part, inputs, outputs, np.flatnonzero(mining))


def _exchange_sums(part: Range, inputs: Sums, of_exchange: ExchangeSums) -> pa.Table:
    """The transactions with an exchange, as queries/exchange_flows.sql describes them."""
    payments = inputs.number[of_exchange.tx - part.first_tx] > 0
    own = {name: getattr(of_exchange, name)[payments] for name in ("exchange", "debit_e", "credit_e")}
    return pa.table({"day": part.days[of_exchange.tx[payments] - part.first_tx], **own})


def _shared_sums(
    part: Range, inputs: Sums, outputs: Sums, of_exchange: ExchangeSums, mining: Bools
) -> Columns:
    """Those of them that have a mining member too."""
    at = of_exchange.tx - part.first_tx
    both = mining[at] & (inputs.number[at] > 0)
    own = {name: column[both] for name, column in of_exchange._asdict().items() if name != "tx"}
    return {**_columns_at(part, inputs, outputs, at[both]), **own}


def _without_hop0(columns: Columns) -> Columns:
    """The same with S_1 as `one_hop = exact` has it, M1 without M0: both together, less M0 (METHODOLOGY section 3)."""
    pairs = {name: f"{name[:-1]}0" for name in columns if name.endswith("1")}
    return columns | {name: columns[name] - columns[hop0] for name, hop0 in pairs.items()}


def _columns_at(part: Range, inputs: Sums, outputs: Sums, at: Longs) -> Columns:
    """What the queries ask of the transactions at these places of the range."""
    columns: Columns = {"day": part.days[at]}
    for hop in ("", "0", "1"):
        columns[f"inputs{hop}"] = getattr(inputs, f"number{hop}")[at].astype(np.int64)
        columns[f"debit{hop}"] = getattr(inputs, f"total{hop}")[at]
        columns[f"credit{hop}"] = getattr(outputs, f"total{hop}")[at]
    return columns


def _flows(con: DuckDBPyConnection, methodology: Methodology, exchanges: Sequence[str]) -> Iterator[Flow]:
    """Everything that moved in the range."""
    sender: dict[str, object] = {"sender": methodology.sender}
    for row in rows(con, query("plain_flows"), sender):
        yield from (((name, ""), row["day"], int(row[name])) for name in sums_of("FlowMiner"))
    gross = methodology.netting == "gross"
    for row in rows(con, query("exchange_flows"), {**sender, "gross": gross}):
        code = EX if row["exchange"] < 0 else exchanges[row["exchange"]]
        yield (row["series"], code), row["day"], int(row["value"])


def _shared_series(totals: RangeSums, day_count: int, methodology: Methodology, active: bool) -> Series:
    """What does not depend on who is said to have sent a transaction."""
    hop0, within = np.cumsum(totals.balance, axis=1)[:, :day_count]
    hop1 = within - hop0 if methodology.one_hop == "exact" else within
    series = {
        (f"balance{hop}", ""): [int(sat) for sat in balance] for hop, balance in enumerate((hop0, hop1))
    }
    if active:
        series[ACTIVE] = [totals.active.get(day, 0) for day in range(day_count)]
    return series


def flow_series(flows: Sequence[Flow], exchanges: Sequence[str], day_count: int) -> Series:
    """All flows that can be known: those of an exchange need its label, those of all need one label at least."""
    with_miners, of_exchange = sums_of("FlowMiner"), sums_of("Flow")
    entities = (*exchanges, EX) if exchanges else ()
    known = [(name, "") for name in with_miners]
    known += [(name, code) for name in (*of_exchange, *with_miners) for code in entities]
    daily: defaultdict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for key, day, sat in flows:
        daily[key][day] += sat
    series = {key: [daily[key][day] for day in range(day_count)] for key in known}
    for name in of_exchange if exchanges else ():
        parts = (series[name, code] for code in exchanges)
        series[name, INCL] = [sum(day) for day in zip(*parts, strict=True)]
    return series
