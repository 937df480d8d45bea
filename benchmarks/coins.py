# mypy: disallow-untyped-decorators=False
"""Spendable coins in bags, and the transaction in the making: kernels that move coins from one to the other.

There is a bag for all users, one for all miners, one for each pool, for each exchange's hot wallets and for
each exchange's deposits. A bag has a limit; what does not fit into it is never spent again, so memory is
bounded while the set of unspent outputs grows, as on mainnet.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from encode import DEPOSIT, HOT, MINER, POOL, STORE, mix

POOLS: Final = 12
EXCHANGES: Final = 18

USER_BAG: Final = 0
MINER_BAG: Final = 1
POOL_BAGS: Final = 2
HOT_BAGS: Final = POOL_BAGS + POOLS
DEPOSIT_BAGS: Final = HOT_BAGS + EXCHANGES

MAX_INPUTS: Final = 300
MAX_OUTPUTS: Final = 400


CoinColumns = tuple[
    NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]
]
"""Columns of coins: txid, vout, value, account, code."""


class Coins(NamedTuple):
    """Spendable coins in bags: bag b is the slots start[b] to start[b] + held[b] of the columns."""

    txid: NDArray[np.uint8]
    vout: NDArray[np.int64]
    value: NDArray[np.int64]
    account: NDArray[np.int64]
    code: NDArray[np.int64]
    """2 * height + 1 for a coinbase's coin, 2 * height for others."""
    start: NDArray[np.int64]
    held: NDArray[np.int64]
    limit: NDArray[np.int64]


class Transfer(NamedTuple):
    """The transaction in the making: the coins that it spends, and whom it pays what (sat)."""

    txid: NDArray[np.uint8]
    vout: NDArray[np.int64]
    value: NDArray[np.int64]
    account: NDArray[np.int64]
    code: NDArray[np.int64]
    pay_account: NDArray[np.int64]
    pay_value: NDArray[np.int64]
    counts: NDArray[np.int64]
    """Number of inputs, number of outputs."""


def empty_coins(users: int) -> Coins:
    """Empty bags, the users' for `users` coins."""
    limit = np.array(
        [users, users // 10, *[1_000] * POOLS, *[2_000] * EXCHANGES, *[users // 20] * EXCHANGES], np.int64
    )
    txid, vout, value, account, code = _coin_columns(int(limit.sum()))
    return Coins(txid, vout, value, account, code, np.cumsum(limit) - limit, np.zeros_like(limit), limit)


def empty_transfer() -> Transfer:
    """Room for one transaction."""
    txid, vout, value, account, code = _coin_columns(MAX_INPUTS)
    pay_account, pay_value = _integers(MAX_OUTPUTS), _integers(MAX_OUTPUTS)
    return Transfer(txid, vout, value, account, code, pay_account, pay_value, _integers(2))


def _coin_columns(size: int) -> CoinColumns:
    txid = np.zeros((size, 32), np.uint8)
    return txid, _integers(size), _integers(size), _integers(size), _integers(size)


def _integers(size: int) -> NDArray[np.int64]:
    return np.zeros(size, np.int64)


@njit(cache=True)
def roll(dice, sides):  # type: ignore[no-untyped-def]
    """A number from 0 to sides - 1; dice[0] is the state of a SplitMix64 generator."""
    dice[0] += np.uint64(0x9E3779B97F4A7C15)
    return np.int64(((mix(dice[0]) >> np.uint64(32)) * np.uint64(sides)) >> np.uint64(32))


@njit(cache=True)
def put_coin(coins, txid, vout, value, account, code):  # type: ignore[no-untyped-def]
    """Put a coin into the bag of its account, if that is not full."""
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
    if coins.held[bag] == coins.limit[bag]:
        return
    slot = coins.start[bag] + coins.held[bag]
    coins.held[bag] += 1
    coins.txid[slot] = txid
    coins.vout[slot] = vout
    coins.value[slot] = value
    coins.account[slot] = account
    coins.code[slot] = code


@njit(cache=True)
def spend(coins, transfer, dice, bag, wanted):  # type: ignore[no-untyped-def]
    """Make up to `wanted` random coins of a bag inputs; the last coin of the bag fills the gap."""
    for _ in range(min(wanted, coins.held[bag], MAX_INPUTS - transfer.counts[0])):
        slot = coins.start[bag] + roll(dice, coins.held[bag])
        coins.held[bag] -= 1
        last = coins.start[bag] + coins.held[bag]
        i = transfer.counts[0]
        transfer.counts[0] += 1
        transfer.txid[i] = coins.txid[slot]
        transfer.vout[i] = coins.vout[slot]
        transfer.value[i] = coins.value[slot]
        transfer.account[i] = coins.account[slot]
        transfer.code[i] = coins.code[slot]
        coins.txid[slot] = coins.txid[last]
        coins.vout[slot] = coins.vout[last]
        coins.value[slot] = coins.value[last]
        coins.account[slot] = coins.account[last]
        coins.code[slot] = coins.code[last]


@njit(cache=True)
def pay(transfer, account):  # type: ignore[no-untyped-def]
    """Add an output to `account`; its value comes later."""
    transfer.pay_account[transfer.counts[1]] = account
    transfer.counts[1] += 1
