"""Which undo record belongs to which block of the chain, file by file, and which belong to none."""

import time
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reflow.blocks.blkfiles import BlocksFolder, read_block
from reflow.blocks.decode import input_counts
from reflow.blocks.headers import Header, HeaderTree
from reflow.blocks.revfiles import RevFile, read_rev_file, settle_siblings
from reflow.blocks.source import byte_array

_FILES_IN_MEMORY: Final = 8
"""Rev files kept: blocks of neighbouring heights lie in neighbouring files."""

_WRITING_SECONDS: Final = 3.0
"""How long a record that does not fit may still be one that the node is writing just now."""

_SETTLED_SECONDS: Final = 60
"""A rev file that has not changed for so long is not being written to."""


class UndoRecords:
    """The undo records of a chain's blocks, paired when a rev file is first asked for."""

    def __init__(self, folder: BlocksFolder, tree: HeaderTree, chain: Sequence[Header]) -> None:
        self._folder = folder
        self._tree = tree
        self._chain_of_file: dict[int, list[Header]] = {}
        for header in chain:
            self._chain_of_file.setdefault(header.file, []).append(header)
        self._files: dict[int, tuple[RevFile | None, dict[bytes, int]]] = {}

    def find(self, header: Header) -> NDArray[np.uint8] | None:
        """The undo data of a block of the chain, None if it has none."""
        rev, records = self._file(header.file)
        record = records.get(header.hash)
        return None if rev is None or record is None else rev.undo(record)

    def file(self, number: int) -> RevFile | None:
        """A rev file, None if it does not exist."""
        return self._file(number)[0]

    def settle(self, header: Header) -> RevFile | None:
        """The rev file of a block without undo data, read again while the node may be writing to it."""
        path = self._folder.rev(header.file)
        until = time.monotonic() + _WRITING_SECONDS
        while True:
            rev = self.file(header.file)
            if rev is None or self.find(header) is not None or not (rev.damage or self.strays(header.file)):
                return rev
            if time.monotonic() > until or time.time() - path.stat().st_mtime > _SETTLED_SECONDS:
                return rev
            time.sleep(0.2)
            self._files.pop(header.file)

    def strays(self, number: int) -> list[int]:
        """Records of a rev file behind all that belong to known blocks, on the chain or off it."""
        rev = self.file(number)
        if rev is None:
            return []
        headers = [header for header in self._tree if header.file == number and header.height != 0]
        headers.sort(key=lambda header: header.height)
        last = int(rev.pair(headers).max(initial=-1))
        return list(range(last + 1, len(rev.starts)))

    def _file(self, number: int) -> tuple[RevFile | None, dict[bytes, int]]:
        if number not in self._files:
            while len(self._files) >= _FILES_IN_MEMORY:
                self._files.pop(next(iter(self._files)))
            self._files[number] = self._pair(number)
        return self._files[number]

    def _pair(self, number: int) -> tuple[RevFile | None, dict[bytes, int]]:
        rev = read_rev_file(self._folder, number)
        if rev is None:
            return None, {}
        headers = self._chain_of_file.get(number, [])
        records = dict(zip((h.hash for h in headers), rev.pair(headers).tolist(), strict=True))
        for header, siblings in self._rivals(headers):
            records[header.hash] = settle_siblings(rev, header, siblings, self._input_counts)
        return rev, {block_hash: record for block_hash, record in records.items() if record >= 0}

    def _rivals(self, headers: list[Header]) -> Iterator[tuple[Header, list[Header]]]:
        """Blocks whose undo record may be mistaken for a sibling's, with those siblings."""
        for header in headers:
            siblings = self._tree.siblings(header)
            near = [s for s in siblings if s.file == header.file and s.tx_count == header.tx_count]
            if near:
                yield header, near

    def _input_counts(self, header: Header) -> NDArray[np.int64]:
        return input_counts(byte_array(read_block(self._folder, header)))
