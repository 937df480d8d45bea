# mypy: disallow-untyped-decorators=False
"""Kernels that decide who pays whom, in mainnet's proportions, and fill blocks with it.

Coins lie in bags, one for all users, one for all miners, one for each pool, for each exchange's hot wallets
and for each exchange's deposits. A bag has a limit; what does not fit into it is never spent again, so memory
is bounded and the set of unspent outputs grows, as on mainnet. A transaction takes coins at random from a bag
or two and pays accounts of the roles in `encode`: most have 1 or 2 inputs and 2 outputs, a few have hundreds.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from encode import (
    DEPOSIT,
    HOT,
    MINER,
    POOL,
    STORE,
    USER,
    account_number,
    mix,
    put_stripped,
    put_transaction,
    put_undo,
)
from hashing import sha256d
from reflow.blocks.sha256 import CONTEXT_SIZE

POOLS: Final = 12
EXCHANGES: Final = 18
MINERS: Final = 5_000
HOT_WALLETS: Final = 4
"""Hot wallets of each exchange, all of them labelled."""
DEPOSITORS: Final = 20_000
"""Deposit addresses of each exchange."""
USERS: Final = 500_000
"""How many of the newest user accounts may be paid once more."""

USER_BAG: Final = 0
MINER_BAG: Final = 1
POOL_BAGS: Final = 2
HOT_BAGS: Final = POOL_BAGS + POOLS
DEPOSIT_BAGS: Final = HOT_BAGS + EXCHANGES

MAX_INPUTS: Final = 300
MAX_OUTPUTS: Final = 400
_LARGEST_WEIGHT: Final = 250_000
"""No transaction weighs more than this, with the inputs and outputs that it may have."""


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


class Totals(NamedTuple):
    """What a block holds after its coinbase; all amounts in sat."""

    transactions: int
    inputs: int
    outputs: int
    spent: int
    paid: int


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
def _spend(coins, transfer, dice, bag, wanted):  # type: ignore[no-untyped-def]
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
def _pay(transfer, account):  # type: ignore[no-untyped-def]
    transfer.pay_account[transfer.counts[1]] = account
    transfer.counts[1] += 1


@njit(cache=True)
def _pay_users(transfer, dice, newest, outputs):  # type: ignore[no-untyped-def]
    """Outputs to users: most to new accounts, some to old ones, a fifth to accounts that are never emptied."""
    for _ in range(outputs):
        chance = roll(dice, 100)
        if chance < 60:
            newest[0] += 1
            _pay(transfer, account_number(USER, 0, newest[0]))
        elif chance < 80:
            _pay(transfer, account_number(USER, 0, max(0, newest[0] - roll(dice, USERS))))
        else:
            newest[1] += 1
            _pay(transfer, account_number(STORE, 0, newest[1]))


@njit(cache=True)
def _any_deposit(dice, exchange):  # type: ignore[no-untyped-def]
    """A deposit address of an exchange: the first ones are used much more often."""
    return account_number(DEPOSIT, exchange, roll(dice, 1 + roll(dice, DEPOSITORS)))


@njit(cache=True)
def _any_hot(dice, exchange):  # type: ignore[no-untyped-def]
    return account_number(HOT, exchange, roll(dice, HOT_WALLETS))


@njit(cache=True)
def _many(dice, single, double, few, tail):  # type: ignore[no-untyped-def]
    """A number of inputs or outputs: chances in 1,000 of 1, 2, 3; then 4 to 8, rarely to 50, once to `tail`."""
    chance = roll(dice, 1_000)
    if chance < single:
        return 1
    if chance < single + double:
        return 2
    if chance < single + double + few:
        return 3
    if chance < 986:
        return 4 + roll(dice, 5)
    return 10 + roll(dice, 41) if chance < 999 else 50 + roll(dice, tail - 50)


@njit(cache=True)
def _pool_payout(coins, transfer, dice):  # type: ignore[no-untyped-def]
    pool = roll(dice, POOLS)
    _spend(coins, transfer, dice, POOL_BAGS + pool, 3)
    for _ in range(20 + roll(dice, 300)):
        _pay(transfer, account_number(MINER, 0, roll(dice, 1 + roll(dice, MINERS))))
    _pay(transfer, account_number(POOL, pool, roll(dice, 2)))


@njit(cache=True)
def _miner_payment(coins, transfer, dice, newest):  # type: ignore[no-untyped-def]
    _spend(coins, transfer, dice, MINER_BAG, 1 + roll(dice, 3))
    if roll(dice, 10) < 6:
        _pay(transfer, _any_deposit(dice, roll(dice, EXCHANGES)))
        _pay(transfer, transfer.account[0])
    else:
        _pay_users(transfer, dice, newest, 2 + roll(dice, 3))


@njit(cache=True)
def _sweep(coins, transfer, dice):  # type: ignore[no-untyped-def]
    """Deposits together with a hot coin, into hot wallets: the link that the common-input closure finds."""
    exchange = roll(dice, EXCHANGES)
    bag = DEPOSIT_BAGS + exchange
    _spend(coins, transfer, dice, bag, 1 + min(200, coins.held[bag] // 4))
    if transfer.counts[0] > 0:
        _spend(coins, transfer, dice, HOT_BAGS + exchange, 1)
        _pay(transfer, _any_hot(dice, exchange))
        _pay(transfer, _any_hot(dice, exchange))


@njit(cache=True)
def _withdrawal(coins, transfer, dice, newest):  # type: ignore[no-untyped-def]
    exchange = roll(dice, EXCHANGES)
    _spend(coins, transfer, dice, HOT_BAGS + exchange, 1 + roll(dice, 2))
    _pay_users(transfer, dice, newest, _many(dice, 500, 100, 100, 150))
    if roll(dice, 20) == 0:
        _pay(transfer, account_number(MINER, 0, roll(dice, MINERS)))
    _pay(transfer, _any_hot(dice, exchange))


@njit(cache=True)
def _coinjoin(coins, transfer, dice, newest):  # type: ignore[no-untyped-def]
    """Five equal outputs (see _share_out) and as many of change."""
    if coins.held[USER_BAG] > 5:
        _spend(coins, transfer, dice, USER_BAG, 5)
        for _ in range(10):
            newest[0] += 1
            _pay(transfer, account_number(USER, 0, newest[0]))


@njit(cache=True)
def _user_payment(coins, transfer, dice, newest):  # type: ignore[no-untyped-def]
    _spend(coins, transfer, dice, USER_BAG, _many(dice, 640, 200, 70, MAX_INPUTS))
    outputs = _many(dice, 170, 720, 60, MAX_OUTPUTS - 10)
    if coins.held[USER_BAG] < coins.limit[USER_BAG] // 2:
        outputs += 4  # the economy is young: money spreads
    _pay_users(transfer, dice, newest, outputs - 1)
    if roll(dice, 100) < 6:
        _pay(transfer, _any_deposit(dice, roll(dice, EXCHANGES)))
    elif transfer.counts[0] > 0 and roll(dice, 100) < 15:
        _pay(transfer, transfer.account[0])
    else:
        _pay_users(transfer, dice, newest, 1)


@njit(cache=True)
def _compose(coins, transfer, dice, newest):  # type: ignore[no-untyped-def]
    """Choose the inputs and payees of a transaction; where the chosen one has no coins, there are no inputs."""
    transfer.counts[:] = 0
    chance = roll(dice, 1_000)
    joined = chance < 3
    if joined:
        _coinjoin(coins, transfer, dice, newest)
    elif chance < 4:
        _pool_payout(coins, transfer, dice)
    elif chance < 50:
        _miner_payment(coins, transfer, dice, newest)
    elif chance < 56:
        _sweep(coins, transfer, dice)
    elif chance < 80:
        _withdrawal(coins, transfer, dice, newest)
    else:
        _user_payment(coins, transfer, dice, newest)
    if transfer.counts[0] > 0:
        _share_out(transfer, dice, joined)
    return transfer.counts[0] > 0


@njit(cache=True)
def _share_out(transfer, dice, joined):  # type: ignore[no-untyped-def]
    """Give every output a part of what the inputs hold, less the fee; what is stored for good is small."""
    inputs, outputs = transfer.counts[0], transfer.counts[1]
    left = np.int64(0)
    for i in range(inputs):
        left += transfer.value[i]
    left -= min(left >> 9, (inputs * 70 + outputs * 35) * (1 + roll(dice, 20)))
    equal = left // outputs
    for i in range(outputs - 1):
        part = left // (outputs - i) * (64 + roll(dice, 64)) >> 7
        if transfer.pay_account[i] >> 56 == STORE:
            part >>= 6
        if joined and i < 5:
            part = equal
        transfer.pay_value[i] = part
        left -= part
    transfer.pay_value[outputs - 1] = left


@njit(cache=True)
def fill_block(coins, transfer, dice, newest, height, weight, block, undo, stripped, txids, wtxids):  # type: ignore[no-untyped-def]
    """Fill `block` with transactions (without their number) up to a weight, and `undo` with their records.

    Rows 1 and up of `txids` and `wtxids` become their hashes, row 0 is left for the coinbase. `newest` holds
    the numbers of the newest user account and of the newest stored one. Gives the bytes of block and undo,
    and the totals.
    """
    count = size = undo_size = 0
    inputs = outputs = spent = paid = idle = 0
    context = np.empty(CONTEXT_SIZE, np.uint8)
    while weight > _LARGEST_WEIGHT and count + 2 < len(txids) and idle < 10_000:
        if not _compose(coins, transfer, dice, newest):
            idle += 1
            continue
        count += 1
        stripped_size = put_stripped(stripped, transfer)
        end = put_transaction(block, size, stripped, stripped_size, transfer)
        sha256d(context, stripped, stripped_size, txids[count])
        sha256d(context, block[size:], end - size, wtxids[count])
        undo_size = put_undo(undo, undo_size, transfer)
        weight -= 3 * stripped_size + end - size
        size = end
        for i in range(transfer.counts[0]):
            spent += transfer.value[i]
        for i in range(transfer.counts[1]):
            paid += transfer.pay_value[i]
            put_coin(coins, txids[count], i, transfer.pay_value[i], transfer.pay_account[i], 2 * height)
        inputs += transfer.counts[0]
        outputs += transfer.counts[1]
    return size, undo_size, Totals(count, inputs, outputs, spent, paid)
