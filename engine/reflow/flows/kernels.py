# mypy: disable-error-code="untyped-decorator"
"""The loops behind members.py, compiled by numba; every argument is a column and the last ones are filled."""

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reflow.entities.hops import NEVER

Longs = NDArray[np.int64]
Ints = NDArray[np.int32]
Shorts = NDArray[np.int16]
Bools = NDArray[np.bool_]

MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
"""2**64 over the golden ratio: spreads account ids of any kind over the slots (Knuth, TAOCP 6.4)."""

AHEAD: Final = 512
"""Accounts looked up at once."""
EMPTY: Final = -1
_LOW: Final = np.uint64(0xFFFFFFFF)


@njit(nogil=True, cache=True)
def _hash(account: int) -> Any:
    return np.uint64(account) * MULTIPLIER


@njit(nogil=True, cache=True)
def _entry(hashed: Any, row: int) -> Any:
    """What a slot holds: the half of the hash that does not choose the slot, and the row."""
    return np.int64(((hashed & _LOW) << np.uint64(32)) | np.uint64(row))


@njit(nogil=True, cache=True)
def index(rows: Any, slots: Longs) -> None:
    """Fill the empty hash table with the members."""
    mask = len(slots) - 1
    for row in range(len(rows)):
        hashed = _hash(rows[row].account)
        slot = np.int64(hashed >> np.uint64(32)) & mask
        while slots[slot] != EMPTY:
            slot = (slot + 1) & mask
        slots[slot] = _entry(hashed, row)


@njit(nogil=True, cache=True)
def _probe(rows: Any, slots: Longs, account: int) -> Any:
    """The slot that holds the account, or the empty one where it belongs."""
    mask = len(slots) - 1
    hashed = _hash(account)
    slot = np.int64(hashed >> np.uint64(32)) & mask
    while slots[slot] != EMPTY:
        same_half = (np.uint64(slots[slot]) >> np.uint64(32)) == (hashed & _LOW)
        if same_half and rows[np.uint64(slots[slot]) & _LOW].account == account:
            break
        slot = (slot + 1) & mask
    return slot


@njit(nogil=True, cache=True)
def _find(rows: Any, slots: Longs, account: Longs, start: int, found: Longs) -> None:
    """Row of each of the accounts from `start` on, -1 where there is none, as many as `found` takes.

    In two loops, so that the looks into memory within a loop do not wait for each other.
    """
    mask = len(slots) - 1
    size = min(len(found), len(account) - start)
    for i in range(size):
        hashed = _hash(account[start + i])
        slot = np.int64(hashed >> np.uint64(32)) & mask
        while slots[slot] != EMPTY and (np.uint64(slots[slot]) >> np.uint64(32)) != (hashed & _LOW):
            slot = (slot + 1) & mask
        found[i] = EMPTY if slots[slot] == EMPTY else np.int64(np.uint64(slots[slot]) & _LOW)
    for i in range(size):
        if found[i] != EMPTY and rows[found[i]].account != account[start + i]:
            entry = slots[_probe(rows, slots, account[start + i])]
            found[i] = EMPTY if entry == EMPTY else np.int64(np.uint64(entry) & _LOW)


@njit(nogil=True, cache=True)
def upsert(rows: Any, slots: Longs, used: int, account: Longs, found: Longs) -> int:
    """Find each account's row, or give it one that says nothing of it; gives how many rows are used then."""
    for i in range(len(account)):
        slot = _probe(rows, slots, account[i])
        if slots[slot] == EMPTY:
            slots[slot] = _entry(_hash(account[i]), used)
            rows[used].account = account[i]
            rows[used].since0 = NEVER
            rows[used].since1 = NEVER
            rows[used].exchange = -1
            used += 1
        found[i] = np.int64(np.uint64(slots[slot]) & _LOW)
    return used


@njit(nogil=True, cache=True)
def lower_since1(rows: Any, at: Longs, since1: Longs, exchanges_too: bool) -> None:
    """Make `since1` of those rows the lowest of what it is and what is given."""
    for i in range(len(at)):
        row = at[i]
        if exchanges_too or rows[row].exchange < 0:
            rows[row].since1 = min(rows[row].since1, since1[i])


