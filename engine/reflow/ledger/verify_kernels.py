"""The loops that count a range of the ledger anew and follow its coins, compiled by numba; they release the GIL."""

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reflow.blocks.kernels import mix
from reflow.network import MAX_MONEY

# Columns of the sums per block.
FEES, CLAIMED, TRANSFER_COUNT, TRANSFER_VALUE, DIGEST, FIRST_CREDIT, LAST_CREDIT, SUMS = range(8)

# What can be wrong in a transaction.
DEBIT_RANGE: Final = 0
CREDIT_RANGE: Final = 1
OVERSPENT: Final = 2
COINBASE_DEBITS: Final = 3
NO_DEBITS: Final = 4
NO_CREDITS: Final = 5
NOT_CREDITED: Final = 6

Longs = NDArray[np.int64]

_FEW: Final = 1024
"""Pairs of a debit and a credit up to which it is quicker to compare all than to sort."""
_TOO_MUCH: Final = np.int64(1) << 61
"""Where a sum stops, so that it cannot wrap round."""


class Postings(NamedTuple):
    """Rows of `debit` or `credit`, in chain order; tx counts from the start of the range."""

    tx: Longs
    account: Longs
    value: Longs


class Noted(NamedTuple):
    """What is wrong."""

    faults: Longs
    """faults[k] = (code, transaction, found, expected) of the first faults."""
    total: Longs
    """total[0] is how many there are in all."""


@njit(nogil=True, cache=True)
def _note(noted: Noted, code: int, tx: int, found: int, expected: int) -> None:
    faults, total = noted
    if total[0] < len(faults):
        faults[total[0], 0] = code
        faults[total[0], 1] = tx
        faults[total[0], 2] = found
        faults[total[0], 3] = expected
    total[0] += 1


@njit(nogil=True, cache=True)
def _is_transfer(debits: Any, first: int, last: int, account: int) -> bool:
    """Whether none of the debits first .. last - 1 is of the account."""
    for k in range(first, last):  # noqa: SIM110  # numba compiles loops, not generators in all()
        if debits[k] == account:
            return False
    return True


@njit(nogil=True, cache=True)
def _add_transfers(
    sums: Any, debits: Postings, d0: int, d1: int, credited: Postings, o0: int, o1: int
) -> None:
    """Count and sum the positive credits o0 .. o1 - 1 whose account is not among those of the debits d0 .. d1 - 1."""
    is_sorted = (d1 - d0) * (o1 - o0) > _FEW
    known = np.sort(debits.account[d0:d1]) if is_sorted else debits.account
    for k in range(o0, o1):
        if credited.value[k] <= 0:
            continue
        if is_sorted:
            i = np.searchsorted(known, credited.account[k])
            moved = i == len(known) or known[i] != credited.account[k]
        else:
            moved = _is_transfer(debits.account, d0, d1, credited.account[k])
        if moved:
            sums[TRANSFER_COUNT] += 1
            sums[TRANSFER_VALUE] += credited.value[k]


@njit(nogil=True, cache=True)
def _total(values: Any, first: int, last: int, code: int, tx: int, noted: Noted) -> Any:
    """Sum of values first .. last - 1, each of which has to be an amount."""
    total = np.int64(0)
    for k in range(first, last):
        if values[k] < 0 or values[k] > MAX_MONEY:
            _note(noted, code, tx, values[k], MAX_MONEY)
        total = min(total + min(max(values[k], -_TOO_MUCH), _TOO_MUCH), _TOO_MUCH)
    return total


