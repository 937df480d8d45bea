"""Kernels that decide who pays whom, in mainnet's proportions, and fill blocks with it.

A transaction takes random coins from a bag or two and pays accounts of the roles in `encode`: most have 1 or
2 inputs and 2 outputs, a few have hundreds.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from chain.coins import (
    ACCOUNT,
    DEPOSIT,
    DEPOSIT_BAGS,
    EXCHANGES,
    HELD,
    HOT,
    HOT_BAGS,
    LIMIT,
    MAX_INPUTS,
    MAX_OUTPUTS,
    MINER,
    MINER_BAG,
    PAID_ACCOUNT,
    PAID_VALUE,
    POOL,
    POOL_BAGS,
    POOLS,
    STORE,
    USER,
    USER_BAG,
    VALUE,
    account_number,
    pay,
    put_coin,
    roll,
    spend,
)
from chain.encode import put_stripped, put_transaction, put_undo
from chain.hashing import CONTEXT_SIZE, sha256d

MINERS: Final = 5_000
HOT_WALLETS: Final = 4
"""Hot wallets of each exchange, all of them labelled."""
DEPOSITORS: Final = 20_000
"""Deposit addresses of each exchange."""
USERS: Final = 500_000
"""How many of the newest user accounts may be paid once more."""
_LARGEST_WEIGHT: Final = 250_000
"""No transaction weighs more than this, with the inputs and outputs that it may have."""


class Totals(NamedTuple):
    """What a block holds after its coinbase; all amounts in sat."""

    transactions: int
    inputs: int
    outputs: int
    spent: int
    paid: int


@njit(cache=True)
def _pay_users(transfer, dice, newest, outputs):
    """Outputs to users: most to new accounts, some to old ones, a fifth to accounts that are never emptied."""
    for _ in range(outputs):
        chance = roll(dice, 100)
        if chance < 60:
            newest[0] += 1
            pay(transfer, account_number(USER, 0, newest[0]))
        elif chance < 80:
            pay(transfer, account_number(USER, 0, max(0, newest[0] - roll(dice, USERS))))
        else:
            newest[1] += 1
            pay(transfer, account_number(STORE, 0, newest[1]))


@njit(cache=True)
def _any_deposit(dice, exchange):
    """A deposit address of an exchange: the first ones are used much more often."""
    return account_number(DEPOSIT, exchange, roll(dice, 1 + roll(dice, DEPOSITORS)))


@njit(cache=True)
def _any_hot(dice, exchange):
    return account_number(HOT, exchange, roll(dice, HOT_WALLETS))


@njit(cache=True)
def _many(dice, single, double, few, tail):
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
def _pool_payout(coins, transfer, dice):
    pool = roll(dice, POOLS)
    spend(coins, transfer, dice, POOL_BAGS + pool, 3)
    for _ in range(20 + roll(dice, 300)):
        pay(transfer, account_number(MINER, 0, roll(dice, 1 + roll(dice, MINERS))))
    pay(transfer, account_number(POOL, pool, roll(dice, 2)))


@njit(cache=True)
def _miner_payment(coins, transfer, dice, newest):
    spend(coins, transfer, dice, MINER_BAG, 1 + roll(dice, 3))
    if roll(dice, 10) < 6:
        pay(transfer, _any_deposit(dice, roll(dice, EXCHANGES)))
        pay(transfer, transfer.inputs[0, ACCOUNT])
    else:
        _pay_users(transfer, dice, newest, 2 + roll(dice, 3))


@njit(cache=True)
def _sweep(coins, transfer, dice):
    """Deposits together with a hot coin, into hot wallets: the link that the common-input closure finds."""
    exchange = roll(dice, EXCHANGES)
    bag = DEPOSIT_BAGS + exchange
    spend(coins, transfer, dice, bag, 1 + min(200, coins.bags[bag, HELD] // 4))
    if transfer.counts[0] > 0:
        spend(coins, transfer, dice, HOT_BAGS + exchange, 1)
        pay(transfer, _any_hot(dice, exchange))
        pay(transfer, _any_hot(dice, exchange))


@njit(cache=True)
def _withdrawal(coins, transfer, dice, newest):
    exchange = roll(dice, EXCHANGES)
    spend(coins, transfer, dice, HOT_BAGS + exchange, 1 + roll(dice, 2))
    _pay_users(transfer, dice, newest, _many(dice, 500, 100, 100, 150))
    if roll(dice, 20) == 0:
        pay(transfer, account_number(MINER, 0, roll(dice, MINERS)))
    pay(transfer, _any_hot(dice, exchange))


@njit(cache=True)
def _coinjoin(coins, transfer, dice, newest):
    """Five equal outputs (see _share_out) and as many of change."""
    if coins.bags[USER_BAG, HELD] > 5:
        spend(coins, transfer, dice, USER_BAG, 5)
        for _ in range(10):
            newest[0] += 1
            pay(transfer, account_number(USER, 0, newest[0]))


@njit(cache=True)
def _user_payment(coins, transfer, dice, newest):
    spend(coins, transfer, dice, USER_BAG, _many(dice, 640, 200, 70, MAX_INPUTS))
    outputs = _many(dice, 170, 720, 60, MAX_OUTPUTS - 10)
    if coins.bags[USER_BAG, HELD] < coins.bags[USER_BAG, LIMIT] // 2:
        outputs += 4  # the economy is young: money spreads
    _pay_users(transfer, dice, newest, outputs - 1)
    if roll(dice, 100) < 6:
        pay(transfer, _any_deposit(dice, roll(dice, EXCHANGES)))
    elif transfer.counts[0] > 0 and roll(dice, 100) < 15:
        pay(transfer, transfer.inputs[0, ACCOUNT])
    else:
        _pay_users(transfer, dice, newest, 1)


@njit(cache=True)
def _compose(coins, transfer, dice, newest):
    """Choose the inputs and payees of a transaction; where the chosen one has no coins, there are no inputs."""
    transfer.counts[0] = transfer.counts[1] = 0
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
def _share_out(transfer, dice, joined):
    """Give every output a part of what the inputs hold, less the fee; what is stored for good is small."""
    inputs, outputs = transfer.counts[0], transfer.counts[1]
    left = np.int64(0)
    for i in range(inputs):
        left += transfer.inputs[i, VALUE]
    left -= min(left >> 9, (inputs * 70 + outputs * 35) * (1 + roll(dice, 20)))
    equal = left // outputs
    for i in range(outputs - 1):
        part = left // (outputs - i) * (64 + roll(dice, 64)) >> 7
        if transfer.outputs[i, PAID_ACCOUNT] >> 56 == STORE:
            part >>= 6
        if joined and i < 5:
            part = equal
        transfer.outputs[i, PAID_VALUE] = part
        left -= part
    transfer.outputs[outputs - 1, PAID_VALUE] = left


@njit(cache=True)
def fill_block(coins, transfer, dice, newest, height, weight, block, undo, stripped, txids, wtxids):
    """Fill `block` with transactions (without their number) up to a weight, and `undo` with their records.

    Rows 1 and up of `txids` and `wtxids` become their hashes, row 0 is left for the coinbase. `newest` holds
    the numbers of the newest user account and of the newest stored one. Gives the bytes of block and undo,
    and the totals.
    """
    count = size = undo_size = 0
    inputs = outputs = spent = paid = idle = 0
    contexts = np.empty(CONTEXT_SIZE, np.uint8)
    context = contexts.ctypes.data
    while weight > _LARGEST_WEIGHT and count + 2 < len(txids) and idle < 10_000:
        if not _compose(coins, transfer, dice, newest):
            idle += 1
            continue
        count += 1
        stripped_size = put_stripped(stripped, transfer)
        end = put_transaction(block, size, stripped, stripped_size, transfer)
        sha256d(context, stripped.ctypes.data, stripped_size, txids[count].ctypes.data)
        sha256d(context, block.ctypes.data + size, end - size, wtxids[count].ctypes.data)
        undo_size = put_undo(undo, undo_size, transfer)
        weight -= 3 * stripped_size + end - size
        size = end
        for i in range(transfer.counts[0]):
            spent += transfer.inputs[i, VALUE]
        for i in range(transfer.counts[1]):
            paid += transfer.outputs[i, PAID_VALUE]
            put_coin(
                coins,
                txids[count],
                i,
                transfer.outputs[i, PAID_VALUE],
                transfer.outputs[i, PAID_ACCOUNT],
                2 * height,
            )
        inputs += transfer.counts[0]
        outputs += transfer.counts[1]
    return size, undo_size, Totals(count, inputs, outputs, spent, paid)
