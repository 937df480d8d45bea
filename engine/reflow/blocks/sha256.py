"""SHA-256 of many messages at once, for numba kernels (FIPS 180-4): one message in each lane of the CPU's vectors.

A block of 64 bytes depends on the one before, so a single message cannot be hashed faster than the CPU's latency
allows. Messages do not depend on each other: LANES of them advance together, a block each, every step of the
compression being one vector instruction. A lane whose message ends takes the next one. The compression is written in
LLVM's vector types, which become AVX-512, AVX2, SSE2 or NEON instructions, whatever the CPU has.

Messages lie *padded* in one array: behind the message the byte 0x80, zeros, and its length in bits (`pad`).
Digests are rows of eight words whose bytes in memory are the digest, in the byte order of the wire.
"""

from typing import Any, Final

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from reflow.blocks.memory import copy_bytes, store_big_endian

LANES: Final = 16 if llvm.get_host_cpu_features().get("avx512f") else 8
"""Messages that advance together: as many 32-bit words as a vector of the CPU has. Results do not depend on it."""

BLOCK: Final = 64
WORDS: Final = 8
"""Words of a digest."""

_PRIMES: Final = [p for p in range(2, 312) if all(p % q for q in range(2, p))]
_ROUND_CONSTANTS: Final = [int(2**32 * (float(p) ** (1 / 3) % 1)) for p in _PRIMES]
"""The fractional parts of the cube roots of the first 64 primes."""
_INITIAL_STATE: Final = np.array([int(2**32 * (float(p) ** 0.5 % 1)) for p in _PRIMES[:WORDS]], np.uint32)
"""The fractional parts of the square roots of the first 8 primes."""

_VECTOR: Final = ir.VectorType(ir.IntType(32), LANES)
_DIGEST: Final = ir.VectorType(ir.IntType(32), WORDS)
_INDEX: Final = ir.IntType(64)
_PADDING: Final = [0x80000000, *[0] * 14, 8 * BLOCK]
"""The second block of a message of 64 bytes, as words."""
_DIGEST_PADDING: Final = [0x80000000, *[0] * 6, 32 * WORDS]
"""The words behind a message of 32 bytes."""


def _kernel(generate: Any) -> Any:
    """An intrinsic of two addresses from a function that emits its code."""

    def typed(_: Any, first: Any, second: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            generate(builder, *args)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp), emit

    return intrinsic(typed)


@_kernel
def _compress_lanes(builder: Any, state: Any, blocks: Any) -> None:
    """`state`: address of WORDS rows of LANES words; `blocks`: address of LANES addresses, of a 64-byte block each."""
    rows = [_pointer(builder, state, _VECTOR, 4 * LANES * word) for word in range(WORDS)]
    addresses = builder.inttoptr(blocks, _INDEX.as_pointer())
    places = [builder.load(builder.gep(addresses, [_INDEX(lane)])) for lane in range(LANES)]
    before = [_load(builder, row) for row in rows]
    after = _rounds(builder, before, _words_of_blocks(builder, places))
    for row, vector in zip(rows, after, strict=True):
        builder.store(vector, row).align = 4


@_kernel
def _hash_pairs_lanes(builder: Any, messages: Any, digests: Any) -> None:
    """SHA-256d of LANES messages of 64 bytes that lie in a row; the digests likewise."""
    places = [builder.add(messages, _INDEX(BLOCK * lane)) for lane in range(LANES)]
    state = _rounds(builder, _initial(), _words_of_blocks(builder, places))
    state = _rounds(builder, state, [_same(word) for word in _PADDING])
    _store_digests(builder, _digest_of_digest(builder, state), digests)


@_kernel
def _hash_again_lanes(builder: Any, messages: Any, digests: Any) -> None:
    """SHA-256 of LANES digests that lie in a row; the new digests likewise."""
    rows = [
        _widened(builder, _load(builder, _pointer(builder, messages, _DIGEST, 4 * WORDS * lane)))
        for lane in range(LANES)
    ]
    words = [_call(builder, "bswap", row) for row in _transpose(builder, rows)[:WORDS]]
    _store_digests(builder, _digest_of_digest(builder, words), digests)


def _digest_of_digest(builder: Any, digest: list[Any]) -> list[Any]:
    return _rounds(builder, _initial(), [*digest, *map(_same, _DIGEST_PADDING)])


