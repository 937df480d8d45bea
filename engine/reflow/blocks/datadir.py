"""Blocks from a node's own files, while the node runs or not.

The best chain is the one with most work among the blocks that the node connected: those have undo data in the rev
files, which is where spent outputs come from. Heavier blocks without undo data are no part of it, but of what is said
about it: the node has not connected them yet, or never will (integrity.py tells that from harm).
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
from reflow.blocks.integrity import (
    describe_unconnected,
    find_genesis_fault,
    find_later_connection,
    find_lost_block,
    find_undo_fault,
    undo_fault,
)
from reflow.blocks.revfiles import UndoRecords
from reflow.blocks.source import Behind, ChainEnd, RawBatch, bounds_of, byte_array
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
        self._tip: Header | None = None
        self._ahead: list[Header] = []
        self._fault: ReflowError | None = None
        self._records = UndoRecords(self.folder, self._tree)
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

        A chain that leads below the headers known from an earlier scan, and one that seems damaged, makes all files be
        scanned anew. Damage above blocks that can be read is raised behind them, by `read`.
        """
        try:
            return self._locate(tip_height, hash_at)
        except (BadBlockError, SourceError):
            if self._is_fresh:
                raise
        self._files, self._tree, self._damages, self.new = {}, HeaderTree(self.network), [], []
        self._warnings.clear()
        self.resume(None)
        return self._locate(tip_height, hash_at)

    def _locate(self, tip_height: int, hash_at: Callable[[int], bytes | None]) -> int:
        def is_in_ledger(header: Header) -> bool:
            return header.height <= tip_height and hash_at(header.height) == header.hash[::-1]

        if fault := find_genesis_fault(self.folder, self._tree, self._damages, self._files):
            raise fault
        self._records = UndoRecords(self.folder, self._tree)
        tip = self._choose(is_in_ledger)
        header = tip
        while header is not None and header.height > 0 and not is_in_ledger(header):
            header = self._tree.get(header.prev_hash)
        if tip is None or header is None:
            raise SourceError(f"{self.folder.path}: the best chain goes back beyond the known headers")
        self._tip, self._fork = tip, header.height
        self._chain = self._tree.chain(tip, self._fork)
        self._fault = find_lost_block(self.folder, self._tree, tip, self._damages, self._files)
        if self._fault is not None and (not self._chain or self._fork < tip_height or not self._is_fresh):
            raise self._fault
        self._warn(describe_unconnected(self.folder, self._tree))
        self._warn(find_later_connection(self.folder, self._tree, tip, self._records))
        if self._fork < tip_height and not self._outweighs(tip, tip_height, hash_at):
            self._stay(tip, tip_height)
        if not self._chain:
            self._check_ahead()
        return self._fork

    def _choose(self, is_in_ledger: Callable[[Header], bool]) -> Header | None:
        """The tip of the best chain: the first block, in the order of work, that the node connected."""
        self._ahead = []
        for header in self._tree.heaviest_first():
            if header.height == 0 or is_in_ledger(header) or self._records.find(header) is not None:
                self._ahead = [other for other in self._ahead if other.work > header.work]
                return header
            self._ahead.append(header)
        return None

    def _outweighs(self, tip: Header, tip_height: int, hash_at: Callable[[int], bytes | None]) -> bool:
        """Whether the best chain here is better than the ledger's; by height if the files lack the ledger's tip."""
        old = self._tree.get((hash_at(tip_height) or b"")[::-1])
        return tip.height > tip_height if old is None or old.height < 0 else tip is not old

    def _stay(self, tip: Header, tip_height: int) -> None:
        """Leave a ledger as it is that knows more than the files do."""
        self._warn(
            f"{self.folder.path}: the node's chain in these files ends at height {tip.height}, below the ledger's tip "
            f"at {tip_height}: nothing to do"
        )
        self._tip, self._chain, self._fork = None, [], tip_height
        self._ahead = [header for header in self._ahead if header.height > tip_height]

    def end(self) -> ChainEnd:
        """Tip of the best chain, and the blocks with more work that the node has not connected."""
        heaviest = self._ahead[0] if self._ahead else None
        behind = heaviest and Behind(len(self._ahead), heaviest.height, heaviest.hash[::-1].hex())
        if not self._chain:
            return ChainEnd(self._fork, 0, behind)
        return ChainEnd(self._chain[-1].height, sum(header.size for header in self._chain), behind)

    def read(self, first_height: int, last_height: int, batch_bytes: int) -> Iterator[RawBatch]:
        """See BlockSource. Raises BadBlockError or SourceError where blocks or undo data are harmed or lost."""
        batch: list[tuple[Header, NDArray[np.uint8]]] = []
        size = 0
        for header in self._chain[first_height - self._fork - 1 : last_height - self._fork]:
            try:
                undo = self._undo(header)
            except ReflowError:
                if batch:  # what lies before the harm is sound
                    yield self._load(batch)
                raise
            if batch and (size + header.size > batch_bytes or len(batch) >= MAX_BATCH_BLOCKS):
                yield self._load(batch)
                batch, size = [], 0
            batch.append((header, undo))
            size += header.size
        if batch:
            yield self._load(batch)
        if last_height >= self.end().height:
            self._check_ahead()

    def _check_ahead(self) -> None:
        """Raise what is wrong behind the best chain, else warn of blocks there that the node has not connected."""
        if self._fault is not None:
            raise self._fault
        if fault := find_undo_fault(self.folder, reversed(self._ahead), self._records):
            raise fault
        waiting = self._tree.above(self._tip) if self._tip else []
        if waiting:
            self._warn(
                f"{self.folder.path}: the node has not connected the last {len(waiting)} blocks yet "
                f"(height {waiting[0].height} on)"
            )
        aside = {header.hash: header for header in self._ahead}
        for header in waiting:
            aside.pop(header.hash, None)
        if aside:
            heaviest = next(iter(aside.values()))
            self._warn(
                f"{self.folder.path}: {len(aside)} blocks off the chain have more work than its tip, but the node did "
                f"not connect them; the heaviest is {heaviest.hash[::-1].hex()} at height {heaviest.height} "
                f"({self.folder.place(heaviest)})"
            )

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

    def _undo(self, header: Header) -> NDArray[np.uint8]:
        """The undo data of a block of the chain. Raises BadBlockError or SourceError if they are harmed or lost."""
        undo = self._records.find(header)
        if undo is None:
            self._records.settle(header)
            undo = self._records.find(header)
        if undo is None:
            raise undo_fault(self.folder, self._chain[-1], header, self._records)
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
