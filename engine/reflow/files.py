"""Result files: several at once, all of them or none, and one run at a time in a folder.

How files of one run come into a folder (`write_together`):

1. The folder is locked, so that one run writes there at a time (`hold`).
2. Each file is written under a name that nothing else has, is flushed to disk, and its SHA-256 is taken.
3. The last file is the manifest, such as run.json: it states the SHA-256 of the others, and has a seal over itself.
4. A journal with the names and digests of all of them is written and flushed: from here on the run counts.
5. The files get their names, one by one, the manifest last. Then the journal is removed.

Killed before 4, a run has changed nothing. Killed after it, the next run into the folder, or the next reader, gives the
rest of the files their names (`tidy`). Whoever reads without that finds files that do not have the manifest's digests.
"""

import csv
import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, NamedTuple

from reflow.errors import OutputError
from reflow.text import csv_cell

Writer = Callable[[Path], object]
"""Writes one file at the path that it is given."""

DIGESTS: Final = "sha256"
"""Key of a manifest: name to SHA-256 (hex) of each other file of the run."""
SEAL: Final = "seal"
"""Key of a manifest: SHA-256 (hex) over the rest of it."""
SECONDS: Final = "seconds"
"""Key of a manifest that the seal leaves out, so that the same input gives the same seal."""

PATIENCE = 2.0
"""Seconds to wait for a folder in which another run is writing: enough for one that only puts files in place."""
_LONGEST_NAME: Final = 200
"""Bytes of a name; file systems have 255, of which names of unfinished files need some."""
_UNFINISHED: Final = re.compile(r"\.reflow-([0-9a-f]{16})(\.journal|-.+)", re.DOTALL)
_WITHOUT_LOCKS: Final = (errno.ENOLCK, errno.EBADF, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
"""What a file system says that has no locks, or no fsync, for folders."""

_HELD: ContextVar[frozenset[Path]] = ContextVar("folders that are locked here", default=frozenset())


class Manifest(NamedTuple):
    """The file that says what the others are: its facts, to which digests and seal are added."""

    name: str
    facts: Mapping[str, Any]


def write_together(
    folder: str | Path, writers: Mapping[str, Writer | None], manifest: Manifest | None = None
) -> list[Path]:
    """Make the files `writers` (name to what writes it) in `folder`, which is made if need be; gives their paths.

    They replace older ones only when all of them are written and on disk; an older file whose writer is None is removed
    then. The `manifest` is the last. Raises OutputError when that cannot be done, or when another run is writing
    into the folder.
    """
    base = Path(folder)
    everything: dict[str, Writer | None] = dict(writers)
    digests: dict[str, str] = {}
    if manifest is not None:
        everything[manifest.name] = lambda part: part.write_text(
            _sealed(manifest.facts, digests), encoding="utf-8", errors="backslashreplace"
        )
    if len(everything) > 1:  # a single one has the name that the user chose
        _check_names(base, everything)
    with hold(base):
        try:
            _write(base, everything, digests, manifest)
        except OSError as error:
            raise OutputError(f"{base}: cannot write the results: {error.strerror or error}") from None
    return [base / name for name, writer in everything.items() if writer]


def _check_names(base: Path, names: Iterable[str]) -> None:
    for name in names:
        if reason := bad_name(name):
            raise OutputError(f"{base}: cannot write a file called {name!r} there, {reason}")
        if (base / name).is_dir():
            raise OutputError(f"{base}: cannot write the results: {name} is a folder there")


def _write(
    base: Path, writers: Mapping[str, Writer | None], digests: dict[str, str], manifest: Manifest | None
) -> None:
    token, begun = secrets.token_hex(8), list[str]()
    removed = [name for name, writer in writers.items() if writer is None]
    removed += _replaced(base, manifest, writers) if manifest else []
    try:
        for name, writer in writers.items():
            if writer is not None:
                writer(_part(base, token, name))
                digests[name] = _flush(_part(base, token, name))
        if len(writers) > 1:
            journal = _journal(base, token)
            journal.write_text(_sealed({"removed": removed}, digests), encoding="utf-8")
            _flush(journal)
        _flush_folder(base)
        _name(base, token, digests, removed, begun)
    except BaseException:
        if not begun:
            _drop(base, token)
        raise


def _replaced(base: Path, manifest: Manifest, names: Iterable[str]) -> list[str]:
    """What an older run has in the folder that must go: its files that this run does not make, if nobody changed them.

    Its manifest too where that has no digests (of an older version): it would fit whatever comes beside it.
    """
    try:
        older = json.loads((base / manifest.name).read_text(encoding="utf-8"))
        digests = dict(older[DIGESTS]) if seal_of(older) == older[SEAL] else {}
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return [manifest.name]
    gone = {name: base / name for name in digests if name not in names and not bad_name(name)}
    return [name for name, path in gone.items() if path.is_file() and _digest(path) == digests[name]]


def _name(base: Path, token: str, names: Iterable[str], removed: Iterable[str], begun: list[str]) -> None:
    """Give files their names; `begun` has those for which it is done, also if it ends in an error."""
    for name in removed:
        with suppress(FileNotFoundError):
            (base / name).unlink()
            begun.append(name)
    for name in names:
        _part(base, token, name).replace(base / name)
        begun.append(name)
    _flush_folder(base)
    _journal(base, token).unlink(missing_ok=True)


def tidy(base: Path) -> None:
    """Finish what runs that were killed have left in a folder that is held; remove it where they had not got so far."""
    unfinished = [found for path in base.iterdir() if (found := _UNFINISHED.fullmatch(path.name))]
    for token in sorted({found[1] for found in unfinished}):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            plan = json.loads(_journal(base, token).read_text(encoding="utf-8"))
            names = [name for name in plan[DIGESTS] if _part(base, token, name).exists()]
            removed = [name for name in plan["removed"] if name in names or name not in plan[DIGESTS]]
            fits = all(_digest(_part(base, token, name)) == plan[DIGESTS][name] for name in names)
            if fits and seal_of(plan) == plan[SEAL] and not any(map(bad_name, [*names, *removed])):
                _name(base, token, names, removed, [])
        _drop(base, token)


def _drop(base: Path, token: str) -> None:
    """Remove the unfinished files of a run, the journal first: without it they are nothing."""
    with suppress(OSError):
        _journal(base, token).unlink(missing_ok=True)
        for path in base.iterdir():
            if path.name.startswith(f".reflow-{token}-"):
                path.unlink(missing_ok=True)


def _part(base: Path, token: str, name: str) -> Path:
    return base / f".reflow-{token}-{name}"


def _journal(base: Path, token: str) -> Path:
    return base / f".reflow-{token}.journal"


def _sealed(facts: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    content = json.loads(json.dumps({**facts, DIGESTS: dict(digests)}, default=str))
    return json.dumps(content | {SEAL: seal_of(content)}, indent=2, ensure_ascii=False) + "\n"


def seal_of(content: Mapping[str, Any]) -> str:
    """The seal of a manifest that was read: SHA-256 (hex) of everything in it but `seal` and `seconds`."""
    covered = {key: value for key, value in content.items() if key not in (SEAL, SECONDS)}
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()


def _flush(path: Path) -> str:
    """Bring a file to disk; gives its SHA-256 (hex)."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush_folder(folder: Path) -> None:
    """Bring the names in a folder to disk, where the file system can."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
    finally:
        os.close(handle)


@contextmanager
def hold(*folders: str | Path, patience: float | None = None) -> Iterator[None]:
    """Keep other runs from writing into `folders` while the block runs; each is made if need be.

    What killed runs left there is finished or removed first. A folder that is made and gets no file is removed again.
    The lock is the kernel's, on the folder itself: it leaves no file, and ends with the process. Raises OutputError if
    a folder cannot be written to, or if another run is writing there and goes on for `patience` seconds (PATIENCE).
    """
    with ExitStack() as stack:
        for folder in folders:
            stack.enter_context(_hold(Path(folder), PATIENCE if patience is None else patience))
        yield


@contextmanager
def _hold(base: Path, patience: float) -> Iterator[None]:
    check_folder(base)
    place = base.resolve()
    if place in _HELD.get():
        yield
        return
    made: list[Path] = []
    try:
        handle = _lock(base, patience, made)
    except OSError as error:
        _remove_empty(made)
        raise OutputError(f"{base}: cannot write the results: {error.strerror or error}") from None
    before = _HELD.set(_HELD.get() | {place})
    try:
        if handle is not None:
            with suppress(OSError):
                tidy(base)
        yield
    finally:
        _HELD.reset(before)
        _remove_empty(made)
        if handle is not None:
            os.close(handle)


def _lock(base: Path, patience: float, made: list[Path]) -> int | None:
    """A descriptor of the folder, which is locked by it; None where the file system has no locks for folders."""
    deadline = time.monotonic() + patience
    while True:
        made += _make(base)
        handle = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), base.stat()):
                    return handle  # else another run, which made the folder, has removed it
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(handle)
                raise OutputError(
                    f"{base}: another run is writing there: wait until it ends, or name another folder"
                ) from None
        except OSError as error:
            os.close(handle)
            if error.errno in _WITHOUT_LOCKS:
                return None
            raise
        os.close(handle)
        time.sleep(0.02)


