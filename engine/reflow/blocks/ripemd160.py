"""RIPEMD-160, for numba kernels: with SHA-256 before it, the hash of a public key in its address.

Source: Dobbertin, Bosselaers and Preneel, "RIPEMD-160: a strengthened version of RIPEMD" (Fast Software Encryption,
1996), appendix A. Two lines of 80 steps go over each block of 64 bytes, side by side; names are the paper's.
"""

from typing import Final

import numpy as np
from numba import njit

from reflow.blocks.memory import copy_bytes

SIZE: Final = 20
"""Bytes of a digest."""
_BLOCK: Final = 64
_STEPS: Final = 16
"""Steps of a round; a line has five rounds."""

_RHO: Final = (7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8)
_PI: Final = tuple((9 * i + 5) % 16 for i in range(16))


def _orders() -> list[list[int]]:
    """Which word of the block each step takes (r and r'): a round permutes the order of the one before by rho."""
    rows = []
    for order in (list(range(16)), list(_PI)):
        for _ in range(5):
            rows.append(order)
            order = [_RHO[word] for word in order]
    return rows


_WORDS: Final = np.array(_orders(), np.int64)
"""r in rows 0 to 4, a round each; r' in rows 5 to 9."""

_SHIFT_OF_WORD: Final = (
    (11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8),
    (12, 13, 11, 15, 6, 9, 9, 7, 12, 15, 11, 13, 7, 8, 7, 7),
    (13, 15, 14, 11, 7, 7, 6, 8, 13, 14, 13, 12, 5, 5, 6, 9),
    (14, 11, 12, 14, 8, 6, 5, 5, 15, 12, 15, 14, 9, 9, 8, 6),
    (15, 12, 13, 13, 9, 5, 8, 6, 14, 11, 12, 11, 8, 6, 5, 5),
)
"""How far a round rotates to the left at each word, the same in both lines."""
_SHIFTS: Final = np.array(
    [[_SHIFT_OF_WORD[row % 5][word] for word in order] for row, order in enumerate(_orders())], np.uint32
)
"""s and s', in the order of the steps."""

_ADDENDS: Final = np.array(
    [
        *(0, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E),  # 2**30 times the square roots of 2, 3, 5, 7
        *(0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0),  # and their cube roots
    ],
    np.uint32,
)
"""K and K', one for each round."""
_INITIAL: Final = np.array([0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0], np.uint32)


@njit(nogil=True, cache=True)
def _f(number, x, y, z):
    """The functions f of the five rounds of the left line; the right line takes them from the last to the first."""
    if number == 0:
        return x ^ y ^ z
    if number == 1:
        return (x & y) | (~x & z)
    if number == 2:
        return (x | ~y) ^ z
    if number == 3:
        return (x & z) | (y & ~z)
    return x ^ (y | ~z)


@njit(nogil=True, cache=True)
def _rotated(word, bits):
    """`word` rotated to the left."""
    return np.uint32((word << bits) | (word >> (np.uint32(32) - bits)))


@njit(nogil=True, cache=True)
def _line(state, words, line):
    """The five rounds of the left line (0) or the right one (1) over a block of sixteen words."""
    a, b, c, d, e = state
    for number in range(5):
        row = 5 * line + number
        function = 4 - number if line else number
        for step in range(_STEPS):
            word = words[_WORDS[row, step]]
            t = np.uint32(a + _f(function, b, c, d) + word + _ADDENDS[row])
            t = np.uint32(_rotated(t, _SHIFTS[row, step]) + e)
            a, b, c, d, e = e, t, b, _rotated(c, np.uint32(10)), d
    return a, b, c, d, e


@njit(nogil=True, cache=True)
def _compress(state, words):
    """The state after a block of sixteen words."""
    h0, h1, h2, h3, h4 = state
    a, b, c, d, e = _line(state, words, 0)
    aa, bb, cc, dd, ee = _line(state, words, 1)
    return (
        np.uint32(h1 + c + dd),
        np.uint32(h2 + d + ee),
        np.uint32(h3 + e + aa),
        np.uint32(h4 + a + bb),
        np.uint32(h0 + b + cc),
    )


@njit(nogil=True, cache=True)
def ripemd160(message, target, position):
    """target[position:position + SIZE] = RIPEMD-160 of the bytes `message`."""
    size = len(message)
    padded = np.zeros((size + 9 + _BLOCK - 1) // _BLOCK * _BLOCK, np.uint8)
    copy_bytes(padded.ctypes.data, message.ctypes.data, size)
    padded[size] = 0x80
    padded[-8:].view(np.uint64)[0] = 8 * size  # the length in bits; words are little-endian, as the machine's
    words = padded.view(np.uint32)
    state = (_INITIAL[0], _INITIAL[1], _INITIAL[2], _INITIAL[3], _INITIAL[4])
    for first in range(0, len(words), _STEPS):
        state = _compress(state, words[first : first + _STEPS])
    digest = np.array(state, np.uint32)
    copy_bytes(target.ctypes.data + position, digest.ctypes.data, SIZE)
    return digest  # an address keeps nothing alive