@njit(nogil=True, cache=True)
def add_up(
    tx: Longs,
    account: Longs,
    value: Longs,
    rows: Any,
    slots: Longs,
    first_tx: int,
    days: Ints,
    is_input: bool,
    balance: Longs,
    total: Longs,
    total0: Longs,
    total1: Longs,
    count: Ints,
    count0: Ints,
    count1: Ints,
    found_tx: Longs,
    found_exchange: Shorts,
    found_hop0: Bools,
    found_hop1: Bools,
    found_value: Longs,
) -> int:
    """Add up the rows of one side; gives how many of them are an exchange's (see members.add_up)."""
    size = 0
    found = np.empty(AHEAD, np.int64)
    for i in range(len(tx)):
        if i % AHEAD == 0:
            _find(rows, slots, account, i, found)
        t, sat = tx[i] - first_tx, value[i]
        total[t] += sat
        count[t] += 1
        row = found[i % AHEAD]
        if row < 0 or (sat == 0 and not is_input):
            continue
        member = rows[row]
        hop0 = member.since0 <= tx[i]
        hop1 = member.since1 <= tx[i]
        _change_balance(balance, member, days[t], -sat if is_input else sat)
        if hop0:
            total0[t] += sat
            count0[t] += 1
        if hop1:
            total1[t] += sat
            count1[t] += 1
        if member.exchange >= 0:
            found_tx[size] = tx[i]
            found_exchange[size] = member.exchange
            found_hop0[size] = hop0
            found_hop1[size] = hop1
            found_value[size] = sat
            size += 1
    return size


@njit(nogil=True, cache=True)
def _change_balance(balance: Longs, member: Any, day: Any, sat: int) -> None:
    """What an account ever moved counts from the day it is a member."""
    if member.since0 != NEVER:
        balance[0, max(day, member.day0)] += sat
    if member.since1 != NEVER:
        balance[1, max(day, member.day1)] += sat


@njit(nogil=True, cache=True)
def add_up_exchanges(
    tx_in: Longs,
    exchange_in: Shorts,
    hop0_in: Bools,
    hop1_in: Bools,
    value_in: Longs,
    tx_out: Longs,
    exchange_out: Shorts,
    hop0_out: Bools,
    hop1_out: Bools,
    value_out: Longs,
    tx: Longs,
    exchange: Shorts,
    inputs_e: Longs,
    debit_e: Longs,
    credit_e: Longs,
    debit_e0: Longs,
    credit_e0: Longs,
    debit_e1: Longs,
    credit_e1: Longs,
) -> int:
    """Merge both sides by tx; the rows of a transaction start with the one of all exchanges."""
    i, o, size = 0, 0, 0
    while i < len(tx_in) or o < len(tx_out):
        only_in = o == len(tx_out) or (i < len(tx_in) and tx_in[i] < tx_out[o])
        now = tx_in[i] if only_in else tx_out[o]
        start, size = size, size + 1
        tx[start], exchange[start] = now, -1
        while i < len(tx_in) and tx_in[i] == now:
            row = _row_of(exchange, start + 1, size, exchange_in[i])
            if row == size:
                tx[row], exchange[row], size = now, exchange_in[i], size + 1
            for at in (start, row):
                inputs_e[at] += 1
                debit_e[at] += value_in[i]
                debit_e0[at] += value_in[i] if hop0_in[i] else 0
                debit_e1[at] += value_in[i] if hop1_in[i] else 0
            i += 1
        while o < len(tx_out) and tx_out[o] == now:
            row = _row_of(exchange, start + 1, size, exchange_out[o])
            if row == size:
                tx[row], exchange[row], size = now, exchange_out[o], size + 1
            for at in (start, row):
                credit_e[at] += value_out[o]
                credit_e0[at] += value_out[o] if hop0_out[o] else 0
                credit_e1[at] += value_out[o] if hop1_out[o] else 0
            o += 1
    return size


@njit(nogil=True, cache=True)
def _row_of(exchange: Shorts, start: int, end: int, wanted: int) -> int:
    """Row of the exchange among those of one transaction, `end` if it has none yet."""
    for row in range(start, end):
        if exchange[row] == wanted:
            return row
    return end
