"""What a disk may hold after the power failed, worked out from the shim's journal of a killed process.

A write that no fsync of its file followed may be there, be there in part (a whole number of sectors from its start), or
not at all, each on its own: so order is not kept either. Names (made, replaced, removed) are kept in order, as
journals of file systems do, but those after the last fsync of a folder may be lost from any one on. Stricter than
most file systems: fsync of a file is not taken to keep its name.
"""

import os
import random
import shutil
import struct
from pathlib import Path
from typing import Final, NamedTuple

SECTOR: Final = 512
_HEAD: Final = struct.Struct("<iiqqqqq")
_WRITE, _SYNC, _TRUNCATE, _RENAME, _UNLINK, _CREATE, _RMDIR = range(1, 8)


class _Record(NamedTuple):
    kind: int
    path: str
    inode: int
    offset: int
    size_before: int
    old: bytes
    new: bytes


def lose_power(journal: Path, folder: Path, chance: random.Random) -> int:
    """Take back what `chance` says was lost of what the journal tells; gives how many writes and names were."""
    records = _read(journal)
    lost = _lose_data(records, _inodes(folder, Path(f"{journal}.saves")), chance)
    return lost + _lose_names(records, Path(f"{journal}.saves"), chance)


def _read(journal: Path) -> list[_Record]:
    data, at, records = journal.read_bytes(), 0, []
    while at + _HEAD.size <= len(data):
        kind, path_size, inode, offset, before, old_size, new_size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        pieces = []
        for size in (path_size, old_size, new_size):
            pieces.append(data[at : at + size])
            at += size
        if at > len(data):
            break  # killed while it was noted: not carried out
        records.append(_Record(kind, os.fsdecode(pieces[0]), inode, offset, before, pieces[1], pieces[2]))
    return records


def _inodes(*folders: Path) -> dict[int, Path]:
    files = (path for folder in folders for path in folder.rglob("*"))
    return {path.lstat().st_ino: path for path in files if path.is_file() and not path.is_symlink()}


def _lose_data(records: list[_Record], paths: dict[int, Path], chance: random.Random) -> int:
    unsynced: dict[int, list[_Record]] = {}
    for record in records:
        if record.kind == _SYNC:
            unsynced.pop(record.inode, None)
        elif record.kind in (_WRITE, _TRUNCATE):
            unsynced.setdefault(record.inode, []).append(record)
    lost = 0
    for inode, changes in unsynced.items():
        if inode not in paths:
            continue
        kept = chance.choice([0.0, 0.5, 0.9])
        with paths[inode].open("r+b", buffering=0) as file:
            for change in reversed(changes):
                file.seek(change.offset)
                file.write(change.old)
                file.truncate(change.size_before)
            for change in changes:
                if chance.random() >= kept:
                    lost += 1
                elif change.kind == _TRUNCATE:
                    file.truncate(change.offset)
                else:
                    size = len(change.new)
                    if chance.random() < 0.2:
                        size = chance.randrange(0, size + 1, SECTOR)
                        lost += 1
                    file.seek(change.offset)
                    file.write(change.new[:size])
    return lost


def _lose_names(records: list[_Record], saves: Path, chance: random.Random) -> int:
    names: list[_Record] = []
    for record in records:
        if record.kind == _SYNC and Path(record.path).is_dir():
            names.clear()
        elif record.kind in (_RENAME, _UNLINK, _CREATE, _RMDIR):
            names.append(record)
    lost = names[chance.randint(0, len(names)) :]
    for record in reversed(lost):
        _take_back(record, saves)
    return len(lost)


def _take_back(record: _Record, saves: Path) -> None:
    save = saves / str(record.offset)
    if record.kind == _CREATE:
        path = Path(record.path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    elif record.kind == _RMDIR:
        Path(record.path).mkdir(exist_ok=True)
    elif record.kind == _UNLINK:
        if record.offset > 0 and not os.path.lexists(record.path):
            os.link(save, record.path, follow_symlinks=False)
    else:
        source, target = map(Path, record.path.split("\n"))
        if os.path.lexists(target) and not os.path.lexists(source):
            target.rename(source)
            if record.offset > 0:
                os.link(save, target, follow_symlinks=False)
