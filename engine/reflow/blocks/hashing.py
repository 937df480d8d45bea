"""The hashes of a batch: txids, wtxids, Merkle roots and accounts, many messages at a time.

Each kernel lays its messages out, padded, in a scratch array that stays in the CPU's cache, and hashes them all when it
is full. Positions come from `kernels.lay_out` and `kernels.lay_out_undo`; faults are written as described there.
"""

from typing import Final

import numpy as np
from numba import njit

from reflow.blocks.kernels import (
    BLOCK_HASH,
    MERKLE_ROOT,
    TWINS,
    TX_END,
    TX_INPUTS,
    TX_START,
    TX_WITNESS,
    UNEXPECTED_WITNESS,
    WITNESS_ROOT,
    append,
    expand_key,
    expand_script,
    frame_key_hash,
    pays_to_key,
)
from reflow.blocks.memory import copy_bytes, load_big_endian, zero_bytes
from reflow.blocks.ripemd160 import ripemd160
from reflow.blocks.sha256 import BLOCK, WORDS, hash_again, hash_messages, hash_pairs, pad, padded

_SCRATCH: Final = 1 << 18
"""Bytes of padded messages that are hashed together: they fit into a core's second-level cache."""
_EXPANDED: Final = 25
"""The longest script that is made here: P2PKH, from undo data or from a key."""
_KEY: Final = 65
"""The longest public key."""
_COMMITMENT = np.frombuffer(b"\x6a\x24\xaa\x21\xa9\xed", np.uint8)
"""How the scriptPubKey of a witness commitment begins (BIP 141)."""


