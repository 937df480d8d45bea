"""Daily sums of satoshis by series, small enough to keep those of many methodologies at once."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

import numpy as np

from reflow.flows.catalog import EX, HELD, INCL, exchange_sums, sums_of
from reflow.flows.kernels import Longs
from reflow.flows.values import Series

Flow = tuple[tuple[str, str], int, int]
"""(sums, entity), day, sat."""

_BASE: Final = 1 << 62


class Daily:
    """Series of one sum a day each; a sum may have any size, as two numbers of which the second is below 2**62."""

    def __init__(self, day_count: int) -> None:
        self.day_count: Final = day_count
        self._sums: dict[tuple[str, str], Longs] = {}

    def put(self, flows: Iterable[Flow]) -> None:
        """Set sums, none of them for a second time; those after the last complete day are dropped."""
        for key, day, sat in flows:
            if day < self.day_count:
                self._series(key)[:, day] = divmod(sat, _BASE)

    def of(self, key: tuple[str, str]) -> list[int]:
        """The sum of each day, 0 where none was set."""
        if key not in self._sums:
            return [0] * self.day_count
        high, low = self._sums[key].tolist()
        return [a * _BASE + b for a, b in zip(high, low, strict=True)]

    def _series(self, key: tuple[str, str]) -> Longs:
        if key not in self._sums:
            self._sums[key] = np.zeros((2, self.day_count), np.int64)
        return self._sums[key]


def exchange_series(daily: Daily, exchanges: Sequence[str]) -> Series:
    """What exchanges gained, lost and hold; it is known of one that has a label, of all if one has."""
    entities = (*exchanges, EX) if exchanges else ()
    series = {(name, code): daily.of((name, code)) for name in exchange_sums() for code in entities}
    for code in entities:
        series[HELD, code] = list(accumulate(series[HELD, code]))
    for name in exchange_sums() if exchanges else ():
        parts = (series[name, code] for code in exchanges)
        series[name, INCL] = [sum(day) for day in zip(*parts, strict=True)]
    return series


def mining_series(daily: Daily, exchanges: Sequence[str]) -> Series:
    """What miners sent and got: plain, and with each exchange that has a label."""
    entities = ("", *exchanges, EX) if exchanges else ("",)
    return {(name, code): daily.of((name, code)) for name in sums_of("FlowMiner") for code in entities}
