"""RIPEMD-160 in the kernels: the test values of its authors, and every length against another implementation."""

import numpy as np
import pytest
from embit.util import py_ripemd160

from reflow.blocks.ripemd160 import SIZE, ripemd160


def digest(message: bytes) -> bytes:
    """The digest, written into the middle of an array whose other bytes must stay as they are."""
    target = np.full(SIZE + 7, 0xA5, np.uint8)
    ripemd160(np.frombuffer(message, np.uint8).copy(), target, 3)
    assert set(target[:3].tolist() + target[3 + SIZE :].tolist()) == {0xA5}
    return target[3 : 3 + SIZE].tobytes()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        # Dobbertin, Bosselaers and Preneel, 1996, appendix B.
        (b"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
        (b"a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe"),
        (b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
        (b"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
        (b"abcdefghijklmnopqrstuvwxyz", "f71c27109c692c1b56bbdceb5b9d2865b3708dbc"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "12a053384a9c0c88e405a06c27dcf49ada62eb2b",
        ),
        (
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            "b0e20b6e3116640286ed3a87a5713079b21f5189",
        ),
        (b"1234567890" * 8, "9b752e45573d4b39f4dbd3323cab82bf63326bfb"),
        (b"a" * 1_000_000, "52783243c1697bdbe16d37f97f68f08325dc1528"),
    ],
)
def test_the_values_of_its_authors(message: bytes, expected: str) -> None:
    assert digest(message).hex() == expected


def test_every_length_to_three_blocks() -> None:
    for size in range(193):
        message = bytes((7 * size + i) % 256 for i in range(size))
        assert digest(message) == py_ripemd160.ripemd160(message), size
