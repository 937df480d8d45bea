"""Find the members' debits and credits in a range of the ledger, and add them up per transaction.

This is the one step that touches every row of the ledger, so it is a numba kernel over columns rather than
SQL: a hash table of the members, and dense arrays for the transactions, which are numbered without gaps. It
knows nothing of flows; what becomes of the sums is in queries/exchange_flows.sql and queries/plain_flows.sql.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reflow.flows import kernels
from reflow.flows.kernels import Bools, Ints, Longs, Shorts

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
"""A row of queries/members.sql with the days of `since0` and `since1`; together, so that one look finds it all."""


class Members(NamedTuple):
    """Accounts whose owner matters, and a hash table over them."""

    rows: NDArray[np.void]
    """Of dtype MEMBER."""
    slots: Ints
    """Linear probing: row of the member, -1 where empty; its length is a power of two."""


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


def make_members(columns: Mapping[str, NDArray[np.generic]], day0: Ints, day1: Ints) -> Members:
    """Members from the columns of queries/members.sql and the days of their `since0` and `since1`."""
    rows = np.empty(len(day0), MEMBER)
    for name in ("account", "since0", "since1", "exchange"):
        rows[name] = columns[name]
    rows["day0"], rows["day1"] = day0, day1
    slots = np.full(1 << max(4, (2 * len(rows)).bit_length()), -1, np.int32)
    kernels.index(rows, slots)
    return Members(rows, slots)


def add_up(
    postings: Postings,
    members: Members,
    *,
    first_tx: int,
    days: Ints,
    exact: bool,
    is_input: bool,
    balance: Longs,
) -> tuple[Sums, ExchangePostings]:
    """Add up one side of the transactions from `first_tx` on, one for each entry of `days`.

    `days` and the days of the members count from the ledger's first day; a day after the last complete one
    is the last column of `balance`. `balance[h, day]` is changed by what this side moves in the end-of-day
    balance of S_h, in sat. `exact`: S_1 is M1 without M0 (METHODOLOGY section 3, 9.7).
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
    size = kernels.add_up(*postings, *members, first_tx, days, exact, is_input, balance, *sums, *found)
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
