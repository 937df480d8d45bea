"""Hashing kernels: SHA-256 by OpenSSL, RIPEMD-160, Merkle root.

Not the engine's own SHA-256, so that the generated blocks judge it. OpenSSL's low-level functions are called because
its one-shot SHA256() looks the algorithm up at each call; behind symbols, so that numba can keep what it compiled.

Sources: FIPS 180-4; Dobbertin, Bosselaers and Preneel, "RIPEMD-160: a strengthened version of RIPEMD" (1996).
"""

import ctypes
import ctypes.util
from typing import Any, Final

import llvmlite.binding as llvm
import numpy as np
from numba import njit, types

CONTEXT_SIZE: Final = 128
"""Bytes of a hashing context: OpenSSL's SHA256_CTX takes 112."""


def _openssl(name: str, *arguments: Any) -> Any:
    """A function of OpenSSL's libcrypto that numba can call; its arguments are addresses and sizes."""
    library = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
    llvm.add_symbol(name, ctypes.cast(getattr(library, name), ctypes.c_void_p).value)
    return types.ExternalFunction(name, types.intc(*arguments))


_init: Final = _openssl("SHA256_Init", types.intp)
_update: Final = _openssl("SHA256_Update", types.intp, types.intp, types.intp)
_final: Final = _openssl("SHA256_Final", types.intp, types.intp)

_WORD_ORDER: Final = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8],
        [3, 10, 14, 4, 9, 15, 8, 1, 2, 7, 0, 6, 13, 11, 5, 12],
        [1, 9, 11, 10, 0, 8, 12, 4, 13, 3, 7, 15, 14, 5, 6, 2],
        [4, 0, 5, 9, 7, 12, 2, 10, 14, 1, 3, 8, 11, 6, 15, 13],
        [5, 14, 7, 0, 9, 2, 11, 4, 13, 6, 15, 8, 1, 10, 3, 12],
        [6, 11, 3, 7, 0, 13, 5, 10, 14, 15, 8, 12, 4, 9, 1, 2],
        [15, 5, 1, 3, 7, 14, 6, 9, 11, 8, 12, 2, 10, 0, 4, 13],
        [8, 6, 4, 1, 3, 11, 15, 0, 5, 12, 2, 13, 9, 7, 10, 14],
        [12, 15, 10, 4, 1, 5, 8, 7, 6, 2, 13, 14, 0, 3, 9, 11],
    ]
)
_ROTATIONS: Final = np.array(
    [
        [11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8],
        [7, 6, 8, 13, 11, 9, 7, 15, 7, 12, 15, 9, 11, 7, 13, 12],
        [11, 13, 6, 7, 14, 9, 13, 15, 14, 8, 13, 6, 5, 12, 7, 5],
        [11, 12, 14, 15, 14, 15, 9, 8, 9, 14, 5, 6, 8, 6, 5, 12],
        [9, 15, 5, 11, 6, 8, 13, 12, 5, 12, 13, 14, 11, 8, 5, 6],
        [8, 9, 9, 11, 13, 15, 15, 5, 7, 7, 8, 11, 14, 14, 12, 6],
        [9, 13, 15, 7, 12, 8, 9, 11, 7, 7, 12, 7, 6, 15, 13, 11],
        [9, 7, 15, 11, 8, 6, 6, 14, 12, 13, 5, 14, 13, 13, 7, 5],
        [15, 5, 8, 11, 14, 14, 6, 14, 6, 9, 12, 9, 12, 5, 15, 8],
        [8, 5, 12, 9, 12, 5, 14, 6, 8, 13, 6, 5, 15, 13, 11, 11],
    ],
    np.uint32,
)
_ADDENDS: Final = np.array(
    [0, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E, 0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0],
    np.uint32,
)
_RIPEMD_START: Final = np.array([0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0], np.uint32)


@njit(cache=True)
def sha256(context, data, size, digest):
    """Write the SHA-256 of `size` bytes at address `data` to address `digest`, which may be the same.

    `context` is the address of CONTEXT_SIZE bytes of scratch.
    """
    _init(context)
    _update(context, data, size)
    _final(digest, context)


@njit(cache=True)
def sha256d(context, data, size, digest):
    """Write the SHA-256 of the SHA-256, as `sha256` does."""
    sha256(context, data, size, digest)
    sha256(context, digest, 32, digest)


@njit(cache=True)
def _ripemd_function(row, x, y, z):
    if row == 0:
        return x ^ y ^ z
    if row == 1:
        return (x & y) | (~x & z)
    if row == 2:
        return (x | ~y) ^ z
    if row == 3:
        return (x & z) | (y & ~z)
    return x ^ (y | ~z)


@njit(cache=True)
def ripemd160(data, digest):
    """digest[:20] = RIPEMD-160 of data[:32], one block: five rounds in each of two lines."""
    words = np.zeros(16, np.uint32)
    for i in range(32):
        words[i >> 2] |= np.uint32(data[i]) << np.uint32(8 * (i & 3))
    words[8] = 0x80
    words[14] = 256
    lines = np.empty((2, 5), np.uint32)
    for line in range(2):
        a, b, c, d, e = _RIPEMD_START
        for step in range(80):
            row = 5 * line + step // 16
            function = step // 16 if line == 0 else 4 - step // 16
            word = words[_WORD_ORDER[row, step & 15]]
            t = np.uint32(a + _ripemd_function(function, b, c, d) + word + _ADDENDS[row])
            s = _ROTATIONS[row, step & 15]
            t = np.uint32(np.uint32(t << s | t >> (np.uint32(32) - s)) + e)
            a, e, d, c, b = e, d, np.uint32(c << np.uint32(10) | c >> np.uint32(22)), b, t
        lines[line, 0], lines[line, 1], lines[line, 2], lines[line, 3], lines[line, 4] = a, b, c, d, e
    for i in range(5):
        value = np.uint32(_RIPEMD_START[(i + 1) % 5] + lines[0, (i + 2) % 5] + lines[1, (i + 3) % 5])
        for byte in range(4):
            digest[4 * i + byte] = (value >> np.uint32(8 * byte)) & np.uint32(0xFF)


@njit(cache=True)
def merkle_root(hashes, count):
    """The Merkle root of hashes[:count] (rows of four words, one spare row behind them), left in row 0."""
    context = np.empty(CONTEXT_SIZE, np.uint8)
    while count > 1:
        if count & 1:
            for word in range(4):
                hashes[count, word] = hashes[count - 1, word]
            count += 1
        for i in range(count // 2):
            sha256d(context.ctypes.data, hashes[2 * i].ctypes.data, 64, hashes[i].ctypes.data)
        count //= 2
