"""The loops behind signers.py and closure.py, compiled by numba."""

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Longs = NDArray[np.int64]
Numbers = NDArray[np.uint32]
States = NDArray[np.uint16]
Bools = NDArray[np.bool_]

FREE: Final = 0
"""States of an account: nobody's; of the exchange with the number one less; claimed in this round for that exchange
(with the highest bit set); claimed in this round for several; never to be claimed."""
CLAIMED: Final = 0x8000
CONTESTED: Final = 0xFFFE
TAKEN: Final = 0xFFFF

_SMALLEST_MIX: Final = 3
"""A CoinJoin-like transaction has at least so many equal outputs and input accounts (methodology 3)."""

_FEW: Final = 32
"""So many numbers are sorted fastest by insertion."""


class Lists(NamedTuple):
    """The lists of signers.CommonInputs that a round goes through."""

    first_transaction: Longs
    transaction: Numbers
    first_signer: Longs
    signer: Numbers


class Claimed(NamedTuple):
    """Claims on accounts, to be filled from the front."""

    account: Numbers
    """Account numbers."""
    by: Longs
    """The transaction that claims it, times 65536, plus the number of the exchange."""


@njit(nogil=True, cache=True)
def distinct_inputs(tx: Longs, account: Longs, first_tx: int, signers: Longs) -> int:
    """Move the distinct input accounts of transactions that have several to the front of both columns.

    Gives how many rows that makes. `signers`, by tx minus `first_tx`, gets the number of them, 0 where it is one.
    Within a transaction accounts get into order.
    """
    size, start = 0, 0
    while start < len(tx):
        end = _end(tx, start)
        now = tx[start]
        if end - start > 1:
            _sort(account[start:end])
            number = 0
            for i in range(start, end):
                if i == start or account[i] != account[i - 1]:
                    number += 1
            if number > 1:
                signers[now - first_tx] = number
                size = _keep_distinct(account, start, end, size)
        start = end
    return size


@njit(nogil=True, cache=True)
def _keep_distinct(account: Longs, start: int, end: int, size: int) -> int:
    """Put the different ones among sorted accounts at `size` and after, never behind where they are read."""
    previous = account[start]
    for i in range(start, end):
        now = account[i]
        if i == start or now != previous:
            account[size] = now
            size += 1
        previous = now
    return size


@njit(nogil=True, cache=True)
def are_coinjoins(tx: Longs, value: Longs, first_tx: int, signers: Longs) -> Any:
    """Whether each transaction, by tx minus `first_tx`, is CoinJoin-like; sorts the values of some in place.

    With k the highest number of outputs of one same value: k >= 3, at least k distinct input accounts, and 2k >=
    number of outputs; zero values count (methodology 3, 9.5).
    """
    found = np.zeros(len(signers), np.bool_)
    start = 0
    while start < len(tx):
        end = _end(tx, start)
        place = tx[start] - first_tx
        if end - start >= _SMALLEST_MIX and signers[place] >= _SMALLEST_MIX:
            k = _longest_run(value[start:end])
            found[place] = k >= _SMALLEST_MIX and signers[place] >= k and 2 * k >= end - start
        start = end
    return found


@njit(nogil=True, cache=True)
def _end(tx: Longs, start: int) -> int:
    end = start + 1
    while end < len(tx) and tx[end] == tx[start]:
        end += 1
    return end


@njit(nogil=True, cache=True)
def _longest_run(value: Longs) -> int:
    _sort(value)
    longest, run = 1, 1
    for i in range(1, len(value)):
        run = run + 1 if value[i] == value[i - 1] else 1
        longest = max(longest, run)
    return longest


@njit(nogil=True, cache=True)
def _sort(numbers: Longs) -> None:
    if len(numbers) > _FEW:
        numbers.sort()
        return
    for i in range(1, len(numbers)):
        now, j = numbers[i], i
        while j > 0 and numbers[j - 1] > now:
            numbers[j] = numbers[j - 1]
            j -= 1
        numbers[j] = now


@njit(nogil=True, cache=True)
def claimants(frontier: Numbers, state: States, lists: Lists, low: int, high: int, found: Longs) -> int:
    """Fill `found` with the transactions from `low` to below `high` that accounts of exchanges sign; gives how many."""
    first, transaction = lists.first_transaction, lists.transaction
    size = 0
    for i in range(len(frontier)):
        exchange = np.int64(state[frontier[i]]) - 1
        for at in range(first[frontier[i]], first[frontier[i] + 1]):
            if low <= transaction[at] < high:
                found[size] = np.int64(transaction[at]) << 16 | exchange
                size += 1
    return size


@njit(nogil=True, cache=True)
def claim(claimants: Longs, start: int, state: States, lists: Lists, claimed: Claimed) -> tuple[int, int]:
    """Claim the free signers of transactions; gives how far it came, and how many were claimed for the first time."""
    first, signer = lists.first_signer, lists.signer
    size = 0
    for i in range(start, len(claimants)):
        now, mark = claimants[i] >> 16, np.uint16(CLAIMED | ((claimants[i] & 0xFFFF) + 1))
        if size + first[now + 1] - first[now] > len(claimed.account):
            return i, size
        for at in range(first[now], first[now + 1]):
            known = state[signer[at]]
            if known == FREE:
                state[signer[at]] = mark
                claimed.account[size], claimed.by[size] = signer[at], claimants[i]
                size += 1
            elif known >= CLAIMED and known < CONTESTED and known != mark:
                state[signer[at]] = CONTESTED
    return len(claimants), size


@njit(nogil=True, cache=True)
def contested_claims(
    claimants: Longs, start: int, state: States, lists: Lists, claimed: Claimed
) -> tuple[int, int]:
    """Every claim on a contested account; gives how far it came, and how many there are."""
    first, signer = lists.first_signer, lists.signer
    size = 0
    for i in range(start, len(claimants)):
        now = claimants[i] >> 16
        if size + first[now + 1] - first[now] > len(claimed.account):
            return i, size
        for at in range(first[now], first[now + 1]):
            if state[signer[at]] == CONTESTED:
                claimed.account[size], claimed.by[size] = signer[at], claimants[i]
                size += 1
    return len(claimants), size
