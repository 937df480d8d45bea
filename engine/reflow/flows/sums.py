"""Daily sums in satoshis of everything that depends on who owns an account, range by range through the ledger.

The members are found by a kernel (members.py); the flows are queries/exchange_flows.sql and
queries/plain_flows.sql over what it found.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from reflow.entities.hops import NEVER
from reflow.flows.active import active_accounts
from reflow.flows.catalog import EX, INCL
from reflow.flows.days import Blocks, Range, whole_day_ranges
from reflow.flows.kernels import Longs
from reflow.flows.members import (
    ExchangePostings,
    ExchangeSums,
    Members,
    Postings,
    Sums,
    add_up,
    add_up_exchanges,
    make_members,
)
from reflow.flows.methodology import Methodology
from reflow.progress import Progress, silent
from reflow.resources import query
from reflow.tables import columns, keep, rows

Series = dict[str, list[int]]
"""Stem of a metric id to its value on each complete day: sat, or a number for counts."""

_WITH_MINERS: Final = {
    f"{way.lower()}{hop}": f"FlowMiner{way}{hop}HopAll" for hop in (0, 1) for way in ("Out", "In")
}
_OF_EXCHANGE: Final = {"gained": "FlowIn", "lost": "FlowOut", **_WITH_MINERS}
"""Column of the queries' answers to the stem without its entity."""


class _Totals(NamedTuple):
    """Sums so far, by the number of the day; the one after the last complete day is dropped in the end."""

    flows: defaultdict[str, Counter[int]]
    """By stem."""
    active: Counter[int]
    balance: NDArray[np.int64]
    """`[h, day]`: change of the end-of-day balance of S_h."""


def sum_flows(
    con: DuckDBPyConnection,
    blocks: Blocks,
    exchanges: Sequence[str],
    methodology: Methodology,
    *,
    progress: Progress = silent,
) -> Series:
    """All series of METHODOLOGY section 6 that need owners: FlowMiner…, SplyMiner…, Flow… and AdrActCnt.

    `con` has the temporary tables of `find_exchange_accounts` and `find_mining_accounts`; `exchanges` are
    the codes with a label. Memory is bounded by the number of members and one range of days. `progress`
    counts transactions.
    """
    members = _members(con, blocks, exact=methodology.one_hop == "exact")
    totals = _Totals(defaultdict(Counter), Counter(), np.zeros((2, blocks.day_count + 1), np.int64))
    ranges = list(whole_day_ranges(blocks))
    with ThreadPoolExecutor(2) as pool:
        for part in ranges:
            _add_range(con, part, members, methodology, exchanges, totals, pool)
            progress("flows", part.last_tx + 1, ranges[-1].last_tx + 1)
    return _series(totals, exchanges, blocks.day_count)


def _members(con: DuckDBPyConnection, blocks: Blocks, *, exact: bool) -> Members:
    keep(con, "exchange", query("exchange_numbers"))
    found = columns(con, query("members"), {"never": NEVER, "exact": exact})
    return make_members(found, blocks.day_of_tx(found["since0"]), blocks.day_of_tx(found["since1"]))


def _add_range(
    con: DuckDBPyConnection,
    part: Range,
    members: Members,
    methodology: Methodology,
    exchanges: Sequence[str],
    totals: _Totals,
    pool: Executor,
) -> None:
    spending, paying = _postings(con, "debits", part), _postings(con, "credits", part)
    balances = np.zeros((2, *totals.balance.shape), np.int64)

    def side(number: int) -> tuple[Sums, ExchangePostings]:
        return add_up(
            (spending, paying)[number],
            members,
            first_tx=part.first_tx,
            days=part.days,
            exact=methodology.one_hop == "exact",
            is_input=number == 0,
            balance=balances[number],
        )

    (inputs, spent), (outputs, paid) = pool.map(side, (0, 1))
    totals.active.update(active_accounts(part, spending, paying, pool.map))
    totals.balance[:] += balances.sum(axis=0)
    con.register("transaction_sum", _transaction_sums(part, inputs, outputs))
    con.register("exchange_sum", _exchange_sums(part, inputs, outputs, add_up_exchanges(spent, paid)))
    for stem, day, value in _flows(con, methodology, exchanges):
        totals.flows[stem][day] += value
    con.unregister("transaction_sum")
    con.unregister("exchange_sum")