def _make(base: Path) -> list[Path]:
    """Make a folder, with those above it; gives the new ones, outermost first."""
    new = [folder for folder in (base, *base.parents) if not folder.exists()][::-1]
    base.mkdir(parents=True, exist_ok=True)
    for folder in new:
        _flush_folder(folder.parent)
    return new


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()


def settle(folder: Path) -> bool:
    """Finish what a killed run has left in a folder; False if another run is writing there, or nobody can."""
    try:
        if folder.is_dir():
            with hold(folder, patience=0):
                pass
        return True
    except OutputError:
        return False


def check_folder(folder: str | Path) -> None:
    """Raise OutputError before long work if results cannot be written into `folder`; nothing is made yet."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise OutputError(
            f"{folder}: cannot write the results: {place} is not a folder that can be written to"
        )


def bad_name(name: str) -> str:
    """Why a name from outside can be no file or folder of its own; empty if it can."""
    if not name or name.startswith("."):
        return "expected a name that does not begin with a dot"
    if "/" in name or "\\" in name or not name.isprintable():
        return "expected a name without slashes and control characters"
    if len(name.encode()) > _LONGEST_NAME:
        return f"expected a name of at most {_LONGEST_NAME} bytes"
    return ""


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV file in UTF-8 with Unix line ends; None is an empty field, and no cell is a spreadsheet's formula."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(map(csv_cell, header))
        writer.writerows(map(csv_cell, row) for row in rows)
