"""Write a node's `blocks` folder: blk and rev files as Bitcoin Core leaves them on disk.

A record is magic, size and payload; in a rev file a checksum follows that the size does not count. A file
that would grow past the limit is closed and cut to its length, and the next number begins; the undo record of
a block goes into the rev file of the number of its blk file. The last pair keeps its preallocated tail, zero
on disk. With an XOR key every written byte is XOR-ed with the key byte of its file position modulo 8. Source:
Bitcoin Core `node/blockstorage.cpp`.
"""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Self

from reflow.blocks.undo_writer import undo_checksum
from reflow.network import REGTEST
from reflow.simulate.chain import Block

MAX_FILE_SIZE: Final = 128 << 20
BLOCK_CHUNK: Final = 16 << 20
UNDO_CHUNK: Final = 1 << 20


class BlockFileWriter:
    """Appends blocks and undo records to a `blocks` folder; use it as a context manager.

    `xor_key` is empty or 8 bytes; `max_file_size` in bytes; `preallocate` leaves the zero tails that a
    running node has.
    """

    def __init__(
        self,
        folder: Path,
        magic: bytes,
        *,
        xor_key: bytes = b"",
        max_file_size: int = MAX_FILE_SIZE,
        preallocate: bool = True,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if xor_key:
            (folder / "xor.dat").write_bytes(xor_key)
        self._folder = folder
        self._magic = magic
        self._xor_key = xor_key
        self._max_file_size = max_file_size
        self._preallocate = preallocate
        self._number = 0
        self._sizes: dict[Path, int] = {}
        self._open_pair()

    def add_block(self, block: bytes) -> int:
        """Append a serialized block; gives the number of its file, which `add_undo` wants."""
        if self._sizes[self._path("blk")] + 8 + len(block) >= self._max_file_size:
            self._number += 1
            self._open_pair()
        self._append(self._path("blk"), self._record(block))
        return self._number

    def add_undo(self, number: int, prev_hash: bytes, undo: bytes) -> None:
        """Append the undo record of a block in file `number`; `prev_hash` (internal order) precedes it."""
        self._append(self._path("rev", number), self._record(undo) + undo_checksum(prev_hash, undo))

    def close(self) -> None:
        """Leave the last pair as a running node does, with its preallocated tail."""
        if self._preallocate:
            for kind, chunk in (("blk", BLOCK_CHUNK), ("rev", UNDO_CHUNK)):
                path = self._path(kind)
                with path.open("r+b") as file:
                    file.truncate(-(-self._sizes[path] // chunk) * chunk)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _path(self, kind: str, number: int | None = None) -> Path:
        return self._folder / f"{kind}{self._number if number is None else number:05d}.dat"

    def _open_pair(self) -> None:
        for kind in ("blk", "rev"):
            self._path(kind).write_bytes(b"")
            self._sizes[self._path(kind)] = 0

    def _record(self, payload: bytes) -> bytes:
        return self._magic + len(payload).to_bytes(4, "little") + payload

    def _append(self, path: Path, data: bytes) -> None:
        with path.open("ab") as file:
            file.write(_xor(data, self._xor_key, self._sizes[path]))
        self._sizes[path] += len(data)


def write_chain(
    folder: Path,
    blocks: Sequence[Block],
    *,
    stale: Iterable[Block] = (),
    window: int = 0,
    xor_key: bytes = b"",
    max_file_size: int = MAX_FILE_SIZE,
    preallocate: bool = True,
) -> None:
    """Write a regtest chain from genesis up, with `stale` blocks among it.

    `window` shuffles the blocks, as a node that downloads from many peers gets them: a block may lie before
    blocks that are up to so many heights below it. Undo records lie in chain order, as a node connects
    blocks.
    """
    shuffle = random.Random(window)
    arrival = sorted([*blocks[1:], *stale], key=lambda block: block.height + shuffle.uniform(0, window))
    with BlockFileWriter(
        folder, REGTEST.magic, xor_key=xor_key, max_file_size=max_file_size, preallocate=preallocate
    ) as files:
        number = {block.hash: files.add_block(block.raw) for block in [blocks[0], *arrival]}
        for block in blocks:
            if block.undo is not None:
                files.add_undo(number[block.hash], block.prev_hash, block.undo)


def _xor(data: bytes, key: bytes, position: int) -> bytes:
    """`data` as it stands on disk at `position` of a file with this key."""
    if not any(key):
        return data
    shift = position % len(key)
    mask = (key[shift:] + key[:shift]) * (len(data) // len(key) + 1)
    size = len(data)
    return (int.from_bytes(data, "little") ^ int.from_bytes(mask[:size], "little")).to_bytes(size, "little")
