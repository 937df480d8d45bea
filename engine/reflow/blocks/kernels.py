"""The decoding kernels: raw blocks and undo data to columns, in compiled loops that release the GIL.

A batch is the bytes of consecutive blocks in one array `raw`, block b at raw[bounds[b]:bounds[b + 1]], and their undo
data likewise. Each kernel makes one pass and fills arrays that the caller allocated from counts that were *walked*,
never from counts that the bytes claim. Serialization: Bitcoin developer reference, BIP 144 (segwit); undo data:
Bitcoin Core `undo.h`, `compressor.h`, `serialize.h` (VARINT).

A kernel that finds a fault stops and writes it to `fault`: (code, block, transaction in the block, found, expected);
`decode.py` makes the sentence.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reflow.blocks.memory import copy_bytes, load_big_endian
from reflow.network import MAX_BLOCK_WEIGHT, MAX_MONEY

# Fault codes, in the order in which the checks run.
OK: Final = 0
CUT_SHORT: Final = 1
TRAILING_BYTES: Final = 2
BAD_COUNT: Final = 3
NOT_COINBASE: Final = 4
SECOND_COINBASE: Final = 5
VALUE_RANGE: Final = 6
MERKLE_ROOT: Final = 7
WITNESS_ROOT: Final = 8
UNDO_CUT_SHORT: Final = 9
UNDO_TRAILING_BYTES: Final = 10
UNDO_TRANSACTIONS: Final = 11
UNDO_INPUTS: Final = 12
UNDO_VALUE_RANGE: Final = 13
UNDO_POINT: Final = 14
OVERSPENT: Final = 15
OVERCLAIMED: Final = 16
BLOCK_HASH: Final = 17
UNEXPECTED_WITNESS: Final = 18
NO_INPUTS: Final = 19
NO_OUTPUTS: Final = 20
SCRIPT_SIG_SIZE: Final = 21
OUTPUTS_RANGE: Final = 22
WEIGHT: Final = 23
TWINS: Final = 24
NULL_OUTPOINT: Final = 25
SPENT_TWICE: Final = 26
INPUTS_RANGE: Final = 27
FEES_RANGE: Final = 28
TRANSFERS_RANGE: Final = 29

# Columns of the per-transaction table of positions in `raw`.
TX_START, TX_INPUTS, TX_OUTPUTS, TX_WITNESS, TX_END, TX_COLUMNS = 0, 1, 2, 3, 4, 5


class Layout(NamedTuple):
    """Where things lie in the bytes `raw` of some blocks."""

    counts: NDArray[np.int64]
    """counts[b] = (transactions, inputs with the coinbase's, outputs) of block b."""
    first_tx: NDArray[np.int64]
    """(blocks + 1): block b has the transactions first_tx[b] .. first_tx[b + 1] - 1."""
    first_output: NDArray[np.int64]
    """(blocks + 1): and the outputs from first_output[b] on."""
    transactions: NDArray[np.int64]
    """transactions[t] = positions of transaction t, see TX_START and so on."""
    inputs: NDArray[np.int64]
    outputs: NDArray[np.int64]
    """How many transaction t has."""
    values: NDArray[np.int64]
    """Sat of each output."""
    scripts: NDArray[np.int64]
    """scripts[o] = (start, end) of the scriptPubKey of output o."""


class Postings(NamedTuple):
    """Debits or credits in chain order."""

    account: NDArray[np.int64]
    value: NDArray[np.int64]
    """In sat."""


@njit(nogil=True, cache=True)
def unxor(data, starts, offsets, key):
    """Undo Bitcoin Core's obfuscation in place: data[starts[i]:starts[i + 1]] came from file position offsets[i]."""
    for i in range(len(offsets)):
        phase = offsets[i] - starts[i]
        position = starts[i]
        end = starts[i + 1]
        while position < end and position & 7:
            data[position] ^= key[(phase + position) & 7]
            position += 1
        word = np.uint64(0)
        for k in range(8):
            word |= np.uint64(key[(phase + position + k) & 7]) << np.uint64(8 * k)
        words = data[position : position + ((end - position) & ~7)].view(np.uint64)
        for k in range(len(words)):
            words[k] ^= word
        for k in range(position + 8 * len(words), end):
            data[k] ^= key[(phase + k) & 7]


@njit(nogil=True, cache=True)
def append(data, position, source, start, end):
    """Copy source[start:end] to data at `position`; gives the position behind it."""
    copy_bytes(data.ctypes.data + position, source.ctypes.data + start, end - start)
    return position + end - start


@njit(nogil=True, cache=True)
def _u32(raw, position):
    return (
        np.int64(raw[position])
        | np.int64(raw[position + 1]) << 8
        | np.int64(raw[position + 2]) << 16
        | np.int64(raw[position + 3]) << 24
    )


@njit(nogil=True, cache=True)
def _i64(raw, position):
    return _u32(raw, position) | _u32(raw, position + 4) << 32


@njit(nogil=True, cache=True)
def compact(raw, position, end):
    """CompactSize at `position`: (value, position behind it), or (-1, _) if it is cut short or beyond the bytes left.

    Nothing that a size can count takes less than a byte, so a larger value than the bytes left is a fault at once.
    """
    if position >= end:
        return np.int64(-1), position
    first = np.int64(raw[position])
    if first < 253:
        return first, position + 1
    width = 2 if first == 253 else 4 if first == 254 else 8
    if position + 1 + width > end:
        return np.int64(-1), position
    value = np.int64(0)
    for k in range(width):
        value |= np.int64(raw[position + 1 + k]) << (8 * k)
    position += 1 + width
    if value < 0 or value > end - position:
        return np.int64(-1), position
    return value, position


@njit(nogil=True, cache=True)
def _skip_strings(raw, position, end, count):
    """Position behind `count` length-prefixed strings, or -1."""
    for _ in range(count):
        size, position = compact(raw, position, end)
        if size < 0:
            return np.int64(-1)
        position += size
    return position


@njit(nogil=True, cache=True)
def _walk_inputs(raw, position, end, count):
    """Position behind `count` inputs, or -1."""
    for _ in range(count):
        size, position = compact(raw, position + 36, end)
        if size < 0 or position + size + 4 > end:
            return np.int64(-1)
        position += size + 4
    return position


@njit(nogil=True, cache=True)
def _walk_outputs(raw, position, end, count):
    """Position behind `count` outputs, or -1."""
    for _ in range(count):
        size, position = compact(raw, position + 8, end)
        if size < 0:
            return np.int64(-1)
        position += size
    return position


@njit(nogil=True, cache=True)
def _walk_transaction(raw, start, end, t, positions):
    """(inputs, outputs) of the transaction at `start`, its positions in positions[t]; (-1, _) if it is cut short."""
    position = start + 4
    if position + 2 > end:
        return np.int64(-1), np.int64(0)
    segwit = raw[position] == 0 and raw[position + 1] == 1
    if segwit:
        position += 2
    positions[t, TX_START] = start
    positions[t, TX_INPUTS] = position
    inputs, position = compact(raw, position, end)
    position = _walk_inputs(raw, position, end, inputs) if inputs >= 0 else np.int64(-1)
    if position < 0:
        return np.int64(-1), np.int64(0)
    outputs, position = compact(raw, position, end)
    positions[t, TX_OUTPUTS] = position
    position = _walk_outputs(raw, position, end, outputs) if outputs >= 0 else np.int64(-1)
    positions[t, TX_WITNESS] = position
    if segwit:
        for _ in range(inputs):
            if position < 0:
                break
            items, position = compact(raw, position, end)
            position = _skip_strings(raw, position, end, items) if items >= 0 else np.int64(-1)
    if position < 0 or position + 4 > end:
        return np.int64(-1), np.int64(0)
    positions[t, TX_END] = position + 4
    return inputs, outputs


@njit(nogil=True, cache=True)
def count_blocks(raw, bounds, counts, fault):
    """Walk every block: counts[b] = (transactions, inputs with the coinbase's, outputs)."""
    positions = np.empty((1, TX_COLUMNS), np.int64)
    for b in range(len(bounds) - 1):
        end = bounds[b + 1]
        transactions, position = compact(raw, bounds[b] + 80, end)
        if transactions <= 0:
            fault[:] = (BAD_COUNT, b, 0, transactions, 1)
            return
        counts[b, 0] = counts[b, 1] = counts[b, 2] = 0
        for t in range(transactions):
            inputs, outputs = _walk_transaction(raw, position, end, 0, positions)
            if inputs < 0:
                fault[:] = (CUT_SHORT, b, t, position - bounds[b], end - bounds[b])
                return
            counts[b, 0] += 1
            counts[b, 1] += inputs
            counts[b, 2] += outputs
            position = positions[0, TX_END]
        if position != end:
            fault[:] = (TRAILING_BYTES, b, transactions - 1, end - bounds[b], position - bounds[b])
            return


@njit(nogil=True, cache=True)
def _is_coinbase_input(raw, position):
    """Whether the outpoint at `position` is the null outpoint."""
    for k in range(32):
        if raw[position + k] != 0:
            return False
    return _u32(raw, position + 32) == 0xFFFFFFFF


@njit(nogil=True, cache=True)
def _input_position(raw, start):
    """Position of the first outpoint behind the CompactSize input count at `start`."""
    first = raw[start]
    return start + (1 if first < 253 else 3 if first == 253 else 5 if first == 254 else 9)


@njit(nogil=True, cache=True)
def lay_out(raw, bounds, layout, fault):
    """Fill the layout of blocks that `count_blocks` accepted, all but the columns that come from its counts.

    A transaction with a null outpoint is the coinbase: the first of its block and no other.
    """
    inputs, outputs, values, scripts = layout.inputs, layout.outputs, layout.values, layout.scripts
    t = 0
    o = 0
    for b in range(len(bounds) - 1):
        end = bounds[b + 1]
        transactions, position = compact(raw, bounds[b] + 80, end)
        weight = 4 * (position - bounds[b])
        for i in range(transactions):
            inputs[t], outputs[t] = _walk_transaction(raw, position, end, t, layout.transactions)
            if inputs[t] == 0 or outputs[t] == 0:
                fault[:] = (NO_INPUTS if inputs[t] == 0 else NO_OUTPUTS, b, i, 0, 1)
                return
            first = _input_position(raw, layout.transactions[t, TX_INPUTS])
            null = inputs[t] == 1 and _is_coinbase_input(raw, first)
            if null != (i == 0):
                fault[:] = (SECOND_COINBASE if null else NOT_COINBASE, b, i, int(null), int(i == 0))
                return
            size, _ = compact(raw, first + 36, end)
            if i == 0 and (size < 2 or size > 100):
                fault[:] = (SCRIPT_SIG_SIZE, b, i, size, 100)
                return
            position = layout.transactions[t, TX_OUTPUTS]
            paid = np.int64(0)
            for _ in range(outputs[t]):
                values[o] = _i64(raw, position)
                if values[o] < 0 or values[o] > MAX_MONEY:
                    fault[:] = (VALUE_RANGE, b, i, values[o], MAX_MONEY)
                    return
                paid += values[o]
                if paid > MAX_MONEY:
                    fault[:] = (OUTPUTS_RANGE, b, i, paid, MAX_MONEY)
                    return
                size, position = compact(raw, position + 8, end)
                scripts[o, 0] = position
                position += size
                scripts[o, 1] = position
                o += 1
            position = layout.transactions[t, TX_END]
            weight += _weight(layout.transactions[t])
            t += 1
        if weight > MAX_BLOCK_WEIGHT:
            fault[:] = (WEIGHT, b, 0, weight, MAX_BLOCK_WEIGHT)
            return


@njit(nogil=True, cache=True)
def _weight(positions):
    """Bytes of a transaction where those that are no witness count four times (BIP 141)."""
    size = positions[TX_END] - positions[TX_START]
    if positions[TX_INPUTS] == positions[TX_START] + 4:
        return 4 * size
    witness = positions[TX_END] - 4 - positions[TX_WITNESS] + 2  # with marker and flag
    return 4 * size - 3 * witness


@njit(nogil=True, cache=True)
def _is_same_outpoint(raw, a, b):
    """Whether the 36 bytes at two positions are the same."""
    first, second = raw.ctypes.data + a, raw.ctypes.data + b
    return (
        load_big_endian(first) == load_big_endian(second)
        and load_big_endian(first + 8) == load_big_endian(second + 8)
        and load_big_endian(first + 16) == load_big_endian(second + 16)
        and load_big_endian(first + 24) == load_big_endian(second + 24)
        and load_big_endian(first + 28) == load_big_endian(second + 28)
    )


@njit(nogil=True, cache=True)
def check_spends(raw, layout, fault):
    """No output is spent twice in a block, by one transaction or by two, and only the coinbase has a null outpoint.

    The outpoints of a block are a hash table of their positions in `raw`, at most half of it used.
    """
    first_tx, inputs, transactions = layout.first_tx, layout.inputs, layout.transactions
    bits = 4
    while 1 << bits < 2 * layout.counts[:, 1].max():
        bits += 1
    table = np.empty(1 << bits, np.int64)
    for b in range(len(first_tx) - 1):
        bits = 4
        while 1 << bits < 2 * layout.counts[b, 1]:
            bits += 1
        table[: 1 << bits] = -1
        for t in range(first_tx[b] + 1, first_tx[b + 1]):
            position = _input_position(raw, transactions[t, TX_INPUTS])
            for _ in range(inputs[t]):
                txid = load_big_endian(raw.ctypes.data + position)
                if txid == 0 and _is_coinbase_input(raw, position):
                    fault[:] = (NULL_OUTPOINT, b, t - first_tx[b], 0, 0)
                    return
                key = np.uint64(txid + _u32(raw, position + 32)) * np.uint64(0x9E3779B97F4A7C15)
                slot = np.int64(key >> np.uint64(64 - bits))
                while table[slot] >= 0:
                    if _is_same_outpoint(raw, table[slot], position):
                        fault[:] = (SPENT_TWICE, b, t - first_tx[b], 0, 0)
                        return
                    slot = (slot + 1) & ((1 << bits) - 1)
                table[slot] = position
                size, position = compact(raw, position + 36, transactions[t, TX_OUTPUTS])
                position += size + 4


@njit(nogil=True, cache=True)
def _varint(data, position, end):
    """Core's VARINT: base 128, most significant first, each continuation adding one; (-1, _) if it is none."""
    value = np.int64(0)
    while position < end:
        byte = np.int64(data[position])
        position += 1
        if value > (np.int64(1) << 55):
            return np.int64(-1), position
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            return value, position
        value += 1
    return np.int64(-1), position


_LARGEST: Final = 2**63 - 1
_POWERS_OF_TEN = np.array([10**exponent for exponent in range(10)], np.int64)


@njit(nogil=True, cache=True)
def _decompress_amount(x):
    """Core's `DecompressAmount`, in sat."""
    if x == 0:
        return np.int64(0)
    x -= 1
    exponent = x % 10
    x //= 10
    if exponent < 9:
        digit = x % 9 + 1
        n = (x // 9) * 10 + digit
    else:
        n = x + 1
    power = _POWERS_OF_TEN[exponent]
    return n * power if n <= _LARGEST // power else np.int64(-1)


@njit(nogil=True, cache=True)
def walk_coin(undo, position, end, d, values, scripts):
    """Position behind the coin at `position`, or -1; writes its sat to values[d], (kind, start, end) to scripts[d].

    kind is Core's number for the compressed form, or 6 for a script in full.
    """
    code, position = _varint(undo, position, end)
    if code > 1:
        _, position = _varint(
            undo, position, end
        )  # a zero; before Bitcoin Core 0.15 the transaction's version
    amount, position = _varint(undo, position, end)
    kind, position = _varint(undo, position, end)
    if code < 0 or amount < 0 or kind < 0:
        return np.int64(-1)
    size = np.int64(20) if kind < 2 else np.int64(32) if kind < 6 else kind - 6
    if size > end - position:
        return np.int64(-1)
    values[d] = _decompress_amount(amount)
    scripts[d, 0] = min(kind, 6)
    scripts[d, 1] = position
    scripts[d, 2] = position + size
    return position + size


@njit(nogil=True, cache=True)
def lay_out_undo(undo, bounds, layout, values, scripts, fault):
    """Value and script position of every spent output, checked against the layout's transaction and input counts.

    values[d] = sat of debit d; scripts[d] = (kind, start, end) in undo. Gives how many are of kind 4 or 5.
    """
    first_tx, inputs = layout.first_tx, layout.inputs
    d = 0
    points = 0
    for b in range(len(bounds) - 1):
        end = bounds[b + 1]
        count, position = compact(undo, bounds[b], end)
        expected = first_tx[b + 1] - first_tx[b] - 1
        if count < 0:
            fault[:] = (UNDO_CUT_SHORT, b, 0, 0, end - bounds[b])
            return points
        if count != expected:
            fault[:] = (UNDO_TRANSACTIONS, b, 0, count, expected)
            return points
        for t in range(first_tx[b] + 1, first_tx[b + 1]):
            count, position = compact(undo, position, end)
            if count < 0:
                fault[:] = (UNDO_CUT_SHORT, b, t - first_tx[b], 0, end - bounds[b])
                return points
            if count != inputs[t]:
                fault[:] = (UNDO_INPUTS, b, t - first_tx[b], count, inputs[t])
                return points
            for _ in range(count):
                position = walk_coin(undo, position, end, d, values, scripts)
                if position < 0:
                    fault[:] = (UNDO_CUT_SHORT, b, t - first_tx[b], 0, end - bounds[b])
                    return points
                if values[d] < 0 or values[d] > MAX_MONEY:
                    fault[:] = (UNDO_VALUE_RANGE, b, t - first_tx[b], values[d], MAX_MONEY)
                    return points
                if scripts[d, 0] == 4 or scripts[d, 0] == 5:
                    points += 1
                d += 1
        if position != end:
            fault[:] = (UNDO_TRAILING_BYTES, b, 0, end - bounds[b], position - bounds[b])
            return points
    return points


@njit(nogil=True, cache=True)
def frame_key_hash(data, position):
    """Write the P2PKH script around 20 bytes at data[position + 3:]; gives the position behind it."""
    data[position], data[position + 1], data[position + 2] = 0x76, 0xA9, 20
    data[position + 23], data[position + 24] = 0x88, 0xAC
    return position + 25


@njit(nogil=True, cache=True)
def expand_script(undo, kind, start, end, data, position):
    """Write the scriptPubKey behind compressed form `kind` (0, 1) to data[position:]; gives the position behind it."""
    if kind == 0:
        append(data, position + 3, undo, start, end)
        return frame_key_hash(data, position)
    data[position], data[position + 1] = 0xA9, 20
    position = append(data, position + 2, undo, start, end)
    data[position] = 0x87
    return position + 1


@njit(nogil=True, cache=True)
def expand_key(undo, kind, start, end, y, data, position):
    """Write the public key behind compressed form `kind` (2..5) to data[position:]; gives the position behind it."""
    data[position] = kind if kind < 4 else 4
    position = append(data, position + 1, undo, start, end)
    return append(data, position, y, 0, 32) if kind >= 4 else position


@njit(nogil=True, cache=True)
def pays_to_key(data, start, end):
    """Whether the script data[start:end] is a push of a public key and OP_CHECKSIG (methodology 2).

    Lengths are told from the positions alone: of today's scripts hardly one is looked at.
    """
    size = end - start
    if size != 35 and size != 67:
        return False
    if data[start] != size - 2 or data[end - 1] != 0xAC:
        return False
    prefix = data[start + 1]
    if size == 35:
        return prefix == 2 or prefix == 3
    return prefix == 4 or prefix == 6 or prefix == 7


@njit(nogil=True, cache=True)
def mix(account, value, place):
    """64-bit fingerprint of one ledger row; rows of a block are summed, so their order does not matter.

    The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) over a linear combination of the three.
    """
    x = (
        np.uint64(account) * np.uint64(0x9E3779B97F4A7C15)
        + np.uint64(value) * np.uint64(0xD1B54A32D192ED03)
        + np.uint64(place) * np.uint64(0x8CB92BA72F3D8DD7)
    )
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(nogil=True, cache=True)
def is_among(account, accounts, first, last):
    """Whether the account is one of those from place `first` to below `last`."""
    for k in range(first, last):
        if accounts[k] == account:
            return True
    return False


@njit(nogil=True, cache=True)
def is_in_sorted(account, accounts):
    """Whether the account is one of the sorted ones."""
    place = np.searchsorted(accounts, account)
    return place < len(accounts) and accounts[place] == account


@njit(nogil=True, cache=True)
def _transfers(debits, d, inputs, credited, o, outputs):
    """(count, sat) of the positive outputs whose account is not among the inputs' (methodology 6, TxTfr...).

    The transaction has the rows d..d + inputs - 1 of debits and o..o + outputs - 1 of credited.
    """
    count = np.int64(0)
    total = np.int64(0)
    many = inputs > 8 and inputs * outputs > 1024
    accounts = debits.account
    known = np.sort(accounts[d : d + inputs]) if many else accounts[:0]
    for k in range(o, o + outputs):
        if credited.value[k] <= 0:
            continue
        account = credited.account[k]
        back = is_in_sorted(account, known) if many else is_among(account, accounts, d, d + inputs)
        if not back:
            count += 1
            total += credited.value[k]
    return count, total


# Columns of the per-block sums.
FEES, ISSUANCE, TRANSFER_COUNT, TRANSFER_VALUE, DIGEST, LARGEST_DRAWN, SUMS = 0, 1, 2, 3, 4, 5, 6

_MOST_MOVED: Final = 2**62
"""Sat that one block can move where it pays the same coins again and again: a column has room for more."""


@njit(nogil=True, cache=True)
def sum_blocks(layout, subsidies, txids, debits, credited, sums, fault):
    """Conservation per transaction and block, and each block's sums.

    debits = of every spent output, credited = of every output; txids in display order.
    A transaction may not pay more than it spends, a coinbase not more than subsidy and fees.
    """
    first_tx, inputs, outputs = layout.first_tx, layout.inputs, layout.outputs
    words = txids.view(np.int64)
    d = 0
    o = 0
    for b in range(len(first_tx) - 1):
        claimed = np.int64(0)
        largest = np.int64(0)
        fees = np.int64(0)
        transfer_count = np.int64(0)
        transfer_value = np.int64(0)
        digest = np.uint64(0)
        for t in range(first_tx[b], first_tx[b + 1]):
            place = 4 * (t - first_tx[b])
            digest += mix(words[t, 0], words[t, 1], place) + mix(words[t, 2], words[t, 3], place + 1)
            paid = np.int64(0)
            for k in range(o, o + outputs[t]):
                paid += credited.value[k]  # at most MAX_MONEY: `lay_out` refuses more
                digest += mix(credited.account[k], credited.value[k], place + 2)
            if t == first_tx[b]:
                claimed = paid
                o += outputs[t]
                continue
            drawn = np.int64(0)
            for k in range(d, d + inputs[t]):
                drawn += debits.value[k]
                if drawn > MAX_MONEY:
                    fault[:] = (INPUTS_RANGE, b, t - first_tx[b], drawn, MAX_MONEY)
                    return
                digest += mix(debits.account[k], debits.value[k], place + 3)
            if paid > drawn:
                fault[:] = (OVERSPENT, b, t - first_tx[b], drawn, paid)
                return
            fees += drawn - paid
            if fees > MAX_MONEY:
                fault[:] = (FEES_RANGE, b, t - first_tx[b], fees, MAX_MONEY)
                return
            largest = max(largest, drawn)
            count, total = _transfers(debits, d, inputs[t], credited, o, outputs[t])
            transfer_count += count
            transfer_value += total
            if transfer_value > _MOST_MOVED:
                fault[:] = (TRANSFERS_RANGE, b, t - first_tx[b], transfer_value, _MOST_MOVED)
                return
            d += inputs[t]
            o += outputs[t]
        if claimed > subsidies[b] + fees:
            fault[:] = (OVERCLAIMED, b, 0, claimed, subsidies[b] + fees)
            return
        sums[b, FEES] = fees
        sums[b, ISSUANCE] = claimed - fees
        sums[b, TRANSFER_COUNT] = transfer_count
        sums[b, TRANSFER_VALUE] = transfer_value
        sums[b, DIGEST] = np.int64(digest)
        sums[b, LARGEST_DRAWN] = largest
