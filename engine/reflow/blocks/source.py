"""What every source yields: the bytes of consecutive blocks and of the outputs that they spend."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from reflow.blocks.blkfiles import Scan
from reflow.network import Network


def byte_array(data: bytes) -> NDArray[np.uint8]:
    """The bytes as an array that may be written to: kernels are compiled anew for read-only ones."""
    return np.frombuffer(bytearray(data), np.uint8)


def bounds_of(sizes: Iterable[int]) -> NDArray[np.int64]:
    """Where pieces of these sizes start when they lie one behind the other, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(np.fromiter(sizes, np.int64))]).astype(np.int64)


class RawBatch(NamedTuple):
    """Consecutive blocks of the best chain as bytes, with nothing decoded yet.

    Block b of the batch has height first_height + b. Its bytes are blocks[block_bounds[b]:block_bounds[b + 1]], its
    undo data (the coins it spends, as Bitcoin Core serializes them in rev files) are
    undo[undo_bounds[b]:undo_bounds[b + 1]]. Arrays are writable, see `byte_array`.
    """

    first_height: int
    blocks: NDArray[np.uint8]
    block_bounds: NDArray[np.int64]
    undo: NDArray[np.uint8]
    undo_bounds: NDArray[np.int64]
    hashes: NDArray[np.uint8]
    """(blocks, 32): the hash that each block must have, in the byte order of the wire."""
    offsets: NDArray[np.int64]
    """Position of each block in its file, for undoing the XOR and for messages."""
    xor_key: NDArray[np.uint8] | None
    """The 8 bytes that `blocks` is still XOR-ed with, or None if it is plain."""
    place: Callable[[int], str]
    """Where block b of the batch was read from, for a message: file and offset, or the RPC."""

    @property
    def byte_count(self) -> int:
        """Bytes of blocks and undo data."""
        return int(self.block_bounds[-1] + self.undo_bounds[-1])

    def first(self, count: int) -> "RawBatch":
        """The first `count` blocks."""
        block_bounds, undo_bounds = self.block_bounds[: count + 1], self.undo_bounds[: count + 1]
        return self._replace(
            blocks=self.blocks[: block_bounds[-1]],
            block_bounds=block_bounds,
            undo=self.undo[: undo_bounds[-1]],
            undo_bounds=undo_bounds,
            hashes=self.hashes[:count],
            offsets=self.offsets[:count],
        )


class Behind(NamedTuple):
    """Blocks that a node has, or knows of, and has not connected, although they have more work than its chain."""

    blocks: int
    height: int
    """Of the one with most work."""
    hash: str | None
    """Its hash as explorers print it, None if the source does not tell."""


class ChainEnd(NamedTuple):
    """How far a source can be read."""

    height: int
    """Height of the last block that can be read; 0 if there is none beyond genesis."""
    byte_count: int | None
    """Bytes of blocks still to be read, for a progress bar; None if the source cannot tell."""
    behind: Behind | None = None
    """What the node knows beyond that and has not connected (yet), None for nothing."""


class BlockSource(Protocol):
    """Where blocks come from: a node's files or its RPC. Both give the same batches."""

    @property
    def network(self) -> Network:
        """The chain that the blocks are of."""

    @property
    def warnings(self) -> list[str]:
        """What a person should know about the source, a sentence each, so far."""

    def resume(self, state: Scan | None, progress: Callable[[int, int], None] | None = None) -> None:
        """See what blocks there are, knowing what an earlier `state` says; comes before all below.

        `progress` is called with (files done, files in all), if there are files.
        """

    def state(self) -> Scan | None:
        """What to `resume` from another time, None for nothing; valid after `locate`."""

    def locate(self, tip_height: int, hash_at: Callable[[int], bytes | None]) -> int:
        """Height of the last block that the source's best chain and a ledger have in common.

        `tip_height` is the ledger's (0 if it is empty), `hash_at(height)` gives its block hashes in display order.
        """

    def end(self) -> ChainEnd:
        """How far the best chain can be read; valid after `locate`."""

    def read(self, first_height: int, last_height: int, batch_bytes: int) -> Iterator[RawBatch]:
        """The blocks first_height..last_height, in batches of about `batch_bytes`, at least one block each."""
