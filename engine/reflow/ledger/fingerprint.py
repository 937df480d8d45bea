"""The part of a block's fingerprint that is not in its transactions: hash, header time, size, coinbase scriptSig.

Added to what the decoding kernel sums over the rows of `tx`, `debit` and `credit`, it makes `block.digest`: no column
of the ledger is left that neither the digest covers nor another column decides.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reflow.blocks.kernels import mix

_PLACE: Final = -4
"""Where the header's part stands: transactions have the places from 0 on."""


def header_prints(
    hashes: NDArray[np.uint8],
    times: NDArray[np.int64],
    sizes: NDArray[np.int64],
    script_sigs: Iterable[bytes],
) -> NDArray[np.int64]:
    """One 64-bit fingerprint a block; `hashes` is (blocks, 32) in display order, times in seconds, sizes in bytes."""
    sigs = b"".join(hashlib.sha256(script_sig).digest()[:16] for script_sig in script_sigs)
    prints = np.empty(len(times), np.int64)
    _header_prints(
        np.frombuffer(bytearray(hashes.tobytes()), "<i8").reshape(-1, 4),
        np.array(times, np.int64),
        np.array(sizes, np.int64),
        np.frombuffer(bytearray(sigs), "<i8").reshape(-1, 2),
        prints,
    )
    return prints


@njit(nogil=True, cache=True)
def _header_prints(hashes: Any, times: Any, sizes: Any, sigs: Any, prints: Any) -> None:
    for b in range(len(times)):
        prints[b] = np.int64(
            mix(hashes[b, 0], hashes[b, 1], _PLACE)
            + mix(hashes[b, 2], hashes[b, 3], _PLACE + 1)
            + mix(times[b], sizes[b], _PLACE + 2)
            + mix(sigs[b, 0], sigs[b, 1], _PLACE + 3)
        )
