"""Which days a ledger has, and ranges of blocks that hold whole days, with their rows (methodology 1, 9.8)."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reflow.clock import Clock
from reflow.network import MAX_BLOCK_SIZE
from reflow.store.store import Store

Longs = NDArray[np.int64]
Ints = NDArray[np.int32]

RANGE_BYTES: Final = 600_000_000
"""Blocks of that many bytes have about six million debits and credits, which lie in memory."""
_BYTES_OF_TX: Final = 400
_SMALLEST_TX: Final = 60
"""Bytes."""
_LAST_DAY: Final = 2**32 // 86_400
"""Header times have 32 bits."""
_EPOCH: Final = date(1970, 1, 1)


class Blocks(NamedTuple):
    """The columns of queries/ledger/block_days.sql; days count from the ledger's first day."""

    first_day: date
    day_count: int
    """Complete days: the last one is the day before the latest."""
    day: Ints
    """Day of each block; every block after the last complete day has `day_count`."""
    columns: dict[str, Longs]
    """first_tx, tx_count, size, fees, issuance, transfer_count, transfer_value of each block in chain order."""

    def days(self) -> list[date]:
        """The complete days, first to last."""
        return [self.first_day + timedelta(n) for n in range(self.day_count)]

    def per_day(self, values: Longs) -> list[int]:
        """Sum of `values`, one for each block, over the blocks of each complete day."""
        sums = np.zeros(self.day_count + 1, np.int64)
        np.add.at(sums, self.day, values)
        return [int(value) for value in sums[:-1]]

    def day_of_tx(self, tx: Longs) -> Ints:
        """Day of each transaction; 0 for -1, the `since` of those who always were members."""
        block = np.searchsorted(self.columns["first_tx"], tx, side="right") - 1
        return np.where(tx < 0, 0, self.day[block]).astype(np.int32)


class Range(NamedTuple):
    """Consecutive blocks that hold days as a whole: no day has blocks in two ranges."""

    first_tx: int
    last_tx: int
    days: Ints
    """Day of each transaction."""


class Rows(NamedTuple):
    """Debits, or credits."""

    tx: Longs
    account: Longs
    value: Longs
    """Sat."""


def read_rows(store: Store, part: Range) -> tuple[list[Rows], list[Rows]]:
    """The debits and the credits of a range, batch by batch."""
    debits, credits_ = list[Rows](), list[Rows]()
    for is_debit, *columns in store.batches("postings", first=part.first_tx, last=part.last_tx):
        for side, chosen in ((debits, is_debit == 1), (credits_, is_debit == 0)):
            if chosen.all():
                side.append(Rows(*columns))
            elif chosen.any():
                side.append(Rows(*(column[chosen] for column in columns)))
    return debits, credits_


def read_blocks(store: Store, clock: Clock) -> Blocks:
    """The blocks of the ledger with their days under `clock`. Raises ValueError on numbers that only damage makes."""
    found = store.columns("block_days", header_clock=clock == "header")
    day = np.asarray(found.pop("day"), np.int32)
    _check_numbers(day, found)
    first, latest = (int(day.min()), int(day.max())) if len(day) else (0, 0)
    return Blocks(
        first_day=_EPOCH + timedelta(first),
        day_count=latest - first,
        day=np.minimum(day - first, latest - first).astype(np.int32),
        columns={name: np.asarray(column, np.int64) for name, column in found.items()},
    )


def _check_numbers(day: Ints, columns: dict[str, NDArray[Any]]) -> None:
    """Arrays are made as large as these numbers say, and their rows are taken for places in them."""
    if len(day) and not 0 <= int(day.min()) <= int(day.max()) <= _LAST_DAY:
        raise ValueError(f"blocks of day {int(day.min())} to {int(day.max())}, expected 0 to {_LAST_DAY}")
    first_tx, tx_count = (np.asarray(columns[name], np.int64) for name in ("first_tx", "tx_count"))
    if np.any((tx_count < 1) | (tx_count > MAX_BLOCK_SIZE // _SMALLEST_TX)):
        raise ValueError("a block with a number of transactions that none can have")
    if not np.array_equal(first_tx, np.cumsum(tx_count) - tx_count):
        raise ValueError("transactions of blocks are not numbered one by one")


def whole_day_ranges(
    blocks: Blocks, limit: int = RANGE_BYTES, start: int = 0, end: int | None = None
) -> Iterator[Range]:
    """Cut the complete days into ranges of about `limit` bytes of blocks, or one day where a day is larger.

    The first range begins with the block of number `start`, the last ends before `end`: each is one of `cuts`, or left
    out.

    A cut is possible where every earlier block has an earlier day than every later one: at each midnight of
    the mediantime clock, at most midnights of the header clock, which may run backwards.
    """
    first_tx, tx_count, size = (blocks.columns[name] for name in ("first_tx", "tx_count", "size"))
    weight = np.concatenate([[0], np.cumsum(np.maximum(size, _BYTES_OF_TX * tx_count))])
    most = len(blocks.day) if end is None else end
    ends = [cut for cut in cuts(blocks) if start < cut <= most]
    for last, following in zip(ends, [*ends, None][1:], strict=True):
        if following is None or weight[following] - weight[start] > limit:
            days = np.repeat(blocks.day[start:last], tx_count[start:last])
            yield Range(int(first_tx[start]), int(first_tx[start]) + len(days) - 1, days)
            start = last


def cuts(blocks: Blocks) -> list[int]:
    """Numbers of blocks, in order, before which a cut is possible, up to the end of the last complete day."""
    if blocks.day_count == 0:
        return []
    latest_so_far = np.maximum.accumulate(blocks.day)
    earliest_to_come = np.minimum.accumulate(blocks.day[::-1])[::-1]
    found = [int(cut) + 1 for cut in np.flatnonzero(latest_so_far[:-1] < earliest_to_come[1:])]
    rest_is_incomplete = bool(found) and bool(np.all(blocks.day[found[-1] :] == blocks.day_count))
    return found if rest_is_incomplete else [*found, len(blocks.day)]
