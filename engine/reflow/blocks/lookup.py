"""Single blocks of known hashes, and the scripts in them: for what a ledger does not keep.

A ledger knows an account by a hash of its script. Whoever wants to print an address fetches the block again from
where it came and picks the scripts whose hash is the account: a script that is found is a right one, so nothing but
the block's hash needs to be checked here.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from reflow.blocks import kernels
from reflow.blocks.blkfiles import find_blocks_folder, read_block
from reflow.blocks.datadir import DatadirSource
from reflow.blocks.decode import input_counts, lay_out_block
from reflow.blocks.headers import Header
from reflow.blocks.kernels import Layout
from reflow.blocks.revfiles import RevFile, read_rev_file, undo_counts
from reflow.blocks.rpc import RpcSource
from reflow.blocks.source import byte_array
from reflow.blocks.undo_writer import expand_script, sha256d
from reflow.errors import SourceError
from reflow.network import Network

_HEADER_BYTES = 80


class Found(NamedTuple):
    """One block and what it spends."""

    block: NDArray[np.uint8]
    undos: list[NDArray[np.uint8]]
    """Undo data that fit; a sibling's may be among them, where both spend as many coins in each transaction."""


class Place(NamedTuple):
    """A script as it stands in a block: in which transaction, and on which side of it."""

    position: int
    """Of the transaction in its block; 0 is the coinbase."""
    is_debit: bool
    """Whether an input spends it; else an output pays it."""
    script: bytes


class Lookup(Protocol):
    """Where single blocks can be had."""

    def blocks(self, hashes: Collection[bytes]) -> Iterator[tuple[bytes, Found | str]]:
        """Each block (hash in display order), or one line on why it cannot be had."""


class FileLookup:
    """Blocks from a node's files."""

    def __init__(self, path: Path, network: Network, known: Callable[[Collection[bytes]], Iterable[Header]]):
        """`known` gives the headers, with file and offset, of those hashes (display order) that it knows.

        Where no block of that hash lies there (the files were made anew, or by another node), all files are
        scanned. Raises SourceError if `path` is no folder of blocks of `network`.
        """
        self._folder = find_blocks_folder(path, network)
        self._known = known
        self._revs: dict[int, RevFile | None] = {}

    def blocks(self, hashes: Collection[bytes]) -> Iterator[tuple[bytes, Found | str]]:
        """See Lookup; in the order in which the blocks lie in the files."""
        found = {h.hash[::-1]: h for h in self._known(hashes) if self._read(h) is not None}
        if len(found) < len(set(hashes)):
            source = DatadirSource(self._folder.path, self._folder.network)
            source.resume(None)
            found |= {h.hash[::-1]: h for h in source.new if h.hash[::-1] in hashes}
        for block_hash in sorted(set(hashes) - found.keys()):
            yield block_hash, f"{self._folder.path}: no block {block_hash.hex()} in its files"
        for header in sorted(found.values(), key=lambda header: (header.file, header.offset)):
            block = self._read(header)
            if block is None:
                yield header.hash[::-1], f"{self._folder.place(header)}: no block any more, expected one"
            else:
                yield header.hash[::-1], Found(block, self._undos(header, block))

    def _read(self, header: Header) -> NDArray[np.uint8] | None:
        """The block's plain bytes, or None if another block or none lies there."""
        try:
            data = read_block(self._folder, header)
        except SourceError:
            return None
        sound = len(data) == header.size and sha256d(data[:_HEADER_BYTES]) == header.hash
        return byte_array(data) if sound else None

    def _undos(self, header: Header, block: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        if header.file not in self._revs:
            self._revs = {
                header.file: read_rev_file(self._folder, header.file)
            }  # one at a time: they are large
        rev = self._revs[header.file]
        records = rev.records_of(header, set()) if rev else []
        wanted = input_counts(block)
        undos = [rev.undo(record) for record in records] if rev else []
        return [undo for undo in undos if np.array_equal(undo_counts(undo), wanted)]


class RpcLookup:
    """Blocks over a node's RPC."""

    def __init__(self, source: RpcSource) -> None:
        self._source = source

    def blocks(self, hashes: Collection[bytes]) -> Iterator[tuple[bytes, Found | str]]:
        """See Lookup; in the order of the hashes."""
        for block_hash in sorted(set(hashes)):
            try:
                block, undo = self._source.block(block_hash)
            except SourceError as error:
                yield block_hash, str(error)
                continue
            if sha256d(block[:_HEADER_BYTES])[::-1] == block_hash:
                yield block_hash, Found(byte_array(block), [byte_array(undo)])
            else:
                yield block_hash, f"the node answers with another block than {block_hash.hex()}"


def scripts_at(found: Found, positions: Collection[int]) -> Iterator[Place]:
    """Every scriptPubKey that the transactions at `positions` of a block spend from or pay to."""
    layout = lay_out_block(found.block)
    if layout is None:
        return
    last_output = np.cumsum(layout.outputs)
    for position in positions:
        end = int(last_output[position])
        for start, stop in layout.scripts[end - int(layout.outputs[position]) : end].tolist():
            yield Place(position, False, found.block[start:stop].tobytes())
    for undo in found.undos:
        yield from _spent(undo, layout, positions)


def _spent(undo: NDArray[np.uint8], layout: Layout, positions: Collection[int]) -> Iterator[Place]:
    last_input = np.cumsum(layout.inputs) - 1  # undo data leave out the coinbase's input
    coins = int(last_input[-1])
    scripts, fault = np.empty((coins, 3), np.int64), np.zeros(5, np.int64)
    bounds = np.array([0, len(undo)], np.int64)
    kernels.lay_out_undo(undo, bounds, layout, np.empty(coins, np.int64), scripts, fault)
    if fault[0]:
        return
    for position in positions:
        end = int(last_input[position])
        for kind, start, stop in (
            scripts[end - int(layout.inputs[position]) : end].tolist() if position else []
        ):
            yield Place(position, True, expand_script(kind, undo[start:stop].tobytes()))