def _store_digests(builder: Any, state: list[Any], digests: Any) -> None:
    """Write the digest of each lane, 32 bytes one behind the other from the address `digests` on."""
    words = [_call(builder, "bswap", vector) for vector in state]
    rows = _transpose(builder, words + [ir.Constant(_VECTOR, ir.Undefined)] * (LANES - WORDS))
    for lane, row in enumerate(rows):
        low = builder.shuffle_vector(row, row, ir.Constant(_DIGEST, list(range(WORDS))))
        builder.store(low, _pointer(builder, digests, _DIGEST, 4 * WORDS * lane)).align = 1


def _widened(builder: Any, digest: Any) -> Any:
    """A digest's words in the low half of a full vector, the rest undefined."""
    order = ir.Constant(_VECTOR, [word % WORDS for word in range(LANES)])
    return builder.shuffle_vector(digest, digest, order)


def _initial() -> list[Any]:
    return [_same(int(word)) for word in _INITIAL_STATE]


def _pointer(builder: Any, address: Any, kind: Any, offset: int) -> Any:
    return builder.inttoptr(builder.add(address, _INDEX(offset)), kind.as_pointer())


def _load(builder: Any, pointer: Any) -> Any:
    vector = builder.load(pointer)
    vector.align = 1
    return vector


def _same(value: int) -> Any:
    """A vector with `value` in every lane."""
    return ir.Constant(_VECTOR, [value] * LANES)


