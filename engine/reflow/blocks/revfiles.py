"""A node's rev files: the undo records in them, and which block each belongs to.

revNNNNN.dat holds frames (magic, size, undo data, 32-byte checksum) in the order in which the node connected the
blocks of blkNNNNN.dat. The checksum is SHA-256d(previous block hash, undo data), so it tells siblings apart only by
their undo data; where a block has a sibling, transaction and input counts decide as well. A block that has a record is
one that the node connected.
"""

import os
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reflow.blocks.blkfiles import BlocksFolder, read_block
from reflow.blocks.decode import input_counts
from reflow.blocks.hashing import differ
from reflow.blocks.headers import Header, HeaderTree
from reflow.blocks.kernels import compact, unxor, walk_coin
from reflow.blocks.memory import copy_bytes
from reflow.blocks.sha256 import WORDS, hash_again, hash_messages, pad, padded
from reflow.blocks.source import byte_array
from reflow.errors import SourceError
from reflow.text import open_regular

_FRAME: Final = 8
_HASH: Final = 32
_CHECKSUM: Final = 32
_LARGEST: Final = 1 << 30
"""Bytes of a rev file that is still read; real ones belong to 128 MiB of blocks and have about 20 MB."""
_ROW: Final = 32
"""Blocks whose records are guessed and checked together."""


_FILES_IN_MEMORY: Final = 8
"""Rev files kept: blocks of neighbouring heights lie in neighbouring files."""

_WRITING_SECONDS: Final = 3.0
"""How long a record that does not fit may still be one that the node is writing just now."""

_SETTLED_SECONDS: Final = 60
"""A rev file that has not changed for so long is not being written to."""


class RevFile(NamedTuple):
    """The undo records of one rev file, plain bytes."""

    number: int
    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    """Position of each record's undo data."""
    ends: NDArray[np.int64]
    """Position behind it, where its checksum starts."""
    damage: str | None
    """One line on a frame that is none, or is cut short; None if all is well."""

    def undo(self, record: int) -> NDArray[np.uint8]:
        """The undo data of a record."""
        return self.data[self.starts[record] : self.ends[record]]

    def tx_counts(self) -> set[int]:
        """The transaction counts, coinbase included, of the blocks that the records belong to."""
        return {1 + int(_leading_count(self.data, start)) for start in self.starts.tolist()}

    def records_of(self, header: Header, without: set[int]) -> list[int]:
        """Every record outside `without` whose checksum and transaction count fit a block, in the file's order."""
        prev_hash = byte_array(header.prev_hash).reshape(1, 32)
        counts = np.array([header.tx_count], np.int64)
        found: list[int] = []
        while True:
            claimed = np.zeros(len(self.starts), np.bool_)
            claimed[list(without) + found] = True
            record = int(_pair(self.data, self.starts, self.ends, claimed, prev_hash, counts)[0])
            if record < 0:
                return sorted(found)
            found.append(record)

    def pair(self, headers: Sequence[Header]) -> NDArray[np.int64]:
        """The record of each block, or -1; `headers` in chain order, which is nearly the records' order."""
        prev_hashes = byte_array(b"".join(h.prev_hash for h in headers)).reshape(-1, 32)
        counts = np.array([h.tx_count for h in headers], np.int64)
        claimed = np.zeros(len(self.starts), np.bool_)
        paired: NDArray[np.int64] = _pair(self.data, self.starts, self.ends, claimed, prev_hashes, counts)
        return paired