@njit(nogil=True, cache=True)
def _scratch(longest):
    """Zeroed room for messages, the longest of `longest` bytes, and for where each starts."""
    room = max(_SCRATCH, padded(longest))
    return np.zeros(room, np.uint8), np.zeros(room // BLOCK + 1, np.int64)


@njit(nogil=True, cache=True)
def _hash(data, starts, digests):
    """Hash the messages of a scratch array and clear it for the next ones."""
    hash_messages(data, starts, digests)
    zero_bytes(data.ctypes.data, starts[-1])


@njit(nogil=True, cache=True)
def hash_headers(headers, hashes):
    """hashes[i] = SHA-256d of the 80 bytes headers[i], in the byte order of the wire."""
    size = headers.shape[1]
    data, starts = np.zeros(len(headers) * padded(size), np.uint8), np.zeros(len(headers) + 1, np.int64)
    for i in range(len(headers)):
        starts[i + 1] = pad(data, starts[i], append(data, starts[i], headers[i], 0, size))
    digests = hashes.view(np.uint32)
    hash_messages(data, starts, digests)
    hash_again(digests)


@njit(nogil=True, cache=True)
def _is_segwit(transactions, t):
    return transactions[t, TX_INPUTS] != transactions[t, TX_START] + 4


@njit(nogil=True, cache=True)
def _longest(transactions):
    longest = np.int64(0)
    for t in range(len(transactions)):
        longest = max(longest, transactions[t, TX_END] - transactions[t, TX_START])
    return longest


@njit(nogil=True, cache=True)
def hash_transactions(raw, transactions, txids):
    """txids[t] = SHA-256d of transaction t without its witness (BIP 141), in the byte order of the wire."""
    data, starts = _scratch(_longest(transactions))
    digests = txids.view(np.uint32)
    first = 0
    position = np.int64(0)
    for t in range(len(transactions)):
        start, inputs, _, witness, end = transactions[t]
        if position + padded(end - start) > len(data):
            _hash(data, starts[: t - first + 1], digests[first:t])
            first, position = t, np.int64(0)
        last = append(data, position, raw, start, start + 4)
        last = append(data, last, raw, inputs, witness)
        last = append(data, last, raw, end - 4, end)
        position = pad(data, position, last)
        starts[t - first + 1] = position
    _hash(data, starts[: len(transactions) - first + 1], digests[first:])
    hash_again(digests)


@njit(nogil=True, cache=True)
def hash_witnesses(raw, transactions, txids, wtxids):
    """wtxids[t] = SHA-256d of transaction t with its witness (BIP 141); its txid where it has none."""
    data, starts = _scratch(_longest(transactions))
    numbers = np.empty(len(starts), np.int64)
    digests = np.empty((len(starts), WORDS), np.uint32)
    found = wtxids.view(np.uint32)
    known = txids.view(np.uint32)
    count = 0
    for t in range(len(transactions) + 1):
        at_end = t == len(transactions)
        start, end = (0, 0) if at_end else (transactions[t, TX_START], transactions[t, TX_END])
        if at_end or starts[count] + padded(end - start) > len(data):
            _hash(data, starts[: count + 1], digests)
            hash_again(digests[:count])
            for k in range(count):
                copy_bytes(found[numbers[k]].ctypes.data, digests[k].ctypes.data, 4 * WORDS)
            count = 0
        if at_end:
            break
        if not _is_segwit(transactions, t):
            copy_bytes(found[t].ctypes.data, known[t].ctypes.data, 4 * WORDS)
            continue
        last = append(data, starts[count], raw, start, end)
        starts[count + 1] = pad(data, starts[count], last)
        numbers[count] = t
        count += 1


@njit(nogil=True, cache=True)
def _merkle_root(leaves, count):
    """Merkle root of leaves[:count] (a spare row behind them), computed in place in row 0; gives whether it is unique.

    It is not where two hashes that make a pair are equal: a list whose end is repeated has the same root
    (CVE-2012-2459).
    """
    is_unique = True
    while count > 1:
        for k in range(0, count - 1, 2):
            is_unique &= _is_other(leaves[k], leaves[k + 1])
        if count & 1:
            copy_bytes(leaves[count].ctypes.data, leaves[count - 1].ctypes.data, 4 * WORDS)
            count += 1
        count //= 2
        hash_pairs(leaves, count)
    return is_unique


@njit(nogil=True, cache=True)
def _is_other(a, b):
    """Whether two rows of words differ."""
    for word in range(WORDS):  # numba compiles loops, not generators in any()
        if a[word] != b[word]:
            return True
    return False


@njit(nogil=True, cache=True)
def _root(hashes):
    """The Merkle root of `hashes`, as a row of 32 bytes, and whether no other list of hashes is known to have it."""
    leaves = np.empty((len(hashes) + 1, WORDS), np.uint32)
    copy_bytes(leaves.ctypes.data, hashes.ctypes.data, 4 * WORDS * len(hashes))
    is_unique = _merkle_root(leaves, len(hashes))
    return leaves[0].view(np.uint8), is_unique


@njit(nogil=True, cache=True)
def differ(a, b):
    """Whether two hashes differ."""
    for k in range(4 * WORDS):
        if a[k] != b[k]:
            return True
    return False


@njit(nogil=True, cache=True)
def check_roots(raw, bounds, first_tx, txids, hashes, fault):
    """Each block's hash against the expected `hashes`, and its Merkle root against its header."""
    headers = np.empty((len(bounds) - 1, 80), np.uint8)
    for b in range(len(headers)):
        copy_bytes(headers[b].ctypes.data, raw.ctypes.data + bounds[b], 80)
    found = np.empty((len(headers), 4 * WORDS), np.uint8)
    hash_headers(headers, found)
    for b in range(len(headers)):
        if differ(found[b], hashes[b]):
            fault[:] = (BLOCK_HASH, b, 0, 0, 0)
            return
        root, is_unique = _root(txids[first_tx[b] : first_tx[b + 1]])
        if differ(root, headers[b, 36:68]):
            fault[:] = (MERKLE_ROOT, b, 0, 0, 0)
            return
        if not is_unique:
            fault[:] = (TWINS, b, 0, 0, 0)
            return


@njit(nogil=True, cache=True)
def _commitment(raw, scripts, first, last):
    """Position of the witness commitment in the coinbase's outputs first..last - 1 (the last that fits), or -1."""
    for o in range(last - 1, first - 1, -1):
        start = scripts[o, 0]
        if scripts[o, 1] - start >= 38 and np.array_equal(raw[start : start + 6], _COMMITMENT):
            return start + 6
    return np.int64(-1)


@njit(nogil=True, cache=True)
def check_witnesses(raw, layout, txids, fault):
    """Each block's witness commitment (BIP 141), the only hash that covers its witness bytes.

    Applies to blocks whose coinbase carries the witness reserved value; in others no transaction may have a witness.
    """
    first_tx, transactions, scripts = layout.first_tx, layout.transactions, layout.scripts
    wtxids = np.empty_like(txids)
    hash_witnesses(raw, transactions, txids, wtxids)
    pair = np.empty((2, 4 * WORDS), np.uint8)
    for b in range(len(first_tx) - 1):
        t0 = first_tx[b]
        t1 = first_tx[b + 1]
        witness = transactions[t0, TX_WITNESS]
        o0 = layout.first_output[b]
        position = _commitment(raw, scripts, o0, o0 + layout.outputs[t0])
        reserved = (
            transactions[t0, TX_END] - 4 - witness == 34 and raw[witness] == 1 and raw[witness + 1] == 32
        )
        if not reserved or position < 0:
            for t in range(t0, t1):
                if _is_segwit(transactions, t):
                    fault[:] = (UNEXPECTED_WITNESS, b, t - t0, 0, 0)
                    return
            continue
        wtxids[t0] = 0  # the coinbase's counts as zero
        pair[0] = _root(wtxids[t0:t1])[0]
        pair[1] = raw[witness + 2 : witness + 34]
        if differ(_root(pair)[0], raw[position : position + 32]):
            fault[:] = (WITNESS_ROOT, b, 0, 0, 0)
            return


@njit(nogil=True, cache=True)
def _scratch_of_keys(starts):
    """Room for a public key for each of as many scripts as `starts` has room for: keys, their starts, their scripts."""
    count = len(starts)
    return (
        np.zeros(count * padded(_KEY), np.uint8),
        np.zeros(count + 1, np.int64),
        np.zeros(count, np.int64),
    )


@njit(nogil=True, cache=True)
def _hash_keys(keys, starts, scripts, data):
    """Write the HASH160 of each key into the P2PKH script at its position in `data`, and clear `keys`.

    A pay-to-public-key output belongs to the account of the P2PKH script of its key (methodology 2).
    """
    digests = np.empty((len(scripts), WORDS), np.uint32)
    _hash(keys, starts, digests)
    for k in range(len(scripts)):
        ripemd160(digests[k].view(np.uint8), data, scripts[k] + 3)


@njit(nogil=True, cache=True)
def _accounts(data, starts, accounts):
    """accounts[i] = account of the padded script i: the first 8 bytes of its digest, big-endian, signed."""
    digests = np.empty((len(accounts), WORDS), np.uint32)
    _hash(data, starts, digests)
    for i in range(len(accounts)):
        accounts[i] = load_big_endian(digests[i].ctypes.data)


@njit(nogil=True, cache=True)
def credit_accounts(raw, scripts, accounts):
    """accounts[o] = account of the scriptPubKey raw[scripts[o, 0]:scripts[o, 1]]."""
    data, starts = _scratch(_longest_script(scripts, 0))
    keys, key_starts, framed = _scratch_of_keys(starts)
    first = 0
    count = 0
    position = np.int64(0)
    for o in range(len(scripts)):
        start, end = scripts[o]
        if position + padded(end - start) > len(data):
            _hash_keys(keys, key_starts[: count + 1], framed[:count], data)
            _accounts(data, starts[: o - first + 1], accounts[first:o])
            first, count, position = o, 0, np.int64(0)
        if pays_to_key(raw, start, end):
            last = append(keys, key_starts[count], raw, start + 1, end - 1)
            key_starts[count + 1] = pad(keys, key_starts[count], last)
            framed[count] = position
            count += 1
            last = frame_key_hash(data, position)
        else:
            last = append(data, position, raw, start, end)
        position = pad(data, position, last)
        starts[o - first + 1] = position
    _hash_keys(keys, key_starts[: count + 1], framed[:count], data)
    _accounts(data, starts[: len(scripts) - first + 1], accounts[first:])


@njit(nogil=True, cache=True)
def _longest_script(scripts, column):
    longest = np.int64(_EXPANDED)
    for row in range(len(scripts)):
        longest = max(longest, scripts[row, column + 1] - scripts[row, column])
    return longest


@njit(nogil=True, cache=True)
def debit_accounts(undo, scripts, ys, accounts):
    """accounts[d] = account of spent output d.

    ys = y coordinates of the points of kind 4 and 5, in order, and a spare row.
    """
    data, starts = _scratch(_longest_script(scripts, 1))
    keys, key_starts, framed = _scratch_of_keys(starts)
    first = 0
    count = 0
    position = np.int64(0)
    point = 0
    for d in range(len(scripts)):
        kind, start, end = scripts[d]
        if position + padded(max(end - start, _EXPANDED)) > len(data):
            _hash_keys(keys, key_starts[: count + 1], framed[:count], data)
            _accounts(data, starts[: d - first + 1], accounts[first:d])
            first, count, position = d, 0, np.int64(0)
        in_full = kind == 6 and pays_to_key(undo, start, end)
        if in_full or 2 <= kind < 6:
            if in_full:
                last = append(keys, key_starts[count], undo, start + 1, end - 1)
            else:
                last = expand_key(undo, kind, start, end, ys[point], keys, key_starts[count])
                point += kind >= 4
            key_starts[count + 1] = pad(keys, key_starts[count], last)
            framed[count] = position
            count += 1
            last = frame_key_hash(data, position)
        elif kind == 6:
            last = append(data, position, undo, start, end)
        else:
            last = expand_script(undo, kind, start, end, data, position)
        position = pad(data, position, last)
        starts[d - first + 1] = position
    _hash_keys(keys, key_starts[: count + 1], framed[:count], data)
    _accounts(data, starts[: len(scripts) - first + 1], accounts[first:])
