"""SHA-256 in the lanes of vectors against hashlib: every length around the padding's edges, every number of messages
around the number of lanes, and the narrower vectors of CPUs without AVX-512.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from reflow.blocks.sha256 import LANES, WORDS, hash_again, hash_messages, hash_pairs, pad, padded


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def lay_out(messages: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Padded messages, one behind the other."""
    starts = np.cumsum([0, *(padded(len(message)) for message in messages)])
    data = np.zeros(int(starts[-1]), np.uint8)
    for start, message in zip(starts.tolist(), messages, strict=False):
        data[start : start + len(message)] = np.frombuffer(message, np.uint8)
        pad(data, start, start + len(message))
    return data, starts


def rows(messages: Sequence[bytes]) -> NDArray[np.uint32]:
    return np.frombuffer(b"".join(messages), np.uint32).reshape(-1, WORDS).copy()


def told(digests: NDArray[np.uint32]) -> list[bytes]:
    return [digest.tobytes() for digest in digests]


@given(st.lists(st.binary(max_size=200), max_size=3 * LANES))
def test_any_messages(messages: list[bytes]) -> None:
    data, starts = lay_out(messages)
    digests = np.zeros((len(messages), WORDS), np.uint32)
    hash_messages(data, starts, digests)
    assert told(digests) == [sha256(message) for message in messages]


def test_every_length_to_three_blocks_and_one_long_message() -> None:
    messages = [bytes(range(256))[:size] for size in range(193)] + [b"long" * 10_000]
    data, starts = lay_out(messages)
    digests = np.zeros((len(messages), WORDS), np.uint32)
    hash_messages(data, starts, digests)
    assert told(digests) == [sha256(message) for message in messages]


@pytest.mark.parametrize("count", [0, 1, LANES - 1, LANES, LANES + 1, 5 * LANES + 3])
def test_digests_of_digests_and_of_pairs(count: int) -> None:
    leaves = [sha256(bytes([n])) for n in range(2 * count)]
    digests = rows(leaves)
    hash_again(digests)
    assert told(digests) == [sha256(leaf) for leaf in leaves]
    digests = rows(leaves)
    hash_pairs(digests, count)
    assert told(digests[:count]) == [
        sha256(sha256(a + b)) for a, b in zip(leaves[::2], leaves[1::2], strict=True)
    ]
    assert told(digests[count:]) == leaves[count:], "the rows behind the pairs are left alone"


NARROW = """
import llvmlite.binding as llvm
features = llvm.get_host_cpu_features()
features["avx512f"] = False
llvm.get_host_cpu_features = lambda: features
from reflow.blocks import sha256
import test_blocks_sha256 as tests
assert sha256.LANES == 8
tests.test_every_length_to_three_blocks_and_one_long_message()
for count in (1, 7, 8, 9):
    tests.test_digests_of_digests_and_of_pairs(count)
"""


def test_eight_lanes_give_the_same(tmp_path: Path) -> None:
    """Another process, since the number of lanes is decided once; with a cache of its own for the compiled code."""
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", NARROW], env=environment, check=True)