@njit(nogil=True, cache=True)
def count_anew(
    bounds: Longs, txids: Longs, debits: Postings, credited: Postings, sums: Longs, noted: Noted
) -> None:
    """The sums of each block from its rows, and every transaction that pays more than it spends.

    Block b has the transactions bounds[b] .. bounds[b + 1] - 1, counted from the start of the range; txids is
    (transactions, 4), 8 bytes of the txid in each. Fills sums[b] and `noted`.
    """
    d = 0
    o = 0
    for b in range(len(bounds) - 1):
        row = sums[b]
        row[:] = 0
        row[FIRST_CREDIT] = o
        row[LAST_CREDIT] = o
        digest = np.uint64(0)
        for t in range(bounds[b], bounds[b + 1]):
            d0 = d
            o0 = o
            while d < len(debits.tx) and debits.tx[d] == t:
                d += 1
            while o < len(credited.tx) and credited.tx[o] == t:
                o += 1
            place = 4 * (t - bounds[b])
            digest += mix(txids[t, 0], txids[t, 1], place) + mix(txids[t, 2], txids[t, 3], place + 1)
            for k in range(o0, o):
                digest += mix(credited.account[k], credited.value[k], place + 2)
            for k in range(d0, d):
                digest += mix(debits.account[k], debits.value[k], place + 3)
            drawn = _total(debits.value, d0, d, DEBIT_RANGE, t, noted)
            paid = _total(credited.value, o0, o, CREDIT_RANGE, t, noted)
            if o == o0:
                _note(noted, NO_CREDITS, t, 0, 1)
            if t == bounds[b]:
                row[CLAIMED] = paid
                row[LAST_CREDIT] = o
                if d > d0:
                    _note(noted, COINBASE_DEBITS, t, d - d0, 0)
                continue
            if d == d0:
                _note(noted, NO_DEBITS, t, 0, 1)
            if drawn < paid:
                _note(noted, OVERSPENT, t, drawn, paid)
            row[FEES] += drawn - paid
            _add_transfers(row, debits, d0, d, credited, o0, o)
        row[DIGEST] = np.int64(digest)


# Columns of the table of coins that are not spent yet, a row for each account and value; 0 left marks a free row.
ACCOUNT, VALUE, LEFT, COIN_COLUMNS = range(4)


@njit(nogil=True, cache=True)
def _slot(number: Any, mask: int) -> Any:
    """Where the coin with this fingerprint is looked for first; its lowest bits are those of its part."""
    return np.int64(number >> np.uint64(20)) & mask


@njit(nogil=True, cache=True)
def _find(coins: Longs, account: int, value: int, slot: int, mask: int) -> Any:
    """The slot that has these coins, or the free one where they belong, from `slot` on."""
    while coins[slot, LEFT] != 0 and (coins[slot, ACCOUNT] != account or coins[slot, VALUE] != value):
        slot = (slot + 1) & mask
    return slot


@njit(nogil=True, cache=True)
def _empty(coins: Longs, slot: int, mask: int) -> None:
    """Empty a slot; coins behind it that would not be found any more move up."""
    free = slot
    while True:
        slot = (slot + 1) & mask
        if coins[slot, LEFT] == 0:
            break
        first = _slot(mix(coins[slot, ACCOUNT], coins[slot, VALUE], 0), mask)
        if ((slot - first) & mask) >= ((slot - free) & mask):
            for column in range(COIN_COLUMNS):
                coins[free, column] = coins[slot, column]
            free = slot
    coins[free, LEFT] = 0


@njit(nogil=True, cache=True)
def follow_coins(
    coins: Longs, used: int, debits: Postings, credited: Postings, parts: int, part: int, noted: Noted
) -> Any:
    """Take each debit's coin off, put each credit's on, in chain order, and note the debits that have none.

    Of a transaction the debits come first: it cannot spend what it pays. Only coins of the part `part` of `parts` (a
    power of two) are looked at. Gives the slots used, or -1 when the table is too full to go on.
    """
    mask = len(coins) - 1
    limit = len(coins) // 4 * 3
    last = np.uint64(parts - 1)
    d = 0
    o = 0
    while d < len(debits.tx) or o < len(credited.tx):
        spends = o == len(credited.tx) or (d < len(debits.tx) and debits.tx[d] <= credited.tx[o])
        account, value = (
            (debits.account[d], debits.value[d]) if spends else (credited.account[o], credited.value[o])
        )
        number = mix(account, value, 0)
        if number & last == np.uint64(part):
            slot = _find(coins, account, value, _slot(number, mask), mask)
            if not spends:
                if coins[slot, LEFT] == 0:
                    if used >= limit:
                        return -1
                    coins[slot, ACCOUNT], coins[slot, VALUE] = account, value
                    used += 1
                coins[slot, LEFT] += 1
            elif coins[slot, LEFT] == 0:
                _note(noted, NOT_CREDITED, debits.tx[d], account, value)
            elif coins[slot, LEFT] > 1:
                coins[slot, LEFT] -= 1
            else:
                _empty(coins, slot, mask)
                used -= 1
        if spends:
            d += 1
        else:
            o += 1
    return used
