"""The loops behind day_figures.py, compiled by numba: payments of a range, and the accounts that hold something."""

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from reflow.blocks.kernels import is_among, is_in_sorted
from reflow.ledger.days import Longs, Rows

_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
"""2**64 over the golden ratio: spreads account ids over the slots (Knuth, TAOCP 6.4)."""
_MANY: Final = 1024
"""Inputs times outputs from which on the inputs are sorted first."""


class Slots(NamedTuple):
    """A hash table of the accounts whose balance is not 0, with linear probing; a slot with balance 0 is empty."""

    account: Longs
    """As many slots as a power of two."""
    balance: Longs
    """Sat; below 0 only in a ledger that lacks what its inputs spend."""


class Sums(NamedTuple):
    """Amounts of transactions."""

    tx: Longs
    value: Longs
    """Sat."""


@njit(nogil=True, cache=True)
def pay(debits: Rows, gains: Rows, fees: Sums, transfers: Sums) -> Any:
    """Fees and transfers of the transactions that have inputs; gives how many there are of each.

    `gains` are credits above 0. A transfer is a positive output whose account is not among the inputs' of its
    transaction (methodology 6, TxTfrCnt).
    """
    fee_count = transfer_count = np.int64(0)
    first, output = 0, 0
    while first < len(debits.tx):
        tx = debits.tx[first]
        last, left = first, np.int64(0)
        while last < len(debits.tx) and debits.tx[last] == tx:
            left += debits.value[last]
            last += 1
        while output < len(gains.tx) and gains.tx[output] < tx:
            output += 1
        end = output
        while end < len(gains.tx) and gains.tx[end] == tx:
            end += 1
        inputs = debits.account[first:last]
        many = len(inputs) * (end - output) > _MANY
        if many:
            inputs = np.sort(inputs)
        for k in range(output, end):
            left -= gains.value[k]
            account = gains.account[k]
            back = is_in_sorted(account, inputs) if many else is_among(account, inputs, 0, len(inputs))
            if not back:
                transfers.tx[transfer_count], transfers.value[transfer_count] = tx, gains.value[k]
                transfer_count += 1
        fees.tx[fee_count], fees.value[fee_count] = tx, left
        fee_count += 1
        first, output = last, end
    return fee_count, transfer_count


@njit(nogil=True, cache=True)
def _home(account: int, mask: int) -> Any:
    return np.int64((np.uint64(account) * _MULTIPLIER) >> np.uint64(32)) & mask


@njit(nogil=True, cache=True)
def _probe(slots: Slots, account: int) -> Any:
    """The slot that holds the account, or the empty one where it belongs."""
    mask = len(slots.account) - 1
    slot = _home(account, mask)
    while slots.balance[slot] != 0 and slots.account[slot] != account:
        slot = (slot + 1) & mask
    return slot


@njit(nogil=True, cache=True)
def _remove(slots: Slots, slot: int) -> None:
    """Empty a slot, and move those behind it up that would not be found any more (Knuth, TAOCP 6.4, algorithm R)."""
    mask = len(slots.account) - 1
    hole = slot
    slots.balance[hole] = 0
    while True:
        slot = (slot + 1) & mask
        if slots.balance[slot] == 0:
            return
        home = _home(slots.account[slot], mask)
        if ((slot - home) & mask) >= ((slot - hole) & mask):
            slots.account[hole], slots.balance[hole] = slots.account[slot], slots.balance[slot]
            slots.balance[slot] = 0
            hole = slot


@njit(nogil=True, cache=True)
def change(
    slots: Slots, used: int, limit: int, accounts: Longs, changes: Longs, start: int, mask: int, part: int
) -> Any:
    """Add `changes` to the balances of those of `accounts` from `start` on whose lowest bits under `mask` are `part`.

    Stops when `limit` slots are used. Gives the row that it came to, the slots used, and by how much the number of
    accounts with a balance above 0 changed.
    """
    holders = np.int64(0)
    for row in range(start, len(accounts)):
        if changes[row] == 0 or (accounts[row] & mask) != part:
            continue
        slot = _probe(slots, accounts[row])
        before = slots.balance[slot]
        if before == 0:
            if used >= limit:
                return row, used, holders
            slots.account[slot] = accounts[row]
            used += 1
        after = before + changes[row]
        holders += np.int64(after > 0) - np.int64(before > 0)
        if after == 0:
            _remove(slots, slot)
            used -= 1
        else:
            slots.balance[slot] = after
    return len(accounts), used, holders


@njit(nogil=True, cache=True)
def rehash(old: Slots, new: Slots) -> None:
    """Put all that `old` holds into `new`, which is empty."""
    for slot in range(len(old.account)):
        if old.balance[slot] != 0:
            place = _probe(new, old.account[slot])
            new.account[place], new.balance[place] = old.account[slot], old.balance[slot]


@njit(nogil=True, cache=True)
def group(order: Longs, accounts: Longs, signed: Longs, inputs: int, found: Longs, changes: Longs) -> Any:
    """One row for each distinct account of a day: `found` and what its balance changed by, in `changes`.

    `order` sorts `accounts`; rows below `inputs` are debits, the others positive credits; `signed` has debits negative.
    Gives how many accounts there are, how many of them are debited and how many credited.
    """
    count = sent = received = np.int64(0)
    start = 0
    while start < len(order):
        account = accounts[order[start]]
        total = np.int64(0)
        debited = credited = False
        end = start
        while end < len(order) and accounts[order[end]] == account:
            row = order[end]
            total += signed[row]
            if row < inputs:
                debited = True
            else:
                credited = True
            end += 1
        found[count], changes[count] = account, total
        count += 1
        sent += np.int64(debited)
        received += np.int64(credited)
        start = end
    return count, sent, received
