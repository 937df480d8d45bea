"""The rounds of the common-input closure (methodology 3, 9.6), over the lists of `find_common_inputs`.

A round reads only the accounts that joined in the round before, the transactions that they sign, and the other signers
of these, however long the chain is. Each account has one number, its state.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import numpy as np

from reflow.owners import kernels as kernels
from reflow.owners.kernels import CONTESTED, TAKEN, Claimed, Lists, Longs, Numbers, States
from reflow.owners.signers import CommonInputs

_CHUNK: Final = 1 << 20
"""Claims are handed on in chunks of about so many; more than a block has inputs."""

_BYTES_PER_CLAIMANT: Final = 24
"""While they are collected and sorted."""

Found = Literal["joined", "conflict", "coinjoin"]


class Claims(NamedTuple):
    """Accounts that transactions claim, each for an exchange."""

    account: Longs
    exchange: Longs
    """Number of the exchange."""
    tx: Longs


Record = Callable[[Found, int, Claims], None]
"""Called with the claims of a round and the number of the round, a chunk at a time.

`joined`: a row for each account, with the first transaction in chain order that claims it. `conflict`: every claim on
an account that two or more exchanges claim. `coinjoin`: the CoinJoin-like transactions that an exchange signs, without
an account (-1).
"""


def close(lists: CommonInputs, labelled: Claims, others: Longs, memory: int, record: Record) -> int:
    """Run rounds until one adds nothing; gives the number of rounds that added accounts.

    `labelled` are the accounts of exchanges before the first round, without a transaction. `others` are the accounts
    that cannot be claimed. Both may be missing in the lists. About `memory` bytes hold transactions at a time; each
    account of the lists takes two bytes more, and each account that joins in a round twelve.
    """
    state = np.zeros(len(lists.account), np.uint16)
    _, taken = _numbers(lists, others)
    state[taken] = TAKEN
    known, joined = _numbers(lists, labelled.account)
    state[joined] = labelled.exchange[known] + 1
    rounds = 0
    while len(joined):
        joined = _join(lists, state, np.sort(joined), rounds + 1, memory, record)
        rounds += bool(len(joined))
    return rounds


def _numbers(lists: CommonInputs, account: Longs) -> tuple[Longs, Numbers]:
    """Which of the accounts are in the lists, and their numbers."""
    number = np.searchsorted(lists.account, account)
    inside = np.flatnonzero(number < len(lists.account))
    known = inside[lists.account[number[inside]] == account[inside]]
    return known, number[known].astype(np.uint32)


def _join(
    lists: CommonInputs, state: States, frontier: Numbers, number: int, memory: int, record: Record
) -> Numbers:
    """One round; gives the accounts that joined."""
    claimed, first = [np.empty(0, np.uint32)], [np.empty(0, np.uint32)]
    for claimants in _claimants(lists, state, frontier, memory):
        transaction, exchange = claimants >> 16, claimants & 0xFFFF
        mixed = lists.coinjoin[transaction]
        record("coinjoin", number, _claims(lists, None, exchange[mixed], transaction[mixed]))
        for account, by in _chunks(kernels.claim, lists, state, claimants[~mixed]):
            claimed.append(account)
            first.append((by >> 16).astype(np.uint32))
    accounts, transactions = np.concatenate(claimed), np.concatenate(first)
    contested = state[accounts] == CONTESTED
    if contested.any():
        _record_conflicts(lists, state, frontier, number, memory, record)
        state[accounts[contested]] = TAKEN
    joined: Numbers = accounts[~contested]
    state[joined] &= 0x7FFF  # no more a claim of this round, but a member from the next on
    record(
        "joined", number, _claims(lists, joined, state[joined].astype(np.int64) - 1, transactions[~contested])
    )
    return joined


def _record_conflicts(
    lists: CommonInputs, state: States, frontier: Numbers, number: int, memory: int, record: Record
) -> None:
    """Go through the round's transactions once more, for all claims on the contested accounts."""
    for claimants in _claimants(lists, state, frontier, memory):
        pure = claimants[~lists.coinjoin[claimants >> 16]]
        for account, by in _chunks(kernels.contested_claims, lists, state, pure):
            record("conflict", number, _claims(lists, account, by & 0xFFFF, by >> 16))


def _claimants(lists: CommonInputs, state: States, frontier: Numbers, memory: int) -> Iterator[Longs]:
    """The transactions that the accounts sign: transaction * 65536 + exchange, sorted, unique.

    In parts of consecutive transactions, each as large as memory allows.
    """
    begins = lists.first_transaction
    size = int((begins[frontier.astype(np.int64) + 1] - begins[frontier]).sum())
    parts = max(1, -(-size * _BYTES_PER_CLAIMANT // memory))
    bounds = np.linspace(0, len(lists.tx), parts + 1).astype(np.int64)
    for low, high in pairwise(bounds):
        found = np.empty(size, np.int64)
        used = kernels.claimants(frontier, state, _columns(lists), low, high, found)
        lists.arrays.release()
        yield _sorted_once(found[:used])


def _sorted_once(numbers: Longs) -> Longs:
    """Sort in place and drop repeats; numpy's `unique` uses a hash table and takes ten times as long."""
    numbers.sort()
    once: Longs = numbers[np.concatenate([[True], numbers[1:] != numbers[:-1]])[: len(numbers)]]
    return once


def _chunks(
    kernel: Callable[..., tuple[int, int]], lists: CommonInputs, state: States, claimants: Longs
) -> Iterator[tuple[Numbers, Longs]]:
    """What the kernel finds among the signers of the transactions: account numbers and who claims them."""
    done = 0
    while done < len(claimants):
        claimed = Claimed(np.empty(_CHUNK, np.uint32), np.empty(_CHUNK, np.int64))
        done, size = kernel(claimants, done, state, _columns(lists), claimed)
        lists.arrays.release()
        yield claimed.account[:size].copy(), claimed.by[:size].copy()


def _columns(lists: CommonInputs) -> Lists:
    return Lists(lists.first_transaction, lists.transaction, lists.first_signer, lists.signer)


def _claims(lists: CommonInputs, account: Numbers | None, exchange: Longs, transaction: Longs) -> Claims:
    numbers = np.full(len(exchange), -1) if account is None else lists.account[account]
    return Claims(np.asarray(numbers, np.int64), exchange.astype(np.int64), lists.tx[transaction])
