"""Kernels that turn accounts and coins into consensus-valid bytes: scripts, transactions, undo data.

The scriptPubKey of an account follows from its number. What will be
spent again pays to the hash (P2SH or P2WSH) of the account's own script `<number> OP_2DROP OP_TRUE`, which
anybody can satisfy with one item of padding: no signature to make, yet inputs as long as mainnet's and no two
accounts with the same script. What is never spent looks like the rest of mainnet: P2WPKH, P2PKH, P2TR, P2PK,
OP_RETURN.

`buffer, position` go in and the position behind what was written comes out, in every `put_` kernel.
"""

from typing import Final

import numpy as np
from numba import njit

from chain.coins import ACCOUNT, CODE, PAID_ACCOUNT, PAID_VALUE, STORE, VALUE, VOUT, mix
from chain.hashing import CONTEXT_SIZE, ripemd160, sha256

REDEEM_SIZE: Final = 11
P2SH_PADDING: Final = 93
"""Bytes of padding that make a P2SH input as long as a P2PKH one."""
P2WSH_PADDING: Final = 100
"""Fewest bytes of padding in a witness; up to 63 are added."""

NOISE: Final = np.random.default_rng(1).integers(0, 256, 4096, np.uint8)
"""Padding is cut from here."""


@njit(cache=True)
def put_integer(buffer, position, number, size):
    """Write a little-endian integer of `size` bytes."""
    for i in range(size):
        buffer[position + i] = (number >> (8 * i)) & 0xFF
    return position + size


@njit(cache=True)
def put_compact(buffer, position, number):
    """Write a CompactSize below 65,536."""
    if number < 0xFD:
        return put_integer(buffer, position, number, 1)
    buffer[position] = 0xFD
    return put_integer(buffer, position + 1, number, 2)


@njit(cache=True)
def put_bytes(buffer, position, source, start, size):
    """Write `size` bytes of `source` from `start` on."""
    for i in range(size):
        buffer[position + i] = source[start + i]
    return position + size


@njit(cache=True)
def put_noise(buffer, position, size, seed):
    """Write padding of up to 256 bytes."""
    start = seed & 2047
    return put_bytes(buffer, position, NOISE, start, size)


@njit(cache=True)
def put_redeem(buffer, position, account):
    """Write the account's own script: `<account> OP_2DROP OP_TRUE`."""
    buffer[position] = 8
    position = put_integer(buffer, position + 1, account, 8)
    buffer[position] = 0x6D
    buffer[position + 1] = 0x51
    return position + 2


@njit(cache=True)
def is_p2sh(account):
    """Whether a spendable account is P2SH; else it is P2WSH."""
    return mix(account) & np.uint64(3) == 0


@njit(cache=True)
def put_script(buffer, position, account):
    """Write the account's scriptPubKey; the 256 bytes from `position` are used as scratch."""
    digest = buffer[position + 64 : position + 96]
    context = buffer[position + 96 : position + 96 + CONTEXT_SIZE]
    put_redeem(digest, 0, account)
    sha256(context.ctypes.data, digest.ctypes.data, REDEEM_SIZE, digest.ctypes.data)
    if account >> 56 != STORE:
        if is_p2sh(account):
            ripemd160(digest, digest)
            position = put_integer(buffer, position, 0x14A9, 2)
            return put_integer(buffer, put_bytes(buffer, position, digest, 0, 20), 0x87, 1)
        return put_bytes(buffer, put_integer(buffer, position, 0x2000, 2), digest, 0, 32)
    form = mix(account) % np.uint64(20)
    if form < 10:  # P2WPKH
        return put_bytes(buffer, put_integer(buffer, position, 0x1400, 2), digest, 0, 20)
    if form < 14:  # P2PKH
        position = put_bytes(buffer, put_integer(buffer, position, 0x14A976, 3), digest, 0, 20)
        return put_integer(buffer, position, 0xAC88, 2)
    if form < 18:  # P2TR
        return put_bytes(buffer, put_integer(buffer, position, 0x2051, 2), digest, 0, 32)
    if form < 19:  # P2PK
        position = put_bytes(buffer, put_integer(buffer, position, 0x0221, 2), digest, 0, 32)
        return put_integer(buffer, position, 0xAC, 1)
    return put_bytes(buffer, put_integer(buffer, position, 0x206A, 2), digest, 0, 32)  # OP_RETURN


