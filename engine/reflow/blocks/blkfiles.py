"""A node's blk files: which folder, which network, and the headers in them.

blkNNNNN.dat holds frames (magic, size, block) one behind the other, preallocated with zeros, perhaps XOR-ed with the
key in xor.dat. Nothing but the header and the transaction count of each block is read here.
"""

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from reflow.blocks.headers import Header
from reflow.errors import BadBlockError, SourceError
from reflow.network import MAX_BLOCK_SIZE, NETWORKS, Network, meets_target
from reflow.text import open_regular

_FRAME: Final = 8
_HEADER: Final = 80
_PROBE: Final = _FRAME + _HEADER + 9
"""Bytes read of each block: frame, header and the transaction count behind it."""
_LARGEST: Final = 4 << 30
"""Bytes of a blk file that is still read; a node's have 128 MiB, other programs write some of a gigabyte."""
_LAST_NUMBER: Final = 999_999
"""Of a blk file; with a node's files that would be 128 TB of blocks."""


class BlocksFolder(NamedTuple):
    """A folder of blk and rev files."""

    path: Path
    network: Network
    xor_key: bytes
    """8 bytes, all zero if the files are plain."""

    def blk(self, number: int) -> Path:
        """Path of a blk file."""
        return self.path / f"blk{number:05}.dat"

    def rev(self, number: int) -> Path:
        """Path of a rev file."""
        return self.path / f"rev{number:05}.dat"

    def place(self, header: Header) -> str:
        """Where a block lies, for a message."""
        return f"{self.blk(header.file)}, offset {header.offset}"

    def blk_numbers(self) -> list[int]:
        """Numbers of the blk files that are there, ascending."""
        return _blk_numbers(self.path)


class FileState(NamedTuple):
    """How far a blk file has been scanned."""

    number: int
    size: int
    """Bytes when it was scanned."""
    mtime_ns: int
    scanned_to: int
    """Position behind the last block found."""


class Scan(NamedTuple):
    """What is known of the files from earlier runs: lets a run read only what is new."""

    folder: str
    xor_key: bytes
    files: dict[int, FileState]
    headers: list[Header]
    """The headers that can still matter: near and above the ledger's tip, and those that hang in the air."""
    is_fresh: bool
    """Whether all was found anew, without the help of an earlier scan."""


class Damage(NamedTuple):
    """A place in a blk file that is no block: a node that is writing just now, or a file that has been harmed."""

    number: int
    offset: int
    text: str
    """One line: file, offset, found, expected."""


def find_blocks_folder(path: Path, network: Network | None) -> BlocksFolder:
    """The blocks folder behind `path`: a data directory, its network's subfolder, or the blocks folder itself.

    Raises SourceError: nothing there, unreadable, several networks to choose from, or another network than asked for.
    """
    folder = _choose(path, network)
    key = _xor_key(folder)
    numbers = _blk_numbers(folder)
    first = folder / f"blk{numbers[0]:05}.dat"
    with open_file(first) as file:
        magic = plain(os.pread(file.fileno(), 4, 0), 0, key)
    for found in NETWORKS.values():
        if magic == found.magic:
            if network is not None and found is not network:
                raise SourceError(f"{first}: blocks of network {found.name}, expected {network.name}")
            return BlocksFolder(folder, found, key)
    raise SourceError(
        f"{first}, offset 0: magic {magic.hex()} is of no known network, expected {_magics(network)}"
    )


