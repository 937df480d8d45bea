"""The loops behind postings.py, compiled by numba; what the last arguments hold is filled."""

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reflow.ledger.days import Ints, Longs, Rows

Shorts = NDArray[np.int16]
Bools = NDArray[np.bool_]
Numbers = NDArray[np.uint32]
Words = NDArray[np.uint64]

MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
"""2**64 over the golden ratio: spreads account ids of any kind over the slots (Knuth, TAOCP 6.4)."""

NEVER: Final = np.uint32(0xFFFFFFFF)
"""The tx from which on an account is a member, if it is none."""

BITS: Final = 16
"""Bits of the filter for each member: one account in sixteen that is no member passes it."""

_AHEAD: Final = 512
"""Accounts looked up at once."""
_EMPTY: Final = -1
_LOW: Final = np.uint64(0xFFFFFFFF)


class MemberTable(NamedTuple):
    """The members' accounts, and what finds them (see postings.Members)."""

    account: Longs
    slots: Longs
    words: Words


class Side(NamedTuple):
    """The inputs, or the outputs, of a range of transactions, indexed by tx minus the first one."""

    total: Longs
    """Sat of all debits (or credits) of the transaction."""
    number: Ints
    """How many debits (or positive credits)."""
    place: Ints
    """Of each debit (or positive credit) of a member: its transaction, …"""
    row: Numbers
    """… its row in Members, …"""
    sat: Longs
    """… its value."""


class Transactions(NamedTuple):
    """The transactions of a range, indexed by tx minus the first one."""

    first_tx: int
    days: Ints
    touched_index: Ints
    """Which of those with a member it is; says nothing of others."""


class Membership(NamedTuple):
    """The columns of postings.Members, with `paid` under one rule."""

    exchange: Shorts
    minted: Numbers
    minted_day: Ints
    paid: Numbers
    paid_day: Ints


class MiningSets(NamedTuple):
    """Who is in M0 and M1, for methodologies that agree on it."""

    rule: int
    """Which row of `Members.paid`."""
    ever: bool
    """Members count in the whole history (methodology 3)."""
    exchanges0: bool
    """An exchange's account may be in M0, …"""
    exchanges1: bool
    """… in M1 (methodology 9.7)."""


class Moved(NamedTuple):
    """What M0, and M0 with M1, have of one side: sums for each transaction with a member, a mark for each posting."""

    number0: Longs
    total0: Longs
    number1: Longs
    total1: Longs
    marks: NDArray[np.uint8]
    """1 for a posting of M0, and 2 for one of M0 or M1."""


@njit(nogil=True, cache=True)
def _hash(account: int) -> Any:
    return np.uint64(account) * MULTIPLIER


@njit(nogil=True, cache=True)
def _entry(hashed: Any, row: int) -> Any:
    """What a slot holds: the half of the hash that does not choose the slot, and the row."""
    return np.int64(((hashed & _LOW) << np.uint64(32)) | np.uint64(row))


@njit(nogil=True, cache=True)
def index(rows: Longs, used: int, slots: Longs) -> None:
    """Fill the empty hash table with the accounts of the first `used` rows."""
    mask = len(slots) - 1
    for row in range(used):
        hashed = _hash(rows[row])
        slot = np.int64(hashed >> np.uint64(32)) & mask
        while slots[slot] != _EMPTY:
            slot = (slot + 1) & mask
        slots[slot] = _entry(hashed, row)


@njit(nogil=True, cache=True)
def _probe(rows: Longs, slots: Longs, account: int) -> Any:
    """The slot that holds the account, or the empty one where it belongs."""
    mask = len(slots) - 1
    hashed = _hash(account)
    slot = np.int64(hashed >> np.uint64(32)) & mask
    while slots[slot] != _EMPTY:
        same_half = (np.uint64(slots[slot]) >> np.uint64(32)) == (hashed & _LOW)
        if same_half and rows[np.uint64(slots[slot]) & _LOW] == account:
            break
        slot = (slot + 1) & mask
    return slot


@njit(nogil=True, cache=True)
def upsert(rows: Longs, slots: Longs, used: int, account: Longs, found: Longs) -> int:
    """Find each account's row, or give it the next one; gives how many rows are used then."""
    for i in range(len(account)):
        slot = _probe(rows, slots, account[i])
        if slots[slot] == _EMPTY:
            slots[slot] = _entry(_hash(account[i]), used)
            rows[used] = account[i]
            used += 1
        found[i] = np.int64(np.uint64(slots[slot]) & _LOW)
    return used