def _postings(con: DuckDBPyConnection, side: str, part: Range) -> Postings:
    found = columns(con, query(side), {"first": part.first_tx, "last": part.last_tx})
    return Postings(found["tx"], found["account"], found["value"])


def _transaction_sums(part: Range, inputs: Sums, outputs: Sums) -> pa.Table:
    """The transactions with a mining member, as queries/plain_flows.sql describes them."""
    numbers = (number for sums in (inputs, outputs) for number in (sums.number0, sums.number1))
    at = np.flatnonzero(np.logical_or.reduce([number > 0 for number in numbers]))
    return pa.table(_columns_at(part, inputs, outputs, at))


def _exchange_sums(part: Range, inputs: Sums, outputs: Sums, of_exchange: ExchangeSums) -> pa.Table:
    """The transactions with an exchange, as queries/exchange_flows.sql describes them."""
    at = of_exchange.tx - part.first_tx
    payments = inputs.number[at] > 0
    own = {name: column[payments] for name, column in of_exchange._asdict().items() if name != "tx"}
    return pa.table({**_columns_at(part, inputs, outputs, at[payments]), **own})


def _columns_at(part: Range, inputs: Sums, outputs: Sums, at: Longs) -> dict[str, NDArray[Any]]:
    """What the queries ask of the transactions at these places of the range."""
    columns: dict[str, NDArray[Any]] = {"tx": at + part.first_tx, "day": part.days[at]}
    for hop in ("", "0", "1"):
        columns[f"inputs{hop}"] = getattr(inputs, f"number{hop}")[at].astype(np.int64)
        columns[f"debit{hop}"] = getattr(inputs, f"total{hop}")[at]
        columns[f"credit{hop}"] = getattr(outputs, f"total{hop}")[at]
    return columns


def _flows(
    con: DuckDBPyConnection, methodology: Methodology, exchanges: Sequence[str]
) -> Iterator[tuple[str, int, int]]:
    """(stem, day, sat) of everything that moved in the range."""
    sender: dict[str, object] = {"sender": methodology.sender}
    for row in rows(con, query("plain_flows"), sender):
        yield from ((stem, row["day"], int(row[name])) for name, stem in _WITH_MINERS.items())
    gross = methodology.netting == "gross"
    for row in rows(con, query("exchange_flows"), {**sender, "gross": gross}):
        code = EX if row["exchange"] < 0 else exchanges[row["exchange"]]
        yield from ((f"{stem}{code}", row["day"], int(row[name])) for name, stem in _OF_EXCHANGE.items())


def _series(totals: _Totals, exchanges: Sequence[str], day_count: int) -> Series:
    """Every series that can be known: those of an exchange need its label, those of all need one label at least."""
    entities = (*exchanges, EX) if exchanges else ()
    known = [
        *_WITH_MINERS.values(),
        *(f"{stem}{code}" for stem in _OF_EXCHANGE.values() for code in entities),
    ]
    days = range(day_count)
    series = {stem: [totals.flows[stem][day] for day in days] for stem in known}
    series["AdrActCnt"] = [totals.active[day] for day in days]
    for hop in (0, 1):
        series[f"SplyMiner{hop}HopAll"] = [int(sat) for sat in np.cumsum(totals.balance[hop])[:day_count]]
        stem = f"FlowMiner{{}}{hop}HopAll"
        series[stem.format("Net")] = _minus(series[stem.format("In")], series[stem.format("Out")])
    if exchanges:
        for way in ("In", "Out"):
            series[f"Flow{way}{INCL}"] = [
                sum(values)
                for values in zip(*(series[f"Flow{way}{code}"] for code in exchanges), strict=True)
            ]
    for code in (*entities, *([INCL] if exchanges else [])):
        series[f"FlowNet{code}"] = _minus(series[f"FlowIn{code}"], series[f"FlowOut{code}"])
    return series


def _minus(left: Sequence[int], right: Sequence[int]) -> list[int]:
    return [a - b for a, b in zip(left, right, strict=True)]
