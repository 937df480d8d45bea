"""The block clock: mediantime, and the UTC day of a time (methodology 1)."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

SPAN: Final = 11
"""A block and its up to ten predecessors."""

DAY_SECONDS: Final = 86_400


def mediantimes(predecessors: Sequence[int], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Mediantime of consecutive blocks, seconds since 1970 UTC.

    `times` are their header times, `predecessors` those of the up to ten blocks before them (genesis included). Of n
    sorted values the one with index n // 2 counts, as in Bitcoin Core's `GetMedianTimePast`.
    """
    before = list(predecessors)[-(SPAN - 1) :]
    known = np.concatenate([np.array(before, np.int64), times])
    result = np.empty(len(times), np.int64)
    short = min(SPAN - 1 - len(before), len(times))
    for k in range(short):
        window = np.sort(known[: len(before) + k + 1])
        result[k] = window[len(window) // 2]
    if short < len(times):
        windows = np.lib.stride_tricks.sliding_window_view(known, SPAN)
        result[short:] = np.sort(windows, axis=1)[:, SPAN // 2]
    return result
