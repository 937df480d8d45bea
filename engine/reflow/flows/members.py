"""The accounts of exchanges and miners, as columns with a hash table, for the kernels that read the ledger.

Methodologies decide the role of a member only when postings are added up, so many methodologies share one table and
one pass over the ledger.
"""

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reflow.flows import kernels
from reflow.flows.kernels import NEVER, Ints, Longs, Numbers, Shorts, Words
from reflow.owners.owners import Owners
from reflow.store.relations import WANTED
from reflow.store.store import Store

_BYTES: Final = 46
_BYTES_PER_RULE: Final = 8
"""Memory of a member, its share of the hash table and of the filter included; at most."""


class Members(NamedTuple):
    """One row for each account of an exchange, of M0 or of M1; the tx are NEVER where it is not a member."""

    account: Longs
    exchange: Shorts
    """Number of its exchange or -1."""
    minted: Numbers
    """The first coinbase that paid it: since then in M0, if it may be."""
    minted_day: Ints
    paid: NDArray[np.uint32]
    """`[rule, row]`: the first payout by M0, one row for each rule of who is in M0 and what it sent."""
    paid_day: NDArray[np.int32]
    slots: Longs
    """Linear probing: half of the hash and the row of the member, -1 where empty; its length is a power of two."""
    words: Words
    """A bit for each hash, kernels.BITS for each member: most accounts that are none need no look into the table."""


MembersOf = Callable[[list[Longs]], Members]
"""Gives the members, all that are among these accounts at least."""


def read_members(owners: Owners, day_of_tx: Callable[[Longs], Ints], memory: int) -> MembersOf:
    """All accounts that `owners` knows of.

    If they fit into `memory` bytes they are read once; else for each range of the ledger those that it has. The ledger
    has less than 2**32 transactions.
    """
    store, rules = owners.store, len(owners.rules)
    [most] = store.rows("members_count")
    if most["accounts"] * (_BYTES + _BYTES_PER_RULE * rules) <= memory:
        with store.lend(WANTED, _table([])):
            members = _read(store, day_of_tx, rules, most["accounts"], every=True)
        return lambda accounts: members
    lock = Lock()

    def among(accounts: list[Longs]) -> Members:
        with lock, store.lend(WANTED, _table(accounts)):  # one store, several threads
            return _read(store, day_of_tx, rules, sum(map(len, accounts)), every=False)

    return among


def _table(accounts: list[Longs]) -> pa.Table:
    return pa.table({"account": pa.chunked_array(accounts, pa.int64())})


def _read(store: Store, day_of_tx: Callable[[Longs], Ints], rules: int, most: int, *, every: bool) -> Members:
    """At most `most` members, all or those that are lent as wanted."""
    account, used = np.empty(most, np.int64), 0
    slots = np.full(1 << (3 * most // 2).bit_length(), -1, np.int64)
    exchange = np.full(most, -1, np.int16)
    minted, paid = np.full(most, NEVER), np.full((rules, most), NEVER)

    def rows_of(question: str) -> Iterator[tuple[Longs, tuple[NDArray[Any], ...]]]:
        nonlocal used
        for found, *others in store.batches(question, every=every):
            at = np.empty(len(found), np.int64)
            used = kernels.upsert(account, slots, used, found, at)
            yield at, tuple(others)

    for at, (number,) in rows_of("members_of_exchanges"):
        exchange[at] = number
    for at, (since,) in rows_of("members_minted"):
        minted[at] = since
    for at, (since, rule) in rows_of("members_paid"):
        paid[rule, at] = since
    words = np.zeros(max(1, (1 << (kernels.BITS * used).bit_length()) // 64), np.uint64)
    kernels.fill_filter(account[:used], words)
    return Members(
        account[:used],
        exchange[:used],
        minted[:used],
        _days(minted[:used], day_of_tx),
        paid[:, :used],
        np.stack([_days(since, day_of_tx) for since in paid[:, :used]]) if rules else paid.astype(np.int32),
        slots,
        words,
    )


def _days(since: Numbers, day_of_tx: Callable[[Longs], Ints]) -> Ints:
    """The day of each tx, a day that never comes for NEVER."""
    days = np.full(len(since), np.iinfo(np.int32).max, np.int32)
    known = np.flatnonzero(since != NEVER)
    days[known] = day_of_tx(since[known].astype(np.int64))
    return days