def scan_file(
    folder: BlocksFolder, number: int, start: int, found: Callable[[Header], None]
) -> tuple[FileState, list[Damage]]:
    """Call `found` with the header of every block in a blk file from position `start` on.

    Gives the file's state, and the places that are not blocks; scanning goes on behind them where the next magic is.
    """
    path = folder.blk(number)
    damages: list[Damage] = []
    with open_file(path) as file:
        descriptor = file.fileno()
        stat = os.fstat(descriptor)
        if stat.st_size > _LARGEST:
            raise SourceError(f"{path}: {stat.st_size} bytes, expected at most {_LARGEST}")
        position = scanned_to = start
        while position + _FRAME <= stat.st_size:
            probe = os.pread(descriptor, _PROBE, position)
            data = plain(probe, position, folder.xor_key)
            if data[:4] != folder.network.magic and _is_zero_from(descriptor, position):
                break
            fault = _fault(data, position, stat.st_size, folder.network)
            header = None if fault else _parse(data, number, position + _FRAME)
            if header and not meets_target(header.hash, header.bits):
                fault = f"header {header.hash[::-1].hex()} does not meet its own target"
            if header and header.tx_count > header.size:
                fault = f"{header.tx_count} transactions claimed in a block of {header.size} bytes"
            if fault:
                damages.append(Damage(number, position, f"{path}, offset {position}: {fault}"))
            if header:
                position += _FRAME + header.size
            else:
                position = _next_magic(descriptor, position + 1, folder)
            if header and not fault:
                found(header)
                if not damages:
                    scanned_to = position
    return FileState(number, stat.st_size, stat.st_mtime_ns, scanned_to), damages


def read_header(folder: BlocksFolder, number: int, offset: int) -> Header | None:
    """The header of the block whose bytes start at `offset`, or None if there is no block any more."""
    try:
        with open_file(folder.blk(number)) as file:
            position = offset - _FRAME
            data = plain(os.pread(file.fileno(), _PROBE, position), position, folder.xor_key)
            size = os.fstat(file.fileno()).st_size
    except SourceError:
        return None
    if len(data) < _PROBE - 8 or _fault(data, position, size, folder.network):
        return None
    return _parse(data, number, offset)


def read_block(folder: BlocksFolder, header: Header) -> bytes:
    """The bytes of one block, without the node's XOR; fewer than its size if the file has been cut short."""
    with open_file(folder.blk(header.file)) as file:
        data = os.pread(file.fileno(), header.size, header.offset)
    return plain(data, header.offset, folder.xor_key)


def read_blocks(folder: BlocksFolder, headers: Sequence[Header], into: memoryview) -> None:
    """Read blocks one behind the other into a buffer as long as they are together; the XOR is left on.

    Raises BadBlockError if a file has been cut short.
    """
    start = 0
    for number, group in groupby(headers, key=lambda header: header.file):
        with open_file(folder.blk(number)) as file:
            for header in group:
                end = start + header.size
                read = os.preadv(file.fileno(), [into[start:end]], header.offset)
                if read != header.size:
                    raise BadBlockError(
                        f"{folder.place(header)}: file is cut short: {read} bytes of {header.size}"
                    )
                start = end