@njit(cache=True)
def put_stripped(buffer, transfer):
    """Write a transaction without witnesses at the start of `buffer`: what its txid is the hash of."""
    inputs, outputs = transfer.counts[0], transfer.counts[1]
    position = put_integer(buffer, 0, 2, 4)
    position = put_compact(buffer, position, inputs)
    for i in range(inputs):
        for word in range(4):
            position = put_integer(buffer, position, transfer.inputs[i, word], 8)
        position = put_integer(buffer, position, transfer.inputs[i, VOUT], 4)
        if is_p2sh(transfer.inputs[i, ACCOUNT]):
            buffer[position] = 2 + P2SH_PADDING + 1 + REDEEM_SIZE
            buffer[position + 1] = 0x4C
            buffer[position + 2] = P2SH_PADDING
            position = put_noise(buffer, position + 3, P2SH_PADDING, transfer.inputs[i, VALUE])
            buffer[position] = REDEEM_SIZE
            position = put_redeem(buffer, position + 1, transfer.inputs[i, ACCOUNT])
        else:
            buffer[position] = 0
            position += 1
        position = put_integer(buffer, position, 0xFFFFFFFD, 4)
    position = put_compact(buffer, position, outputs)
    for i in range(outputs):
        position = put_integer(buffer, position, transfer.outputs[i, PAID_VALUE], 8)
        end = put_script(buffer, position + 1, transfer.outputs[i, PAID_ACCOUNT])
        buffer[position] = end - position - 1
        position = end
    return put_integer(buffer, position, 0, 4)


@njit(cache=True)
def put_transaction(buffer, position, stripped, size, transfer):
    """Write a transaction, from its stripped form of `size` bytes; with witnesses if an input has one."""
    inputs = transfer.counts[0]
    segwit = False
    for i in range(inputs):
        segwit |= not is_p2sh(transfer.inputs[i, ACCOUNT])
    if not segwit:
        return put_bytes(buffer, position, stripped, 0, size)
    position = put_bytes(buffer, position, stripped, 0, 4)
    position = put_integer(buffer, position, 0x0100, 2)
    position = put_bytes(buffer, position, stripped, 4, size - 8)
    for i in range(inputs):
        position = _put_witness(buffer, position, transfer.inputs[i, ACCOUNT], transfer.inputs[i, VALUE])
    return put_integer(buffer, position, 0, 4)


@njit(cache=True)
def _put_witness(buffer, position, account, seed):
    if is_p2sh(account):
        buffer[position] = 0
        return position + 1
    padding = P2WSH_PADDING + (seed & 63)
    buffer[position] = 2
    buffer[position + 1] = padding
    position = put_noise(buffer, position + 2, padding, seed)
    buffer[position] = REDEEM_SIZE
    return put_redeem(buffer, position + 1, account)


@njit(cache=True)
def _put_varint(buffer, position, number):
    """Write Core's base-128 VARINT."""
    size = 1
    rest = number >> 7
    while rest > 0:
        rest = (rest - 1) >> 7
        size += 1
    for i in range(size - 1, -1, -1):
        buffer[position + i] = (number & 0x7F) | (0 if i == size - 1 else 0x80)
        number = (number >> 7) - 1
    return position + size


@njit(cache=True)
def _compress_amount(value):
    if value == 0:
        return value
    exponent = 0
    while value % 10 == 0 and exponent < 9:
        value //= 10
        exponent += 1
    if exponent == 9:
        return 1 + (value - 1) * 10 + 9
    return 1 + (value // 10 * 9 + value % 10 - 1) * 10 + exponent


@njit(cache=True)
def put_undo(buffer, position, transfer):
    """Write the undo record of a transaction: its spent coins as Bitcoin Core stores them."""
    inputs = transfer.counts[0]
    position = put_compact(buffer, position, inputs)
    for i in range(inputs):
        position = _put_varint(buffer, position, transfer.inputs[i, CODE])
        buffer[position] = 0
        position = _put_varint(buffer, position + 1, _compress_amount(transfer.inputs[i, VALUE]))
        if is_p2sh(transfer.inputs[i, ACCOUNT]):
            put_script(buffer, position, transfer.inputs[i, ACCOUNT])
            buffer[position] = 1
            position = put_bytes(buffer, position + 1, buffer, position + 2, 20)
        else:
            buffer[position] = 34 + 6
            position = put_script(buffer, position + 1, transfer.inputs[i, ACCOUNT])
    return position
