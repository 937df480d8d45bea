"""Blocks from a node's own files, while the node runs or not.

The best chain is the one with most work among the headers found; a block's spent outputs come from the rev file. A
block whose undo data are not written yet is the end of what can be read. A block that the node has connected (it has
undo data) but that hangs in the air, or undo data that fit no block where one lacks them, prove that a file is
harmed: those are errors, told with file and offset.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reflow.blocks.batch import ChainEnd, RawBatch, byte_array
from reflow.blocks.blkfiles import (
    BlocksFolder,
    Damage,
    FileState,
    find_blocks_folder,
    open_file,
    plain,
    read_header,
    scan_file,
)
from reflow.blocks.decode import input_counts
from reflow.blocks.headers import Header, HeaderTree
from reflow.blocks.revfiles import RevFile, read_rev_file, settle_siblings
from reflow.errors import BadBlockError, ReflowError, SourceError
from reflow.network import Network

MAX_BATCH_BLOCKS: Final = 8192
"""Blocks in one batch at most, however small they are."""

_WRITING_SECONDS: Final = 3.0
"""How long a record that does not fit may still be one that the node is writing just now."""


class Scan(NamedTuple):
    """What is known of the files from earlier runs: lets a run read only what is new."""

    folder: str
    xor_key: bytes
    files: dict[int, FileState]
    headers: list[Header]
    """The headers that can still matter: near and above the ledger's tip, and those that hang in the air."""


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
        self._chain_of_file: dict[int, list[Header]] = {}
        self._fork = 0
        self._revs: dict[int, tuple[RevFile | None, dict[bytes, int]]] = {}
        self._new: list[Header] = []
        self.is_fresh = True
        """Whether the scan found everything anew, without the help of an earlier one."""
        self._warnings: list[str] = []

    @property
    def warnings(self) -> list[str]:
        """What a person should know about the files, a sentence each, so far."""
        return [damage.text for damage in self._damages] + self._warnings

    def scan(self, known: Scan | None, progress: Callable[[int, int], None] | None = None) -> list[Header]:
        """Read the headers of every block that is not known yet; gives them as found (heights not filled in).

        `known` is used only if it is about these very files. `progress` is called with (files done, files in all).
        """
        self.is_fresh = True
        if known is not None and self._still_holds(known):
            self._files = dict(known.files)
            self._tree = HeaderTree(self.network, known.headers)
            self.is_fresh = False
        numbers = self.folder.blk_numbers()
        for done, number in enumerate(numbers):
            if progress:
                progress(done, len(numbers))
            self._scan_file(number)
        return self._new

    def state(self) -> Scan:
        """What a later run needs of this scan; `headers` holds the new ones and the unconnected, heights filled in."""
        fresh = {header.hash for header in self._new} | {header.hash for header in self._tree.unconnected}
        headers = [header for header in map(self._tree.get, fresh) if header is not None]
        headers.sort(key=lambda header: (header.file, header.offset))
        return Scan(str(self.folder.path.resolve()), self.folder.xor_key, dict(self._files), headers)

    def locate(self, tip_height: int, hash_at: Callable[[int], bytes | None]) -> int:
        """Height of the last block in common with a ledger; see BlockSource. Raises SourceError, BadBlockError.

        A chain that leads below the headers known from an earlier scan makes all files be scanned anew.
        """
        try:
            return self._locate(tip_height, hash_at)
        except (BadBlockError, SourceError):
            if self.is_fresh:
                raise
        self._files, self._tree, self._damages, self._new = {}, HeaderTree(self.network), [], []
        self._revs = {}
        self.scan(None)
        return self._locate(tip_height, hash_at)

    def _locate(self, tip_height: int, hash_at: Callable[[int], bytes | None]) -> int:
        best = self._tree.best
        if best is None:
            if self._damages:
                raise BadBlockError(f"{self._damages[0].text}; no block before it leads back to genesis")
            raise SourceError(self._pruned_message())
        self._check_unconnected(best)
        header: Header | None = best
        while header is not None and header.height > 0:
            if header.height <= tip_height and hash_at(header.height) == header.hash[::-1]:
                break
            header = self._tree.get(header.prev_hash)
        if header is None:
            raise SourceError(f"{self.folder.path}: the best chain leads back further than the known headers")
        self._fork = header.height
        self._chain = self._tree.chain(best, self._fork)
        self._index_chain()
        if self._fork < tip_height and not self._outweighs(tip_height, hash_at):
            self._chain, self._fork = [], tip_height
        return self._fork

    def _index_chain(self) -> None:
        self._chain_of_file = {}
        for header in self._chain:
            self._chain_of_file.setdefault(header.file, []).append(header)

    def end(self) -> ChainEnd:
        """Tip of the best chain; reading may end before it, where undo data are not written yet."""
        if not self._chain:
            return ChainEnd(self._fork, 0)
        return ChainEnd(self._chain[-1].height, sum(header.size for header in self._chain))

    def read(self, first_height: int, last_height: int, batch_bytes: int) -> Iterator[RawBatch]:
        """See BlockSource. Ends early where undo data are not written yet.

        Raises BadBlockError where undo data are harmed or lost.
        """
        batch: list[tuple[Header, int]] = []
        size = 0
        for header in self._chain[first_height - self._fork - 1 : last_height - self._fork]:
            try:
                record = self._record(header)
            except ReflowError:
                if batch:  # what lies before the harm is sound
                    yield self._load(batch)
                raise
            if record is None:
                break
            if batch and (size + header.size > batch_bytes or len(batch) >= MAX_BATCH_BLOCKS):
                yield self._load(batch)
                batch, size = [], 0
            batch.append((header, record))
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
            self._new.append(header)

    def _outweighs(self, tip_height: int, hash_at: Callable[[int], bytes | None]) -> bool:
        """Whether the part of the new chain that can be read has more work than the ledger's own."""
        old = self._tree.get((hash_at(tip_height) or b"")[::-1])
        for header in self._chain:
            if self._record(header) is None:
                return False
            if header.work > old.work if old else header.height > tip_height:
                return True
        return False

    def _record(self, header: Header) -> int | None:
        """Number of the undo record of a block on the chain; None if it is not written yet."""
        record = self._rev(header.file)[1].get(header.hash)
        if record is None:
            self._check_end(header)
        return record

    def _rev(self, number: int) -> tuple[RevFile | None, dict[bytes, int]]:
        """The rev file of a number with the record of each block on the chain; a few stay in memory."""
        if number not in self._revs:
            while len(self._revs) >= 8:
                self._revs.pop(next(iter(self._revs)))
            self._revs[number] = self._pair(number)
        return self._revs[number]

    def _pair(self, number: int) -> tuple[RevFile | None, dict[bytes, int]]:
        rev = read_rev_file(self.folder, number)
        if rev is None:
            return None, {}
        headers = self._chain_of_file.get(number, [])
        records = dict(zip((h.hash for h in headers), rev.pair(headers).tolist(), strict=True))
        for header, siblings in self._rivals(headers):
            records[header.hash] = settle_siblings(rev, header, siblings, self._input_counts)
        return rev, {block_hash: record for block_hash, record in records.items() if record >= 0}

    def _rivals(self, headers: list[Header]) -> Iterator[tuple[Header, list[Header]]]:
        for header in headers:
            siblings = self._tree.siblings(header)
            near = [s for s in siblings if s.file == header.file and s.tx_count == header.tx_count]
            if near:
                yield header, near

    def _input_counts(self, header: Header) -> NDArray[np.int64]:
        with open_file(self.folder.blk(header.file)) as file:
            data = os.pread(file.fileno(), header.size, header.offset)
        return input_counts(byte_array(plain(data, header.offset, self.folder.xor_key)))

    def _load(self, batch: list[tuple[Header, int]]) -> RawBatch:
        headers = [header for header, _ in batch]
        bounds = _bounds([header.size for header in headers])
        blocks = np.empty(int(bounds[-1]), np.uint8)
        view = blocks.data
        number = -1
        file = None
        for header, start, end in zip(headers, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            if header.file != number:
                if file is not None:
                    file.__exit__()
                file, number = open_file(self.folder.blk(header.file)), header.file
            assert file is not None
            read = os.preadv(file.fileno(), [view[start:end]], header.offset)
            if read != end - start:
                raise BadBlockError(
                    f"{self._place(header)}: file is cut short: {read} bytes of {end - start}"
                )
        if file is not None:
            file.__exit__()
        undos = [self._undo(header, record) for header, record in batch]
        return RawBatch(
            first_height=headers[0].height,
            blocks=blocks,
            block_bounds=bounds,
            undo=np.concatenate(undos),
            undo_bounds=_bounds([len(undo) for undo in undos]),
            hashes=byte_array(b"".join(h.hash for h in headers)).reshape(-1, 32),
            offsets=np.array([header.offset for header in headers], np.int64),
            xor_key=byte_array(self.folder.xor_key) if any(self.folder.xor_key) else None,
            place=lambda block: self._place(headers[block]),
        )

    def _undo(self, header: Header, record: int) -> NDArray[np.uint8]:
        rev = self._rev(header.file)[0]
        assert rev is not None
        return rev.undo(record)

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)

    def _place(self, header: Header) -> str:
        return f"{self.folder.blk(header.file)}, offset {header.offset}"

    # What the files prove about themselves.

    def _check_end(self, header: Header) -> None:
        """Raise if a block without undo data should have them: later ones do, or its rev file is harmed or gone."""
        rev = self._settled_rev(header)
        if header.hash in self._rev(header.file)[1]:
            return
        path = self.folder.rev(header.file)
        lacking = f"undo data of block {header.hash[::-1].hex()} at height {header.height}"
        if rev is None and (header.file != self.folder.blk_numbers()[-1] or header.height == 1):
            raise SourceError(f"{path}: no such file, expected {lacking}")
        if rev is not None and rev.damage:
            raise BadBlockError(f"{rev.damage}; {lacking} are missing")
        later = next((h for h in self._chain if h.height > header.height and self._has_undo(h)), None)
        strays = self._strays(header.file)
        if strays:
            assert rev is not None
            raise BadBlockError(
                f"{path}, offset {int(rev.starts[strays[0]])}: undo data or checksum damaged: "
                f"the record fits no block, expected {lacking}"
            )
        if later is not None:
            raise BadBlockError(f"{path}: {lacking} are missing, but block {later.height} has some")
        waiting = self._chain[-1].height - header.height + 1
        self._warn(
            f"{self.folder.path}: the node has not connected the last {waiting} blocks yet (height {header.height} on)"
        )

    def _settled_rev(self, header: Header) -> RevFile | None:
        """The rev file of a block without undo data, read again while the node may be writing to it."""
        path = self.folder.rev(header.file)
        until = time.monotonic() + _WRITING_SECONDS
        while True:
            rev, records = self._rev(header.file)
            clean = rev is None or not (rev.damage or self._strays(header.file))
            if clean or header.hash in records or time.monotonic() > until:
                return rev
            if path.exists() and time.time() - path.stat().st_mtime > 60:
                return rev
            time.sleep(0.2)
            self._revs.pop(header.file)

    def _has_undo(self, header: Header) -> bool:
        return header.hash in self._rev(header.file)[1]

    def _strays(self, number: int) -> list[int]:
        """Records of a rev file behind all that belong to known blocks, on the chain or off it."""
        rev = self._rev(number)[0]
        if rev is None:
            return []
        headers = [header for header in self._tree if header.file == number and header.height != 0]
        headers.sort(key=lambda header: header.height)
        last = int(rev.pair(headers).max(initial=-1))
        return list(range(last + 1, len(rev.starts)))

    def _check_unconnected(self, best: Header) -> None:
        """Raise if a block that the node once connected has no parent in the files, or the tip's child is damaged."""
        unconnected = self._tree.unconnected
        if not (unconnected or self._damages):
            return
        for header in unconnected[:100]:
            if self._was_connected(header):
                raise BadBlockError(self._missing_parent(header))
        self._check_lost_child(best)
        if unconnected:
            first = unconnected[0]
            self._warn(
                f"{self.folder.path}: {len(unconnected)} blocks do not connect to the chain, "
                f"the first is {first.hash[::-1].hex()} ({self._place(first)})"
            )

    def _was_connected(self, header: Header) -> bool:
        rev = read_rev_file(self.folder, header.file)
        return rev is not None and bool(rev.records_of(header, set()))

    def _missing_parent(self, header: Header) -> str:
        near = next((d for d in self._damages if d.number <= header.file), None)
        gap = [n for n in range(header.file) if n not in self._files]
        cause = (
            near.text if near else f"{self.folder.blk(gap[-1])}: no such file" if gap else self._place(header)
        )
        return (
            f"{cause}; block {header.hash[::-1].hex()} was connected by the node, "
            f"but its parent {header.prev_hash[::-1].hex()} is damaged or missing"
        )

    def _check_lost_child(self, tip: Header) -> None:
        """Undo data on top of the tip prove that a block there was connected, and lost since."""
        for number in range(tip.file, max(self._files) + 1):
            rev = read_rev_file(self.folder, number)
            if rev is None:
                continue
            for tx_count in sorted(rev.tx_counts()):
                child = tip._replace(prev_hash=tip.hash, tx_count=tx_count)
                if records := rev.records_of(child, set()):
                    where = f"{self.folder.rev(number)}, offset {int(rev.starts[records[0]])}"
                    cause = next((d.text for d in self._damages if d.number <= number), where)
                    raise BadBlockError(
                        f"{cause}; the node connected a block at height {tip.height + 1} "
                        f"({where}) that is damaged or missing"
                    )

    def _pruned_message(self) -> str:
        """Why no block leads back to genesis."""
        if 0 in self._files:
            genesis = self.network.genesis_hash.hex()
            return f"{self.folder.blk(0)}, offset 8: the first block is not genesis, expected {genesis}"
        unconnected = self._tree.unconnected
        if not unconnected:
            return f"{self.folder.path}: no block in its blk files"
        heights = [height for height in map(self._coinbase_height, unconnected[:1000]) if height is not None]
        first = (
            f"the first block in the files has height {min(heights)}"
            if heights
            else "the first blocks are gone"
        )
        return f"{self.folder.path}: pruned node: {first}, expected blocks from genesis on"

    def _coinbase_height(self, header: Header) -> int | None:
        """The height that a coinbase states (BIP 34), or None."""
        with open_file(self.folder.blk(header.file)) as file:
            data = plain(os.pread(file.fileno(), 200, header.offset), header.offset, self.folder.xor_key)
        start = data.find(b"\xff\xff\xff\xff", 80) + 5
        size = data[start] if start < len(data) else 0
        if 0x51 <= size <= 0x60:
            return size - 0x50
        return int.from_bytes(data[start + 1 : start + 1 + size], "little") if 1 <= size <= 4 else None


def _bounds(sizes: Iterable[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.fromiter(sizes, np.int64))]).astype(np.int64)
