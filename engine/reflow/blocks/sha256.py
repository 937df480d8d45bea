"""SHA-256 callable from numba kernels (FIPS 180-4), by OpenSSL where there is one, else by numba alone.

The kernels call three symbols of the usual incremental interface: `reflow_sha256_init(ctx)`,
`reflow_sha256_update(ctx, data, size)`, `reflow_sha256_final(digest, ctx)`, all addresses. Which code stands behind
the symbols is decided when this module is loaded, so compiled kernels stay in numba's cache whichever it is.
OpenSSL's low-level functions are used because its one-shot SHA256() looks the algorithm up at each call. Set
REFLOW_SHA256=numba to do without OpenSSL.
"""

import ctypes
import ctypes.util
import os
from typing import Any, Final

import llvmlite.binding as llvm
import numpy as np
from numba import carray, cfunc, njit, types

CONTEXT_SIZE: Final = 128
"""Bytes of a hashing context: OpenSSL's SHA256_CTX takes 112, ours 104."""

_ROUND_CONSTANTS: Final = np.array(
    [int(2**32 * abs(float(p) ** (1 / 3) % 1)) for p in range(2, 312) if all(p % q for q in range(2, p))],
    np.uint32,
)  # fractional parts of the cube roots of the first 64 primes
_INITIAL_STATE: Final = np.array(
    [int(2**32 * (float(p) ** 0.5 % 1)) for p in (2, 3, 5, 7, 11, 13, 17, 19)], np.uint32
)  # fractional parts of the square roots of the first 8 primes


@njit(inline="always")
def _rotate(word, bits):
    return np.uint32((word >> np.uint32(bits)) | (word << np.uint32(32 - bits)))


@njit(cache=True, nogil=True)
def _compress(state, block):
    """One 64-byte block into the eight words of state."""
    w = np.empty(64, np.uint32)
    for i in range(16):
        w[i] = (
            np.uint32(block[4 * i]) << np.uint32(24)
            | np.uint32(block[4 * i + 1]) << np.uint32(16)
            | np.uint32(block[4 * i + 2]) << np.uint32(8)
            | np.uint32(block[4 * i + 3])
        )
    for i in range(16, 64):
        s0 = _rotate(w[i - 15], 7) ^ _rotate(w[i - 15], 18) ^ (w[i - 15] >> np.uint32(3))
        s1 = _rotate(w[i - 2], 17) ^ _rotate(w[i - 2], 19) ^ (w[i - 2] >> np.uint32(10))
        w[i] = w[i - 16] + s0 + w[i - 7] + s1
    a, b, c, d, e, f, g, h = state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]
    for i in range(64):
        s1 = _rotate(e, 6) ^ _rotate(e, 11) ^ _rotate(e, 25)
        t1 = np.uint32(h + s1 + ((e & f) ^ (~e & g)) + _ROUND_CONSTANTS[i] + w[i])
        s0 = _rotate(a, 2) ^ _rotate(a, 13) ^ _rotate(a, 22)
        t2 = np.uint32(s0 + ((a & b) ^ (a & c) ^ (b & c)))
        h, g, f, e, d, c, b, a = g, f, e, np.uint32(d + t1), c, b, a, np.uint32(t1 + t2)
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d
    state[4] += e
    state[5] += f
    state[6] += g
    state[7] += h


# The fallback's context: 8 words of state, the total length in two words, then 64 bytes not yet compressed.
_BYTES = types.CPointer(types.uint8)


@cfunc(types.intc(_BYTES), cache=True)
def _numba_init(context):
    words = carray(context, 40).view(np.uint32)
    words[:8] = _INITIAL_STATE
    words[8:] = 0
    return 1


@cfunc(types.intc(_BYTES, _BYTES, types.intp), cache=True)
def _numba_update(context, data, size):
    words = carray(context, 40).view(np.uint32)
    pending = carray(context, 104)[40:]
    source = carray(data, size)
    length = np.int64(words[8]) | np.int64(words[9]) << 32
    filled = length & 63
    length += size
    words[8] = np.uint32(length & 0xFFFFFFFF)
    words[9] = np.uint32(length >> 32)
    position = np.int64(0)
    if filled + size >= 64:
        if filled:
            position = 64 - filled
            pending[filled:] = source[:position]
            _compress(words, pending)
            filled = 0
        while position + 64 <= size:
            _compress(words, source[position : position + 64])
            position += 64
    pending[filled : filled + size - position] = source[position:size]
    return 1


@cfunc(types.intc(_BYTES, _BYTES), cache=True)
def _numba_final(digest, context):
    words = carray(context, 40).view(np.uint32)
    pending = carray(context, 104)[40:]
    out = carray(digest, 32)
    bits = (np.int64(words[8]) | np.int64(words[9]) << 32) * 8
    filled = (bits >> 3) & 63
    pending[filled] = 0x80
    pending[filled + 1 :] = 0
    if filled >= 56:
        _compress(words, pending)
        pending[:] = 0
    for i in range(8):
        pending[56 + i] = (bits >> (56 - 8 * i)) & 0xFF
    _compress(words, pending)
    for i in range(32):
        out[i] = (words[i >> 2] >> np.uint32(24 - 8 * (i & 3))) & np.uint32(0xFF)
    return 1


_LIBRARIES: Final = ("libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so", "libcrypto.3.dylib")


def _openssl() -> tuple[int, int, int] | None:
    """Addresses of OpenSSL's SHA256_Init, SHA256_Update and SHA256_Final, or None on a system without them."""
    found = ctypes.util.find_library("crypto")
    for name in (*([found] if found else []), *_LIBRARIES):
        try:
            library = ctypes.CDLL(name)
            functions = (library.SHA256_Init, library.SHA256_Update, library.SHA256_Final)
        except (OSError, AttributeError):
            continue
        init, update, final = (ctypes.cast(f, ctypes.c_void_p).value or 0 for f in functions)
        return init, update, final
    return None


def _bind() -> str:
    addresses = None if os.environ.get("REFLOW_SHA256") == "numba" else _openssl()
    for symbol, address in zip(
        ("init", "update", "final"),
        addresses or (_numba_init.address, _numba_update.address, _numba_final.address),
        strict=True,
    ):
        llvm.add_symbol(f"reflow_sha256_{symbol}", address)
    return "openssl" if addresses else "numba"


BACKEND: Final = _bind()
"""Which code computes the digests: `openssl` or `numba`. The results are equal."""

sha256_init: Any = types.ExternalFunction("reflow_sha256_init", types.intc(types.intp))
sha256_update: Any = types.ExternalFunction(
    "reflow_sha256_update", types.intc(types.intp, types.intp, types.intp)
)
sha256_final: Any = types.ExternalFunction("reflow_sha256_final", types.intc(types.intp, types.intp))