def plain(data: bytes, position: int, key: bytes) -> bytes:
    """Bytes read at `position` of a file, without the node's XOR."""
    if not any(key):
        return data
    phase = position % 8
    pattern = (key[phase:] + key[:phase]) * (len(data) // 8 + 1)
    mixed = int.from_bytes(data, "little") ^ int.from_bytes(pattern[: len(data)], "little")
    return mixed.to_bytes(len(data), "little")


@contextmanager
def open_file(path: Path) -> Iterator[io.BufferedReader]:
    """A regular file, for reading. What the system refuses, also while the block reads, is SourceError in one line."""
    try:
        with open_regular(path) as file:
            yield file
    except OSError as error:
        raise SourceError(f"{path}: cannot read: {error.strerror}") from None


def _fault(data: bytes, position: int, file_size: int, network: Network) -> str | None:
    if data[:4] != network.magic:
        others = [other.name for other in NETWORKS.values() if other.magic == data[:4]]
        hint = f" (network {others[0]})" if others else ""
        return f"found {data[:4].hex()}{hint}, expected the magic {network.magic.hex()}"
    size = int.from_bytes(data[4:8], "little")
    if not _HEADER < size <= MAX_BLOCK_SIZE:
        return f"block size {size}, expected {_HEADER + 1} to {MAX_BLOCK_SIZE}"
    if position + _FRAME + size > file_size:
        return f"file is cut short: block of {size} bytes, {file_size - position - _FRAME} left"
    return None


def _parse(data: bytes, number: int, offset: int) -> Header:
    header = data[_FRAME : _FRAME + _HEADER]
    count = data[_FRAME + _HEADER :]
    width = {253: 2, 254: 4, 255: 8}.get(count[0], 0)
    return Header(
        hash=hashlib.sha256(hashlib.sha256(header).digest()).digest(),
        prev_hash=header[4:36],
        bits=int.from_bytes(header[72:76], "little"),
        tx_count=int.from_bytes(count[1 : 1 + width], "little") if width else count[0],
        file=number,
        offset=offset,
        size=int.from_bytes(data[4:8], "little"),
    )


def _next_magic(descriptor: int, start: int, folder: BlocksFolder) -> int:
    """Position of the next magic from `start` on, or the end of the file."""
    step = 1 << 20
    while chunk := os.pread(descriptor, step + 3, start):
        at = plain(chunk, start, folder.xor_key).find(folder.network.magic)
        if at >= 0:
            return start + at
        start += step
    return start


def _is_zero_from(descriptor: int, start: int) -> bool:
    """Whether nothing but preallocated zeros follows; a few zeros may also lie inside a block, behind a wrong size."""
    while chunk := os.pread(descriptor, 1 << 20, start):
        if chunk.strip(b"\0"):
            return False
        start += len(chunk)
    return True


def _choose(path: Path, network: Network | None) -> Path:
    try:
        if not path.is_dir():
            raise SourceError(f"{path}: no such folder" if not path.exists() else f"{path}: not a folder")
    except OSError as error:
        raise SourceError(f"{path}: cannot read: {error.strerror}") from None
    wanted = [network] if network else list(NETWORKS.values())
    inside = [path / n.folder / "blocks" for n in wanted]
    candidates = [folder for folder in (path, path / "blocks") if _blk_numbers(folder)]
    candidates += [
        folder for folder in dict.fromkeys(inside) if folder not in candidates and _blk_numbers(folder)
    ]
    if network and network.folder and (preferred := path / network.folder / "blocks") in candidates:
        return preferred
    if not candidates:
        asked = f" of network {network.name}" if network else ""
        raise SourceError(
            f"{path}: no blk files{asked} in it, in its blocks folder, or in a network's subfolder"
        )
    if candidates[0] not in (path, path / "blocks") and len(candidates) > 1:
        names = ", ".join(str(folder) for folder in candidates)
        raise SourceError(f"{path}: blocks of several networks ({names}): choose one with --network")
    return candidates[0]


def _blk_numbers(folder: Path) -> list[int]:
    try:
        names = [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise SourceError(f"{folder}: cannot read: {error.strerror}") from None
    matches = [
        match for name in names if (match := re.fullmatch(r"blk(\d{5}|[1-9]\d{5,})\.dat", name, re.ASCII))
    ]
    for match in matches:
        if len(match[1]) > len(str(_LAST_NUMBER)):
            raise SourceError(f"{folder / match[0]}: number {match[1][:40]}, expected at most {_LAST_NUMBER}")
    return sorted(int(match[1]) for match in matches)


def _xor_key(folder: Path) -> bytes:
    path = folder / "xor.dat"
    try:
        with open_regular(path) as file:
            key, size = file.read(8), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return bytes(8)
    except OSError as error:
        raise SourceError(f"{path}: cannot read: {error.strerror}") from None
    if size != 8:
        raise SourceError(f"{path}: key of {size} bytes, expected 8")
    return key


def _magics(network: Network | None) -> str:
    return " or ".join(n.magic.hex() + f" ({n.name})" for n in ([network] if network else NETWORKS.values()))