def _call(builder: Any, name: str, *operands: Any) -> Any:
    """One of LLVM's own functions on vectors."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(operands))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}i32")
    return builder.call(function, operands)


def _words_of_blocks(builder: Any, places: list[Any]) -> list[Any]:
    """Sixteen vectors: the big-endian words of the blocks at LANES addresses, word by word, a block in each lane."""
    words: list[Any] = []
    for part in range(0, BLOCK, 4 * LANES):
        rows = [_load(builder, _pointer(builder, place, _VECTOR, part)) for place in places]
        words += [_call(builder, "bswap", row) for row in _transpose(builder, rows)]
    return words


def _transpose(builder: Any, rows: list[Any]) -> list[Any]:
    """LANES vectors by LANES: neighbours are interleaved in units of one word, two words, and so on."""
    unit = 1
    while unit < LANES:
        for low in (row for row in range(LANES) if not row & unit):
            pair = rows[low], rows[low + unit]
            rows[low], rows[low + unit] = (_interleave(builder, *pair, unit, part) for part in (0, unit))
        unit *= 2
    return rows


def _interleave(builder: Any, first: Any, second: Any, unit: int, offset: int) -> Any:
    """Every other unit of words, from the words at `offset` on, of two vectors by turns."""
    order = [
        source + start + offset + word
        for start in range(0, LANES, 2 * unit)
        for source in (0, LANES)
        for word in range(unit)
    ]
    return builder.shuffle_vector(first, second, ir.Constant(_VECTOR, order))


def _rounds(builder: Any, state: list[Any], words: list[Any]) -> list[Any]:
    """The state after a block of sixteen words (FIPS 180-4, section 6.2.2)."""
    add, xor = builder.add, builder.xor

    def rotated(word: Any, *bits: int) -> Any:
        """The exclusive or of rotations to the right."""
        first, *others = (_call(builder, "fshr", word, word, _same(n)) for n in bits)
        for other in others:
            first = xor(first, other)
        return first

    a, b, c, d, e, f, g, h = state
    for i, constant in enumerate(_ROUND_CONSTANTS):
        if i >= len(words):
            early, late = words[(i - 15) % 16], words[(i - 2) % 16]
            s0 = xor(rotated(early, 7, 18), builder.lshr(early, _same(3)))
            s1 = xor(rotated(late, 17, 19), builder.lshr(late, _same(10)))
            words[i % 16] = add(add(words[i % 16], s0), add(words[(i - 7) % 16], s1))
        chosen = xor(g, builder.and_(e, xor(f, g)))
        majority = builder.or_(builder.and_(a, b), builder.and_(c, builder.or_(a, b)))
        t1 = add(add(h, add(words[i % 16], _same(constant))), add(rotated(e, 6, 11, 25), chosen))
        t2 = add(rotated(a, 2, 13, 22), majority)
        h, g, f, e, d, c, b, a = g, f, e, add(d, t1), c, b, a, add(t1, t2)
    return [add(old, new) for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


_ADDRESSES: Final = types.void(types.intp, types.intp)


@cfunc(_ADDRESSES, cache=True)
def _compress(state: Any, blocks: Any) -> None:
    _compress_lanes(state, blocks)


@cfunc(_ADDRESSES, cache=True)
def _pairs(messages: Any, digests: Any) -> None:
    _hash_pairs_lanes(messages, digests)


@cfunc(_ADDRESSES, cache=True)
def _again(messages: Any, digests: Any) -> None:
    _hash_again_lanes(messages, digests)


def _symbol(name: str, function: Any) -> Any:
    """The function behind a symbol, so that kernels call the one compiled copy instead of taking it in."""
    llvm.add_symbol(f"reflow_sha256_{name}", function.address)
    return types.ExternalFunction(f"reflow_sha256_{name}", _ADDRESSES)


_compress_blocks: Final = _symbol("compress", _compress)
_hash_pairs: Final = _symbol("pairs", _pairs)
_hash_again: Final = _symbol("again", _again)


@njit(nogil=True, cache=True)
def padded(size):
    """Bytes that a message of `size` bytes takes with its padding."""
    return (size + 9 + BLOCK - 1) & ~(BLOCK - 1)


@njit(nogil=True, cache=True)
def pad(data, start, end):
    """Pad the message data[start:end], behind which `data` is zero; gives the position behind the padding."""
    last = start + padded(end - start)
    data[end] = 0x80
    store_big_endian(data.ctypes.data + last - 8, 8 * (end - start))
    return last


@njit(nogil=True, cache=True)
def _swapped(word):
    return (
        (word << np.uint32(24))
        | ((word & np.uint32(0xFF00)) << np.uint32(8))
        | ((word >> np.uint32(8)) & np.uint32(0xFF00))
        | (word >> np.uint32(24))
    )


@njit(nogil=True, cache=True)
def _begin(state, lane):
    for word in range(WORDS):
        state[word, lane] = _INITIAL_STATE[word]


@njit(nogil=True, cache=True)
def _finish(state, lane, digest):
    for word in range(WORDS):
        digest[word] = _swapped(state[word, lane])


@njit(nogil=True, cache=True)
def hash_messages(data, starts, digests):
    """digests[i] = SHA-256 of the padded message data[starts[i]:starts[i + 1]]; `digests` has WORDS words a row."""
    count = len(starts) - 1
    state = np.empty((WORDS, LANES), np.uint32)
    places = np.full(
        LANES, data.ctypes.data, np.int64
    )  # a lane without a message reads the first block over and over
    left = np.zeros(LANES, np.int64)
    message = np.full(LANES, -1, np.int64)
    following = 0
    done = 0
    while done < count:
        for lane in range(LANES):
            if left[lane] == 0 and following < count:
                _begin(state, lane)
                message[lane] = following
                places[lane] = data.ctypes.data + starts[following]
                left[lane] = (starts[following + 1] - starts[following]) // BLOCK
                following += 1
        _compress_blocks(state.ctypes.data, places.ctypes.data)
        for lane in range(LANES):
            if left[lane] > 0:
                left[lane] -= 1
                places[lane] += BLOCK
                if left[lane] == 0:
                    _finish(state, lane, digests[message[lane]])
                    places[lane] = data.ctypes.data
                    done += 1


@njit(nogil=True, cache=True)
def hash_again(digests):
    """digests[i] = SHA-256 of the digest in digests[i]."""
    whole = len(digests) // LANES * LANES
    for first in range(0, whole, LANES):
        _hash_again(digests[first:].ctypes.data, digests[first:].ctypes.data)
    rest = np.zeros((LANES, WORDS), np.uint32)
    copy_bytes(rest.ctypes.data, digests[whole:].ctypes.data, 4 * WORDS * (len(digests) - whole))
    _hash_again(rest.ctypes.data, rest.ctypes.data)
    copy_bytes(digests[whole:].ctypes.data, rest.ctypes.data, 4 * WORDS * (len(digests) - whole))
    return rest  # an address keeps nothing alive


@njit(nogil=True, cache=True)
def hash_pairs(digests, pairs):
    """digests[i] = SHA-256d of digests[2 * i] and digests[2 * i + 1], for i < pairs: one level of a Merkle tree."""
    whole = pairs // LANES * LANES
    for first in range(0, whole, LANES):
        _hash_pairs(digests[2 * first :].ctypes.data, digests[first:].ctypes.data)
    rest = np.zeros((2 * LANES, WORDS), np.uint32)
    copy_bytes(rest.ctypes.data, digests[2 * whole :].ctypes.data, 8 * WORDS * (pairs - whole))
    _hash_pairs(rest.ctypes.data, rest.ctypes.data)
    copy_bytes(digests[whole:].ctypes.data, rest.ctypes.data, 4 * WORDS * (pairs - whole))
    return rest  # as above
