"""Find the members' debits and credits in a range of the ledger, and add them up per transaction.

This is the one step that touches every row of the ledger, so it is a numba kernel over columns rather than
SQL: a hash table of the members, and dense arrays for the transactions, which are numbered without gaps. It
knows nothing of flows; what becomes of the sums is in queries/exchange_flows.sql and queries/plain_flows.sql.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from reflow.entities.hops import NEVER
from reflow.flows import kernels
from reflow.flows.kernels import Bools, Ints, Longs, Shorts
from reflow.resources import query

_BATCH: Final = 500_000
_NO_DAY: Final = np.iinfo(np.int32).max

MEMBER: Final = np.dtype(
    [
        ("account", "i8"),
        ("since0", "i8"),
        ("since1", "i8"),
        ("day0", "i4"),
        ("day1", "i4"),
        ("exchange", "i2"),
    ],
    align=True,
)
"""An account: in S_0 from `since0` on and in S_1 from `since1` on (NEVER: not at all), with the days of these tx;
`exchange` is the number of its exchange or -1. All in one row, so that one look finds it."""


class Members(NamedTuple):
    """Accounts whose owner matters, and a hash table over them."""

    rows: NDArray[np.void]
    """Of dtype MEMBER."""
    slots: Longs
    """Linear probing: half of the hash and the row of the member, -1 where empty; its length is a power of two."""


class Postings(NamedTuple):
    """Rows of queries/debits.sql or queries/credits.sql."""

    tx: Longs
    account: Longs
    value: Longs


class Sums(NamedTuple):
    """Inputs, or outputs, of a range of transactions, indexed by tx minus the first one."""

    total: Longs
    """Sat of all debits (or credits) of the transaction."""
    total0: Longs
    """Of the accounts in S_0 as of the transaction."""
    total1: Longs
    """Of the accounts in S_1 as of the transaction."""
    number: Ints
    """Number of debits (or credits), of all and of those accounts."""
    number0: Ints
    number1: Ints


class ExchangePostings(NamedTuple):
    """Debits, or positive credits, of exchange accounts, with what else the account is as of the transaction."""

    tx: Longs
    exchange: Shorts
    hop0: Bools
    hop1: Bools
    value: Longs


class ExchangeSums(NamedTuple):
    """What each exchange, and all of them as one set (exchange -1), does in each transaction; sorted by tx."""

    tx: Longs
    exchange: Shorts
    inputs_e: Longs
    """Number of debits, their sat, sat of the credits."""
    debit_e: Longs
    credit_e: Longs
    debit_e0: Longs
    """The same of those accounts that are in S_0, in S_1 too."""
    credit_e0: Longs
    debit_e1: Longs
    credit_e1: Longs


def read_members(
    con: DuckDBPyConnection,
    day_of_tx: Callable[[Longs], Ints],
    *,
    ever: bool,
    exchanges_too: bool,
) -> Members:
    """Members from queries/exchange_members.sql, the table `mining_0hop` and queries/mining_1hop.sql.

    `ever`: members count in the whole history; `exchanges_too`: an exchange's account may be in M1 (METHODOLOGY
    section 3, 9.7). S_1 is M0 and M1 together.
    """
    table = _Table()
    for account, exchange in _batches(con, query("exchange_members")):
        at = table.rows_of(account)
        table.rows["exchange"][at] = exchange
    for account, since0 in _batches(con, "SELECT account, since0 FROM mining_0hop"):
        at = table.rows_of(account)
        table.rows["since0"][at] = since0
    for account, since1 in _batches(con, query("mining_1hop")):
        at = table.rows_of(account)
        kernels.lower_since1(table.rows, at, since1, exchanges_too)
    rows = table.rows[: table.used]
    if ever:
        rows["since1"][rows["since1"] != NEVER] = -1
    for hop in "01":
        since = rows[f"since{hop}"]
        rows[f"day{hop}"] = np.where(since == NEVER, _NO_DAY, day_of_tx(since))
    # Days on their own: under the header clock a later transaction may have the earlier day.
    rows["since1"] = np.minimum(rows["since0"], rows["since1"])
    rows["day1"] = np.minimum(rows["day0"], rows["day1"])
    return Members(rows, table.slots)


class _Table:
    """Members as they are found, in rows and slots that grow."""

    def __init__(self) -> None:
        self.rows = np.empty(0, MEMBER)
        self.slots = np.full(1, kernels.EMPTY, np.int64)
        self.used = 0

    def rows_of(self, account: Longs) -> Longs:
        """Rows of the accounts; those that had none get one that says nothing of them."""
        self._make_room(self.used + len(account))
        found = np.empty(len(account), np.int64)
        self.used = kernels.upsert(self.rows, self.slots, self.used, account, found)
        return found

    def _make_room(self, wanted: int) -> None:
        if wanted <= len(self.rows):
            return
        rows = np.empty(max(wanted, 2 * len(self.rows)), MEMBER)
        rows[: self.used] = self.rows[: self.used]
        self.rows = rows
        if len(self.slots) < 2 * len(rows):
            self.slots = np.full(1 << (2 * len(rows)).bit_length(), kernels.EMPTY, np.int64)
            kernels.index(rows[: self.used], self.slots)


def _batches(con: DuckDBPyConnection, sql: str) -> Iterator[tuple[NDArray[Any], ...]]:
    """The answer batch by batch, as one array a column."""
    for batch in con.sql(sql).to_arrow_reader(_BATCH):
        yield tuple(column.to_numpy() for column in batch.columns)


def add_up(
    postings: Postings,
    members: Members,
    *,
    first_tx: int,
    days: Ints,
    is_input: bool,
    balance: Longs,
) -> tuple[Sums, ExchangePostings]:
    """Add up one side of the transactions from `first_tx` on, one for each entry of `days`.

    `days` and the days of the members count from the ledger's first day; a day after the last complete one
    is the last column of `balance`. `balance[h, day]` is changed by what this side moves in the end-of-day
    balance of S_h, in sat.
    """
    n, rows = len(days), len(postings.tx)
    longs, counts = np.zeros((3, n), np.int64), np.zeros((3, n), np.int32)
    sums = Sums(*longs, *counts)
    found = ExchangePostings(
        np.empty(rows, np.int64),
        np.empty(rows, np.int16),
        np.empty(rows, np.bool_),
        np.empty(rows, np.bool_),
        np.empty(rows, np.int64),
    )
    size = kernels.add_up(*postings, *members, first_tx, days, is_input, balance, *sums, *found)
    return sums, ExchangePostings._make(column[:size] for column in found)


def add_up_exchanges(spent: ExchangePostings, paid: ExchangePostings) -> ExchangeSums:
    """Add up the debits and the credits of exchange accounts per transaction and exchange."""
    spent, paid = _in_order(spent), _in_order(paid)
    rows = 2 * (len(spent.tx) + len(paid.tx))
    sums = ExchangeSums(
        np.empty(rows, np.int64), np.empty(rows, np.int16), *(np.zeros(rows, np.int64) for _ in range(7))
    )
    size = kernels.add_up_exchanges(*spent, *paid, *sums)
    return ExchangeSums._make(column[:size] for column in sums)


def _in_order(postings: ExchangePostings) -> ExchangePostings:
    """By tx; they are already, unless the rows of the ledger came in another order than they stand."""
    if np.all(postings.tx[1:] >= postings.tx[:-1]):
        return postings
    order = np.argsort(postings.tx, kind="stable")
    return ExchangePostings._make(column[order] for column in postings)
