"""Blocks from a node's own files, while the node runs or not.

The best chain is the one with most work among the headers found; a block's spent outputs come from the rev file. A
block whose undo data are not written yet is the end of what can be read (integrity.py tells it from harm).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reflow.blocks.blkfiles import (
    BlocksFolder,
    Damage,
    FileState,
    Scan,
    find_blocks_folder,
    read_blocks,
    read_header,
    scan_file,
)
from reflow.blocks.headers import Header, HeaderTree
from reflow.blocks.integrity import check_end, check_loose_ends
from reflow.blocks.revfiles import UndoRecords
from reflow.blocks.source import ChainEnd, RawBatch, bounds_of, byte_array
from reflow.errors import BadBlockError, ReflowError, SourceError
from reflow.network import Network

MAX_BATCH_BLOCKS: Final = 8192
"""Blocks in one batch at most, however small they are."""


class DatadirSource:
    """The blocks of a node's data directory (or network subfolder, or blocks folder)."""

    def __init__(self, path: str | Path, network: Network | None = None) -> None:
        """Find the folder and its network; nothing is scanned yet. Raises SourceError (see find_blocks_folder)."""
        self.folder: Final[BlocksFolder] = find_blocks_folder(Path(path), network)
        self.network: Final = self.folder.network
        self._files: dict[int, FileState] = {}
        self._tree = HeaderTree(self.network)
        self._damages: list[Damage] = []
        self._chain: list[Header] = []
        self._fork = 0
        self._records = UndoRecords(self.folder, self._tree, ())
        self.new: list[Header] = []
        """Headers of the blocks that no earlier scan knew, as found (heights not filled in)."""
        self._is_fresh = True
        self._warnings: list[str] = []

    @property
    def warnings(self) -> list[str]:
        """What a person should know about the files, a sentence each, so far."""
        return [damage.text for damage in self._damages] + self._warnings

    def resume(self, state: Scan | None, progress: Callable[[int, int], None] | None = None) -> None:
        """Read the headers of every block that is not known yet; `state` helps only if it is about these very files."""
        self._is_fresh = True
        if state is not None and self._still_holds(state):
            self._files = dict(state.files)
            self._tree = HeaderTree(self.network, state.headers)
            self._is_fresh = False
        numbers = self.folder.blk_numbers()
        for done, number in enumerate(numbers):
            if progress:
                progress(done, len(numbers))
            self._scan_file(number)

    def state(self) -> Scan:
        """What a later run needs of this scan; `headers` holds the new ones and the unconnected, heights filled in."""
        fresh = {header.hash for header in self.new} | {header.hash for header in self._tree.unconnected}
        headers = [header for header in map(self._tree.get, fresh) if header is not None]
        headers.sort(key=lambda header: (header.file, header.offset))
        folder = str(self.folder.path.resolve())
        return Scan(folder, self.folder.xor_key, dict(self._files), headers, self._is_fresh)

    def locate(self, tip_height: int, hash_at: Callable[[int], bytes | None]) -> int:
        """Height of the last block in common with a ledger; see BlockSource. Raises SourceError, BadBlockError.

        A chain that leads below the headers known from an earlier scan makes all files be scanned anew.
        """
        try:
            return self._locate(tip_height, hash_at)
        except (BadBlockError, SourceError):
            if self._is_fresh:
                raise
        self._files, self._tree, self._damages, self.new = {}, HeaderTree(self.network), [], []
        self.resume(None)
        return self._locate(tip_height, hash_at)

    def _locate(self, tip_height: int, hash_at: Callable[[int], bytes | None]) -> int:
        best = self._tree.best
        self._warn(check_loose_ends(self.folder, self._tree, self._damages, self._files))
        header = best
        while header is not None and header.height > 0:
            if header.height <= tip_height and hash_at(header.height) == header.hash[::-1]:
                break
            header = self._tree.get(header.prev_hash)
        if best is None or header is None:
            raise SourceError(f"{self.folder.path}: the best chain goes back beyond the known headers")
        self._fork = header.height
        self._chain = self._tree.chain(best, self._fork)
        self._records = UndoRecords(self.folder, self._tree, self._chain)
        if self._fork < tip_height and not self._outweighs(tip_height, hash_at):
            self._chain, self._fork = [], tip_height
        return self._fork

    def end(self) -> ChainEnd:
        """Tip of the best chain; reading may end before it, where undo data are not written yet."""
        if not self._chain:
            return ChainEnd(self._fork, 0)
        return ChainEnd(self._chain[-1].height, sum(header.size for header in self._chain))

    def read(self, first_height: int, last_height: int, batch_bytes: int) -> Iterator[RawBatch]:
        """See BlockSource. Ends early where undo data are not written yet.

        Raises BadBlockError where undo data are harmed or lost.
        """
        batch: list[tuple[Header, NDArray[np.uint8]]] = []
        size = 0
        for header in self._chain[first_height - self._fork - 1 : last_height - self._fork]:
            try:
                undo = self._undo(header)
            except ReflowError:
                if batch:  # what lies before the harm is sound
                    yield self._load(batch)
                raise
            if undo is None:
                break
            if batch and (size + header.size > batch_bytes or len(batch) >= MAX_BATCH_BLOCKS):
                yield self._load(batch)
                batch, size = [], 0
            batch.append((header, undo))
            size += header.size
        if batch:
            yield self._load(batch)

    def _still_holds(self, known: Scan) -> bool:
        """Whether an earlier scan was of these files: same folder and key, its last blocks still where they were."""
        if (known.folder, known.xor_key) != (str(self.folder.path.resolve()), self.folder.xor_key):
            return False
        last: dict[int, Header] = {}
        for header in known.headers:
            if header.file not in last or header.offset > last[header.file].offset:
                last[header.file] = header
        newest = sorted(last)[-3:]
        for number in newest:
            found = read_header(self.folder, number, last[number].offset)
            if found is None or found.hash != last[number].hash:
                return False
        return bool(newest)

    def _scan_file(self, number: int) -> None:
        state = self._files.get(number, FileState(number, -1, -1, 0))
        try:
            stat = self.folder.blk(number).stat()
        except OSError as error:
            raise SourceError(f"{self.folder.blk(number)}: cannot read: {error.strerror}") from None
        if (stat.st_size, stat.st_mtime_ns) == (state.size, state.mtime_ns):
            return
        start = state.scanned_to if state.scanned_to <= stat.st_size else 0
        self._files[number], damages = scan_file(self.folder, number, start, self._found)
        self._damages += damages

    def _found(self, header: Header) -> None:
        if header.hash not in self._tree:
            self._tree.add(header)
            self.new.append(header)

    def _outweighs(self, tip_height: int, hash_at: Callable[[int], bytes | None]) -> bool:
        """Whether the part of the new chain that can be read has more work than the ledger's own."""
        old = self._tree.get((hash_at(tip_height) or b"")[::-1])
        for header in self._chain:
            if self._undo(header) is None:
                return False
            if header.work > old.work if old else header.height > tip_height:
                return True
        return False

    def _undo(self, header: Header) -> NDArray[np.uint8] | None:
        """The undo data of a block of the chain; None if they are not written yet. Raises if they are harmed."""
        undo = self._records.find(header)
        if undo is None:
            self._warn(check_end(self.folder, self._chain, header, self._records))
            undo = self._records.find(header)
        return undo

    def _load(self, batch: list[tuple[Header, NDArray[np.uint8]]]) -> RawBatch:
        headers, undos = zip(*batch, strict=True)
        bounds = bounds_of(header.size for header in headers)
        blocks = np.empty(int(bounds[-1]), np.uint8)
        read_blocks(self.folder, headers, blocks.data)
        return RawBatch(
            first_height=headers[0].height,
            blocks=blocks,
            block_bounds=bounds,
            undo=np.concatenate(undos),
            undo_bounds=bounds_of(len(undo) for undo in undos),
            hashes=byte_array(b"".join(header.hash for header in headers)).reshape(-1, 32),
            offsets=np.array([header.offset for header in headers], np.int64),
            xor_key=byte_array(self.folder.xor_key) if any(self.folder.xor_key) else None,
            place=lambda block: self.folder.place(headers[block]),
        )

    def _warn(self, text: str | None) -> None:
        if text is not None and text not in self._warnings:
            self._warnings.append(text)