@njit(nogil=True, cache=True)
def fill_filter(rows: Longs, words: Words) -> None:
    """Set the bit of each account."""
    shift = _shift(words)
    for row in range(len(rows)):
        bit = _hash(rows[row]) >> shift
        words[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))


@njit(nogil=True, cache=True)
def _shift(words: Words) -> Any:
    """By how much a hash is shifted to number one of the bits; there is a power of two of them."""
    shift = 58
    while (np.int64(1) << np.int64(64 - shift)) < 64 * len(words):
        shift -= 1
    return np.uint64(shift)


@njit(nogil=True, cache=True)
def _find(members: MemberTable, account: Longs, start: int, at: Longs, found: Longs) -> int:
    """Which of the accounts from `start` on are members, as many as `at` takes, and their rows; gives how many.

    In three loops, so that the looks into memory within a loop do not wait for each other.
    """
    rows, slots, words = members
    mask, shift = len(slots) - 1, _shift(words)
    passed, size = np.int64(0), 0
    for i in range(start, min(start + len(at), len(account))):
        bit = _hash(account[i]) >> shift
        at[passed] = i
        passed += np.int64((words[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1))
    for i in range(passed):
        hashed = _hash(account[at[i]])
        slot = np.int64(hashed >> np.uint64(32)) & mask
        while slots[slot] != _EMPTY and (np.uint64(slots[slot]) >> np.uint64(32)) != (hashed & _LOW):
            slot = (slot + 1) & mask
        found[i] = slots[slot]
    for i in range(passed):
        entry = found[i]
        if entry != _EMPTY and rows[np.uint64(entry) & _LOW] != account[at[i]]:
            entry = slots[_probe(rows, slots, account[at[i]])]
        if entry != _EMPTY:
            at[size], found[size] = at[i], np.int64(np.uint64(entry) & _LOW)
            size += 1
    return size


@njit(nogil=True, cache=True)
def scan(postings: Rows, members: MemberTable, first_tx: int, is_input: bool, side: Side) -> int:
    """Add up the rows of one side per transaction, and find those of members; gives how many these are."""
    tx, account, value = postings
    at, found = np.empty(_AHEAD, np.int64), np.empty(_AHEAD, np.int64)
    size = 0
    for i in range(len(tx)):
        t = tx[i] - first_tx
        side.total[t] += value[i]
        side.number[t] += value[i] > 0 or is_input
    for start in range(0, len(tx), _AHEAD):
        for k in range(_find(members, account, start, at, found)):
            i = at[k]
            if value[i] > 0 or is_input:
                side.place[size] = tx[i] - first_tx
                side.row[size] = found[k]
                side.sat[size] = value[i]
                size += 1
    return size


@njit(nogil=True, cache=True)
def add_up(
    side: Side,
    transactions: Transactions,
    members: Membership,
    sets: MiningSets,
    is_input: bool,
    balance: Longs,
    moved: Moved,
) -> None:
    """Add up what M0, and M0 with M1, have of the members' debits or credits (see postings.add_up).

    What an account ever moved counts in `balance` from the day it is a member.
    """
    for i in range(len(side.place)):
        place, member, sat = side.place[i], side.row[i], side.sat[i]
        now, day = transactions.first_tx + place, transactions.days[place]
        minted, paid = members.minted[member], members.paid[member]
        ours = members.exchange[member] >= 0
        in0 = minted != NEVER and (sets.exchanges0 or not ours)
        in1 = paid != NEVER and (sets.exchanges1 or not ours)
        if not in0 and not in1:
            continue
        hop0 = in0 and (sets.ever or minted <= now)
        hop1 = hop0 or (in1 and (sets.ever or paid <= now))
        # Days on their own, not that of the earlier tx: under the header clock a later one may have the earlier day.
        day0 = members.minted_day[member] if in0 and not sets.ever else 0
        day1 = members.paid_day[member] if in1 and not sets.ever else 0
        signed = -sat if is_input else sat
        if in0:
            balance[0, max(day, day0)] += signed
        within = min(day0, day1) if in0 and in1 else max(day0, day1)
        balance[1, max(day, within)] += signed
        at = transactions.touched_index[place]
        if hop0:
            moved.number0[at] += 1
            moved.total0[at] += sat
            moved.marks[i] |= 1
        if hop1:
            moved.number1[at] += 1
            moved.total1[at] += sat
            moved.marks[i] |= 2