def read_rev_file(folder: BlocksFolder, number: int) -> RevFile | None:
    """Read a rev file whole (Bitcoin Core keeps them below about 20 MB); None if there is none."""
    path = folder.rev(number)
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > _LARGEST:
                raise SourceError(f"{path}: {size} bytes, expected at most {_LARGEST}")
            data = np.fromfile(file, np.uint8)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SourceError(f"{path}: cannot read: {error.strerror}") from None
    used = _used(data)  # before the XOR is undone: the preallocated tail is zero on disk
    if any(folder.xor_key):
        unxor(
            data,
            np.array([0, len(data)], np.int64),
            np.array([0], np.int64),
            byte_array(folder.xor_key),
        )
    bounds = np.empty((len(data) // (_FRAME + 1 + _CHECKSUM) + 1, 2), np.int64)
    magic = int.from_bytes(folder.network.magic, "little")
    count, position = _walk(data, used, magic, bounds)
    damage = _describe(folder, number, data, position) if position < used else None
    return RevFile(number, data, bounds[:count, 0].copy(), bounds[:count, 1].copy(), damage)


def share_records(
    file: RevFile,
    siblings: Sequence[Header],
    counts_of: Callable[[Header], bytes],
    was_built_on: Callable[[Header], bool],
) -> dict[bytes, int]:
    """The records of several blocks with one parent and equal transaction counts, by block hash.

    `counts_of` gives a block's input counts. Blocks that share these too stand in the order of arrival, as their
    records do. Where there are fewer records than such blocks the node connected only some of them: first of all those
    that a connected block stands on (`was_built_on`), then those that came first.
    """
    records = file.records_of(siblings[0], set())
    shapes: dict[bytes, list[Header]] = {}
    for header in sorted(siblings, key=lambda header: header.offset) if records else ():
        shapes.setdefault(counts_of(header), []).append(header)
    shared: dict[bytes, int] = {}
    for counts, headers in shapes.items():
        fitting = [record for record in records if undo_counts(file.undo(record)).tobytes() == counts]
        if 0 < len(fitting) < len(headers):
            likely = sorted(headers, key=lambda header: not was_built_on(header))[: len(fitting)]
            headers = sorted(likely, key=lambda header: header.offset)
        shared |= {header.hash: record for header, record in zip(headers, fitting, strict=False)}
    return shared


def undo_counts(undo: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Inputs of each transaction in a block's undo data; empty if they do not parse."""
    counts = np.empty(len(undo), np.int64)
    return counts[: _undo_counts(undo, counts)]


def _describe(folder: BlocksFolder, number: int, data: NDArray[np.uint8], position: int) -> str:
    magic = data[position : position + 4].tobytes()
    where = f"{folder.rev(number)}, offset {position}"
    if magic != folder.network.magic:
        return f"{where}: found {magic.hex()}, expected the magic {folder.network.magic.hex()}"
    size = int.from_bytes(data[position + 4 : position + 8].tobytes(), "little")
    left = max(len(data) - position - _FRAME - _CHECKSUM, 0)
    return f"{where}: file is cut short: undo data of {size} bytes and a checksum, {left} bytes left for them"


class UndoRecords:
    """The undo records of all known blocks, paired when a rev file is first asked for."""

    def __init__(self, folder: BlocksFolder, tree: HeaderTree) -> None:
        self._folder = folder
        self._tree = tree
        self._files: dict[int, RevFile | None] = {}
        self._records: dict[int, dict[bytes, int]] = {}

    def find(self, header: Header) -> NDArray[np.uint8] | None:
        """The undo data of a block, None if it has none: the node has not connected it."""
        record = self._paired(header.file).get(header.hash)
        rev = self.file(header.file)
        return None if rev is None or record is None else rev.undo(record)

    def place(self, header: Header) -> tuple[int, int] | None:
        """Number of the rev file and of the record in it, which grow in the order of connection; None without one."""
        record = self._paired(header.file).get(header.hash)
        return None if record is None else (header.file, record)

    def file(self, number: int) -> RevFile | None:
        """A rev file, None if it does not exist."""
        if number not in self._files:
            while len(self._files) >= _FILES_IN_MEMORY:
                self._forget(next(iter(self._files)))
            self._files[number] = read_rev_file(self._folder, number)
        return self._files[number]

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
            self._forget(header.file)

    def strays(self, number: int) -> list[int]:
        """Records of a rev file behind all that belong to known blocks, on the chain or off it."""
        rev = self.file(number)
        last = max(self._paired(number).values(), default=-1)
        return [] if rev is None else list(range(last + 1, len(rev.starts)))

    def _forget(self, number: int) -> None:
        self._files.pop(number)
        self._records.pop(number, None)

    def _paired(self, number: int) -> dict[bytes, int]:
        rev = self.file(number)
        if number not in self._records:
            self._records[number] = {} if rev is None else self._pair(rev)
        return self._records[number]

    def _pair(self, rev: RevFile) -> dict[bytes, int]:
        headers = self._headers_of.get(rev.number, [])
        records = dict(zip((h.hash for h in headers), rev.pair(headers).tolist(), strict=True))
        for siblings in _rivals(headers):
            records |= dict.fromkeys((header.hash for header in siblings), -1)
            records |= share_records(rev, siblings, self._input_counts, self._was_built_on)
        return {block_hash: record for block_hash, record in records.items() if record >= 0}

    @cached_property
    def _headers_of(self) -> dict[int, list[Header]]:
        """The headers of each file in the order of their heights, which is nearly that of the records."""
        headers_of: dict[int, list[Header]] = {}
        for header in sorted(self._tree, key=lambda header: (header.height < 0, header.height)):
            if header.height != 0:  # genesis has no undo data
                headers_of.setdefault(header.file, []).append(header)
        return headers_of

    def _input_counts(self, header: Header) -> bytes:
        if header.tx_count == 1:
            return b""
        return input_counts(byte_array(read_block(self._folder, header))).tobytes()

    def _was_built_on(self, header: Header) -> bool:
        """Whether the node connected a block on top of this one, and so this one before."""
        for child in self._tree.children(header.hash):
            rev = self.file(child.file)
            if rev is not None and rev.records_of(child, set()):
                return True
        return False


def _rivals(headers: Sequence[Header]) -> list[list[Header]]:
    """Blocks whose undo records may be mistaken for each other's: same parent, equal transaction counts."""
    groups: dict[tuple[bytes, int], list[Header]] = {}
    for header in headers:
        groups.setdefault((header.prev_hash, header.tx_count), []).append(header)
    return [group for group in groups.values() if len(group) > 1]


@njit(nogil=True, cache=True)
def _used(data):
    """Position behind the last byte that is not zero."""
    end = len(data)
    while end > 0 and data[end - 1] == 0:
        end -= 1
    return end


@njit(nogil=True, cache=True)
def _walk(data, used, magic, bounds):
    """(records, position where the walk ended); bounds[r] = start and end of the undo data of record r."""
    position = np.int64(0)
    count = 0
    while position + _FRAME + _CHECKSUM < len(data) and position < used:
        found = np.int64(0)
        size = np.int64(0)
        for k in range(4):
            found |= np.int64(data[position + k]) << (8 * k)
            size |= np.int64(data[position + 4 + k]) << (8 * k)
        if found != magic or position + _FRAME + size + _CHECKSUM > len(data):
            break
        bounds[count, 0] = position + _FRAME
        bounds[count, 1] = position + _FRAME + size
        count += 1
        position += _FRAME + size + _CHECKSUM
    return count, position


@njit(nogil=True, cache=True)
def _leading_count(data, position):
    """The CompactSize at `position`, as far as it matters here: transactions of a block."""
    first = np.int64(data[position])
    if first < 253:
        return first
    if first == 253:
        return np.int64(data[position + 1]) | np.int64(data[position + 2]) << 8
    return (
        np.int64(data[position + 1]) | np.int64(data[position + 2]) << 8 | np.int64(data[position + 3]) << 16
    )


@njit(nogil=True, cache=True)
def _fit(data, starts, ends, records, prev_hashes):
    """fits[i] = whether the checksum of record records[i] is that of a block behind prev_hashes[i]."""
    places = np.zeros(len(records) + 1, np.int64)
    for i in range(len(records)):
        places[i + 1] = places[i] + padded(_HASH + ends[records[i]] - starts[records[i]])
    messages = np.zeros(places[-1], np.uint8)
    for i in range(len(records)):
        size = ends[records[i]] - starts[records[i]]
        copy_bytes(messages.ctypes.data + places[i], prev_hashes[i].ctypes.data, _HASH)
        copy_bytes(messages.ctypes.data + places[i] + _HASH, data.ctypes.data + starts[records[i]], size)
        pad(messages, places[i], places[i] + _HASH + size)
    digests = np.empty((len(records), WORDS), np.uint32)
    hash_messages(messages, places, digests)
    hash_again(digests)
    found = digests.view(np.uint8)
    fits = np.empty(len(records), np.bool_)
    for i in range(len(records)):
        end = ends[records[i]]
        fits[i] = not differ(found[i], data[end : end + _CHECKSUM])
    return fits


@njit(nogil=True, cache=True)
def _following(data, starts, claimed, tx_count, record):
    """The first unclaimed record of a block with that many transactions from `record` on, or the number of records."""
    while record < len(starts) and (claimed[record] or _leading_count(data, starts[record]) != tx_count - 1):
        record += 1
    return record


@njit(nogil=True, cache=True)
def _search(data, starts, ends, claimed, prev_hash, tx_count, record):
    """The record that fits one block or -1, looking from `record` on and then round again."""
    one, prev_hashes = np.empty(1, np.int64), prev_hash.reshape(1, _HASH)
    for k in range(len(starts)):
        one[0] = (record + k) % len(starts)
        could_fit = _following(data, starts, claimed, tx_count, one[0]) == one[0]
        if could_fit and _fit(data, starts, ends, one, prev_hashes)[0]:
            return one[0]
    return np.int64(-1)


@njit(nogil=True, cache=True)
def _pair(data, starts, ends, claimed, prev_hashes, tx_counts):
    """The record of each block or -1, looking from behind the last match on and then round again.

    Records stand in nearly the order of the blocks: the next that could fit is tried first, for a row of blocks.
    """
    paired = np.full(len(tx_counts), -1, np.int64)
    guesses = np.empty(_ROW, np.int64)
    block = 0
    record = 0
    while block < len(tx_counts):
        row = 0
        following = record
        while row < _ROW and block + row < len(tx_counts):
            following = _following(data, starts, claimed, tx_counts[block + row], following)
            if following == len(starts):
                break
            guesses[row] = following
            following += 1
            row += 1
        fits = _fit(data, starts, ends, guesses[:row], prev_hashes[block : block + row])
        for k in range(row):
            if not fits[k]:
                row = k
                break
            paired[block] = guesses[k]
            claimed[guesses[k]] = True
            record = guesses[k] + 1
            block += 1
        if row < _ROW and block < len(tx_counts):
            found = _search(data, starts, ends, claimed, prev_hashes[block], tx_counts[block], record)
            if found >= 0:
                paired[block] = found
                claimed[found] = True
                record = found + 1
            block += 1
    return paired


@njit(nogil=True, cache=True)
def _undo_counts(undo, counts):
    from_count, position = compact(undo, np.int64(0), len(undo))
    n = 0
    value = np.empty(1, np.int64)
    script = np.empty((1, 3), np.int64)
    for _ in range(max(from_count, 0)):
        inputs, position = compact(undo, position, len(undo))
        for _ in range(max(inputs, 0)):
            position = walk_coin(undo, position, len(undo), 0, value, script)
            if position < 0:
                return 0
        if inputs < 0:
            return 0
        counts[n] = inputs
        n += 1
    return n
