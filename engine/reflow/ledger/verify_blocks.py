"""Check the table of blocks along the chain, and cut it into pieces whose rows are counted anew."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reflow.ledger.faults import Fault, Faults
from reflow.ledger.rows import DAY_SECONDS, SPAN, mediantimes
from reflow.network import MAX_BLOCK_SIZE, Network, median_time
from reflow.store.resources import query

Longs = NDArray[np.int64]

MOST_TRANSACTIONS: Final = MAX_BLOCK_SIZE // 60
"""No block has more: 60 bytes is the smallest transaction that Bitcoin Core knows."""
_TX_BYTES: Final = 400
"""Bytes of blocks that a transaction is taken for at least."""


class Blocks(NamedTuple):
    """Rows of table `block`, in stored order, a column each; hashes are (blocks, 32)."""

    height: Longs
    hash: NDArray[np.uint8]
    prev_hash: NDArray[np.uint8]
    time: Longs
    mediantime: Longs
    day: Longs
    """Days since 1970-01-01."""
    size: Longs
    tx_count: Longs
    first_tx: Longs
    fees: Longs
    issuance: Longs
    transfer_count: Longs
    transfer_value: Longs
    digest: Longs

    def part(self, rows: slice) -> "Blocks":
        """Some of the blocks."""
        columns: list[Any] = [column[rows] for column in self]
        return Blocks(*columns)

    @property
    def tx_counts(self) -> Longs:
        """Transactions of each block, as far as a block can have that many."""
        return np.clip(self.tx_count, 0, MOST_TRANSACTIONS)


class Before(NamedTuple):
    """What the next block has to connect to."""

    height: int
    hash: bytes
    """In display order."""
    next_tx: int
    times: list[int]
    """Header times of the last up to eleven blocks, genesis included."""


def genesis(network: Network) -> Before:
    """What the ledger's first block has to connect to."""
    return Before(0, network.genesis_hash, 0, [network.genesis_time])


def read_blocks(con: duckdb.DuckDBPyConnection, first: int, last: int, faults: Faults) -> Blocks:
    """The blocks that say they have these heights, as they are stored."""
    table = read(con, "verify_blocks", first, last)
    height = longs(table, "height")

    def column(name: str) -> Any:
        if not name.endswith("hash"):
            return longs(table, name)
        return hashes(
            table, name, faults, lambda row, size: Fault(f"bytes of {name}", size, 32, int(height[row]))
        )

    return Blocks(*map(column, Blocks._fields))


def check_blocks(blocks: Blocks, before: Before, faults: Faults) -> Before:
    """Heights, links, numbers of transactions and times of blocks that follow `before`; gives what comes next.

    Each block is compared with the one before, so one fault is reported once and not for all later blocks.
    """

    def differ(what: str, found: NDArray[Any], expected: NDArray[Any]) -> None:
        wrong = (found != expected).reshape(len(found), -1).any(axis=1)
        faults.add_each(
            wrong, lambda row: Fault(what, plain(found[row]), plain(expected[row]), int(blocks.height[row]))
        )

    last_hash = np.frombuffer(before.hash, np.uint8).reshape(1, 32)
    medians = mediantimes(before.times, blocks.time)
    differ("height", blocks.height, _follow(before.height, blocks.height) + 1)
    differ("prev_hash", blocks.prev_hash, np.concatenate([last_hash, blocks.hash[:-1]]))
    differ("first_tx", blocks.first_tx, _follow(before.next_tx, blocks.first_tx + blocks.tx_count))
    differ("mediantime", blocks.mediantime, medians)
    differ("day, counted from 1970-01-01", blocks.day, medians // DAY_SECONDS)
    faults.add_each(
        blocks.time <= (above := _follow(median_time(before.times), medians)),
        lambda row: Fault(
            "header time",
            int(blocks.time[row]),
            f"more than {int(above[row])}, the median before it",
            int(blocks.height[row]),
        ),
    )
    differ("tx_count", blocks.tx_count, np.clip(blocks.tx_count, 1, MOST_TRANSACTIONS))
    return Before(
        height=int(blocks.height[-1]),
        hash=blocks.hash[-1].tobytes(),
        next_tx=int(blocks.first_tx[-1] + blocks.tx_count[-1]),
        times=[*before.times, *blocks.time[-SPAN:].tolist()][-SPAN:],
    )


def pieces(blocks: Blocks, byte_count: int) -> Iterator[Blocks]:
    """The blocks in pieces of about that many bytes; within a piece transactions are numbered without a gap."""
    weight = np.cumsum(np.maximum(np.clip(blocks.size, 0, MAX_BLOCK_SIZE), _TX_BYTES * blocks.tx_counts))
    follows = blocks.first_tx[1:] == blocks.first_tx[:-1] + blocks.tx_counts[:-1]
    start = 0
    for end in range(1, len(weight) + 1):
        full = end < len(weight) and weight[end] - weight[start] > byte_count
        if end == len(weight) or full or not follows[end - 1]:
            yield blocks.part(slice(start, end))
            start = end


def plain(value: Any) -> Any:
    """A value as a person writes it: hashes in hex."""
    return value.tobytes().hex() if isinstance(value, np.ndarray) else int(value)


def _follow(before: int, column: Longs) -> Longs:
    """What each row's predecessor has."""
    return np.concatenate([np.array([before], np.int64), column[:-1]])


def read(con: duckdb.DuckDBPyConnection, name: str, first: int, last: int) -> pa.Table:
    """The answer of a query about a range."""
    return con.sql(query(name), params={"first": first, "last": last}).to_arrow_table()


def longs(table: pa.Table, name: str) -> Longs:
    """A column of numbers or days; days count from 1970-01-01."""
    column = table.column(name)
    if pa.types.is_date32(column.type):
        column = column.cast(pa.int32()).cast(pa.int64())
    return np.ascontiguousarray(column.to_numpy(), np.int64)


def hashes(table: pa.Table, name: str, faults: Faults, fault: Any) -> NDArray[np.uint8]:
    """A column of hashes as (rows, 32). Other lengths are cut or filled up, and reported by `fault(row, length)`."""
    parts = [_side_by_side(part) for part in table.column(name).chunks]
    if all(part is not None for part in parts):
        return np.concatenate([np.empty((0, 32), np.uint8), *(part for part in parts if part is not None)])
    values = [bytes(value) for value in table.column(name).to_pylist()]
    sizes = np.array([len(value) for value in values])
    faults.add_each(sizes != 32, lambda row: fault(row, int(sizes[row])))
    return np.frombuffer(b"".join(value[:32].ljust(32, b"\0") for value in values), np.uint8).reshape(-1, 32)


def _side_by_side(part: pa.Array) -> NDArray[np.uint8] | None:
    """The bytes where they lie, if each value has 32; casts in Arrow take each value on its own."""
    _, offsets, data = part.buffers()
    bounds = np.frombuffer(offsets, np.int32)[part.offset : part.offset + len(part) + 1]
    if len(part) == 0 or np.any(np.diff(bounds) != 32):
        return None if len(part) else np.empty((0, 32), np.uint8)
    return np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]].reshape(-1, 32)
