"""Accounts, spendable coins in bags, and the transaction in the making: kernels that move coins into it.

An account is a number: role, entity and a running number.

There is a bag for all users, one for all miners, one for each pool, for each exchange's hot wallets and for
each exchange's deposits. A bag has a limit; what does not fit into it is never spent again, so memory is
bounded while the set of unspent outputs grows, as on mainnet.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

USER: Final = 0
MINER: Final = 1
POOL: Final = 2
HOT: Final = 3
DEPOSIT: Final = 4
STORE: Final = 5
"""Roles of accounts; what a STORE receives is never spent."""

POOLS: Final = 12
EXCHANGES: Final = 18

USER_BAG: Final = 0
MINER_BAG: Final = 1
POOL_BAGS: Final = 2
HOT_BAGS: Final = POOL_BAGS + POOLS
DEPOSIT_BAGS: Final = HOT_BAGS + EXCHANGES

MAX_INPUTS: Final = 300
MAX_OUTPUTS: Final = 400


# Columns of a coin, 64 bytes in all; the first four are its txid.
VOUT: Final = 4
VALUE: Final = 5
ACCOUNT: Final = 6
CODE: Final = 7
"""2 * height + 1 for a coinbase's coin, 2 * height for others."""

# Columns of a bag.
START: Final = 0
HELD: Final = 1
LIMIT: Final = 2

# Columns of an output.
PAID_ACCOUNT: Final = 0
PAID_VALUE: Final = 1


class Coins(NamedTuple):
    """Spendable coins: those of a bag are the rows from its START on, HELD many."""

    rows: NDArray[np.int64]
    bags: NDArray[np.int64]


class Transfer(NamedTuple):
    """The transaction in the making."""

    inputs: NDArray[np.int64]
    """Rows of coins."""
    outputs: NDArray[np.int64]
    """Whom it pays what (sat)."""
    counts: NDArray[np.int64]
    """Number of inputs, number of outputs."""


def empty_coins(users: int) -> Coins:
    """Empty bags, the users' for `users` coins."""
    limits = [users, users // 10, *[1_000] * POOLS, *[2_000] * EXCHANGES, *[users // 20] * EXCHANGES]
    limit = np.array(limits, np.int64)
    bags = np.stack([np.cumsum(limit) - limit, np.zeros_like(limit), limit], axis=1)
    return Coins(np.zeros((sum(limits), 8), np.int64), bags)


def empty_transfer() -> Transfer:
    """Room for one transaction."""
    inputs, outputs = np.zeros((MAX_INPUTS, 8), np.int64), np.zeros((MAX_OUTPUTS, 2), np.int64)
    return Transfer(inputs, outputs, np.zeros(2, np.int64))


@njit(cache=True)
def mix(number):
    """Scatter 64 bits (the finalizer of SplitMix64)."""
    z = np.uint64(number)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def account_number(role, entity, number):
    """The account `number` of `entity` (both count from 0) in a role."""
    return np.int64(role) << 56 | np.int64(entity) << 40 | np.int64(number)


@njit(cache=True)
def roll(dice, sides):
    """A number from 0 to sides - 1; dice[0] is the state of a SplitMix64 generator."""
    dice[0] += np.uint64(0x9E3779B97F4A7C15)
    return np.int64(((mix(dice[0]) >> np.uint64(32)) * np.uint64(sides)) >> np.uint64(32))


@njit(cache=True)
def put_coin(coins, txid, vout, value, account, code):
    """Put a coin into the bag of its account, if that is not full; `txid` is four words."""
    role, entity = account >> 56, (account >> 40) & 0xFFFF
    if role == STORE:
        return
    bag = USER_BAG
    if role == MINER:
        bag = MINER_BAG
    elif role == POOL:
        bag = POOL_BAGS + entity
    elif role == HOT:
        bag = HOT_BAGS + entity
    elif role == DEPOSIT:
        bag = DEPOSIT_BAGS + entity
    start, held, limit = coins.bags[bag]
    if held == limit:
        return
    coins.bags[bag, HELD] += 1
    row = coins.rows[start + held]
    for word in range(4):
        row[word] = txid[word]
    row[VOUT], row[VALUE], row[ACCOUNT], row[CODE] = vout, value, account, code


@njit(cache=True)
def _copy(target, i, source, j):
    for column in range(8):
        target[i, column] = source[j, column]


@njit(cache=True)
def spend(coins, transfer, dice, bag, wanted):
    """Make up to `wanted` random coins of a bag inputs; the last coin of the bag fills the gap."""
    for _ in range(min(wanted, coins.bags[bag, HELD], MAX_INPUTS - transfer.counts[0])):
        slot = coins.bags[bag, START] + roll(dice, coins.bags[bag, HELD])
        coins.bags[bag, HELD] -= 1
        _copy(transfer.inputs, transfer.counts[0], coins.rows, slot)
        _copy(coins.rows, slot, coins.rows, coins.bags[bag, START] + coins.bags[bag, HELD])
        transfer.counts[0] += 1


@njit(cache=True)
def pay(transfer, account):
    """Add an output to `account`; its value comes later."""
    transfer.outputs[transfer.counts[1], PAID_ACCOUNT] = account
    transfer.counts[1] += 1
