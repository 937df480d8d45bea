"""The recomputations of a folder as they are now, and for a while as they were.

A snapshot is one of them: its file stays readable after a newer one has replaced it.
"""

import hashlib
import os
import sys
import tempfile
import time
import weakref
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterator
from datetime import date
from itertools import count
from pathlib import Path
from threading import Lock, RLock
from typing import Any, Final, NamedTuple

from reflow.errors import ReflowError, ResultsError
from reflow.files import DIGESTS, settle
from reflow.flows.catalog import BLOCK_COUNT
from reflow.flows.methodology import REFERENCE
from reflow.results.read import SERVED_FILES, misfit, read_run
from reflow.results.write import write_series
from reflow.serve.answer import not_supported, unavailable
from reflow.store.duckdb import DatabaseError, ParquetStore
from reflow.store.relations import METRIC_VALUE
from reflow.text import escaped, one_line
from reflow.vendor.files import read_vendor

VENDOR: Final = "vendor"
"""The name under which the vendor's own series are served."""
_DEFAULT: Final = REFERENCE.name()
"""The one that a request reads if it names none."""
KEPT_SECONDS: Final = 600
"""How long a replaced recomputation can still be read, for those who are in the middle of its pages."""
KEPT: Final = 4
"""How many replaced ones of one name at most."""
_LISTED_SECONDS: Final = 0.25
"""How old the list of what there is may be for an answer from memory; what is read from files lists anew."""
_PATIENCE: Final = 1.0
"""Seconds in which metrics.parquet and run.json must come to fit, once one of them was replaced."""
_ABSENCE: Final = 2.0
"""Seconds for which a recomputation may be missing while a writer swaps its folder; meanwhile it is served on."""
_MEMORY: Final = "512MB"
"""What the database of one snapshot may take; it has no more to hold than the rows of a few answers."""
_SETS: Final = 32
"""Sets of metrics whose days are remembered, each a date for each day of the ledger at most."""

State = tuple[tuple[int, int, int], ...]
"""Inode, size and time of change of files: it differs once one of them was replaced."""


class Span(NamedTuple):
    """First and last day on which a metric has a value."""

    first: date
    last: date


class Snapshot:
    """Reads one Parquet file through SQL.

    The file is kept open for as long as the snapshot is referred to, so that whoever holds one reads the same figures
    until it lets go, whatever is renamed over the file meanwhile.
    """

    def __init__(self, name: str, file: Path, run: dict[str, Any] | None, link: Path) -> None:
        """Open `file` by way of `link`, a path that does not exist yet and that no snapshot had before.

        Raises OSError or DatabaseError if the file cannot be read.
        """
        self.name = name
        """Of the methodology."""
        self.run = run
        """run.json; None for a vendor's series."""
        handle = self._handle = os.open(file, os.O_RDONLY)
        weakref.finalize(self, _release, handle, link)
        self._state = _state_of(os.fstat(handle))
        # The file behind a descriptor can be opened again after it has lost its name; the link gives each a name of
        # its own, because the database remembers files by name.
        link.symlink_to(f"/proc/{os.getpid()}/fd/{handle}")
        with open(handle, "rb", closefd=False) as stream:
            self.digest = hashlib.file_digest(stream, "sha256").hexdigest()
            """SHA-256 (hex) of the file."""
            self.id = self.digest[:16]
            """What the figures are: equal files have equal ids."""
        # One thread a query: answers are small, and several are made at the same time.
        self._store = ParquetStore(METRIC_VALUE, link, _MEMORY)
        found = self._store.rows("serve_metrics")
        self.spans: dict[str, Span | None] = {
            row["metric"]: Span(row["first_day"], row["last_day"]) if row["first_day"] else None
            for row in found
        }
        """Metric id to when it has values, in name order; None for one that never has."""
        self._days: OrderedDict[tuple[str, ...], list[date]] = OrderedDict()
        self._lock = Lock()

    def is_intact(self) -> bool:
        """Whether the file still is what it was: what was read since it was opened is of one recomputation."""
        return _state_of(os.fstat(self._handle)) == self._state

    def supported(self, metrics: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the metrics that have a value on some day, in name order."""
        return tuple(sorted(metric for metric in metrics if self.spans[metric]))

    def days(self, metrics: tuple[str, ...]) -> list[date]:
        """The days on which at least one of the metrics has a value, ascending."""
        with self._lock:
            if metrics in self._days:
                self._days.move_to_end(metrics)
                return self._days[metrics]
        with self._store.own() as store:
            found = [row["time"] for row in store.rows("serve_days", metrics=list(metrics))]
        with self._lock:
            self._days[metrics] = found
            while len(self._days) > _SETS:
                self._days.popitem(last=False)
        return found

    def fields(
        self, form: str, metrics: tuple[str, ...], first: date, last: date, empty: str
    ) -> list[tuple[date, str]]:
        """Each day's values as text in one of the forms `json` and `csv` (queries serve_json, serve_csv)."""
        asked = {"metrics": list(metrics), "first_day": first, "last_day": last, "empty": empty}
        with self._store.own() as store:
            return [(row["time"], row["fields"]) for row in store.rows(f"serve_{form}", **asked)]

    def days_of_heights(
        self, start: int | None, end: int | None, *, start_inclusive: bool, end_inclusive: bool
    ) -> tuple[date, date] | None:
        """The first and the last day that stand between two heights; None if none does.

        A day stands at the height of its first block. Raises KeyError without BlkCnt, from which heights are counted.
        """
        if self.spans.get(BLOCK_COUNT) is None:
            raise KeyError(BLOCK_COUNT)
        with self._store.own() as store:
            found = store.rows("serve_heights")
        days, heights = ([row[name] for row in found] for name in ("time", "first_height"))
        low = 0 if start is None else (bisect_left if start_inclusive else bisect_right)(heights, start)
        high = len(days) if end is None else (bisect_right if end_inclusive else bisect_left)(heights, end)
        return (days[low], days[high - 1]) if low < high else None


def _release(handle: int, link: Path) -> None:
    link.unlink(missing_ok=True)
    os.close(handle)


class Shelf(NamedTuple):
    """A snapshot that is current, and the state of the files that it was made from."""

    snapshot: Snapshot
    files: tuple[str, ...]
    state: State


class Library:
    """Finds recomputations by name, and opens a file again once it was replaced."""

    def __init__(self, folder: Path, vendor: Path | None = None) -> None:
        """Open everything in `folder`: one recomputation, or a folder for each; and the vendor's series, if given.

        Raises ReflowError when there is nothing, or something cannot be read.
        """
        self._folder, self._vendor = folder, vendor
        self._own = tempfile.TemporaryDirectory(prefix="reflow-serve-")
        self._numbers = count()
        self._shelves: dict[Path, Shelf] = {}
        self._missing: dict[Path, float] = {}
        self._replaced: list[tuple[float, Snapshot]] = []
        self._lock = RLock()
        self._listed = dict[str, Shelf]()
        self._found, self._looked = frozenset[Path](), 0.0
        try:
            self._open_all()
        except BaseException:
            self.close()
            raise

    def _open_all(self) -> None:
        if not self._sources():
            read_run(self._folder)  # tells what is missing
            raise ResultsError(f"{self._folder}: no metrics.parquet there, expected what recompute writes")
        self.all(strict=True)

    def close(self) -> None:
        """Let go of all files."""
        with self._lock:
            self._shelves.clear()
            self._listed.clear()
            self._replaced.clear()
            self._own.cleanup()

    def all(self, *, strict: bool = False) -> dict[str, Snapshot]:
        """Name to what is there now, the one that a request reads by default first, the vendor's series last.

        A recomputation that cannot be opened is left out, or raises ReflowError if `strict`.
        """
        found = {shelf.snapshot.name: shelf for shelf in self._current(strict=strict)}
        order = sorted(found, key=lambda name: (name == VENDOR, name != _DEFAULT, name))
        self._listed = {name: found[name] for name in order}
        return {name: found[name].snapshot for name in order}

    def get(self, name: str | None) -> Snapshot:
        """The recomputation of that name, or the default one, as it is now.

        Raises Problem: 400 if there is none of that name, 503 while there is none at all.
        """
        current = self.all()
        if not current:
            raise unavailable("There are no results now; they may be about to be replaced.")
        if name is None:
            return next(iter(current.values()))
        if name not in current:
            raise not_supported("methodology", name)
        return current[name]

    def of_id(self, name: str, id_: str) -> Snapshot | None:
        """The recomputation of that name with that id, which may have been replaced since; None if it is gone."""
        with self._lock:
            self._forget()
            replaced = [one for _, one in self._replaced if (one.name, one.id) == (name, id_)]
        current = self.get(name)
        return current if current.id == id_ else next(iter(replaced), None)

    def is_current(self, asked: str | None, name: str, id_: str) -> bool:
        """Whether `get(asked)` would still give the recomputation `name` with that id; quick.

        That its files are the same is looked up each time, that nothing was added or removed four times a second.
        """
        if time.monotonic() - self._looked > _LISTED_SECONDS:
            if self._found != self._sources().keys():
                return False
            self._looked = time.monotonic()
        listed = self._listed
        shelf = listed.get(name)
        if shelf is None or shelf.snapshot.id != id_ or (asked is None and name != next(iter(listed))):
            return False
        return _state(shelf.files) == shelf.state

    def _current(self, *, strict: bool) -> Iterator[Shelf]:
        sources = self._sources()
        self._found = frozenset(sources)
        with self._lock:
            absent = self._absent(sources)
        yield from absent
        for source, name in sources.items():
            try:
                yield self._shelf(source, name)
            except ReflowError as error:
                if strict:
                    raise
                warn(error)

    def _absent(self, sources: Collection[Path]) -> list[Shelf]:
        """What is missing among the sources, but not for long; lets go of what is missing for longer."""
        missing, now = self._shelves.keys() - sources, time.monotonic()
        self._missing = {source: self._missing.get(source, now) for source in missing}
        for source in [source for source, since in self._missing.items() if now - since > _ABSENCE]:
            self._retire(self._shelves.pop(source).snapshot)
            missing.discard(source)
        return [self._shelves[source] for source in missing]

    def _sources(self) -> dict[Path, str]:
        """What there is to be opened, with its name; empty for a single recomputation, which run.json names."""
        if _has_results(self._folder):
            found = {self._folder: ""}
        else:
            inside = sorted(path.parent for path in _run_files(self._folder))
            found = {path: path.name for path in inside if _has_results(path)}
        return found | ({self._vendor: VENDOR} if self._vendor else {})

    def _shelf(self, source: Path, name: str) -> Shelf:
        held = self._shelves.get(source)
        if held and _state(held.files) == held.state:
            return held
        with self._lock:
            files = (str(source),) if source == self._vendor else _files(source)
            held, state = self._shelves.get(source), _state(files)
            if held and state == held.state:
                return held
            try:
                opened = self._open(source, name)
            except ReflowError as error:
                if held is None:
                    raise
                warn(f"{error}; still serving the one before")
                opened = held.snapshot
            if held and opened is not held.snapshot:
                self._retire(held.snapshot)
            self._shelves[source] = Shelf(opened, files, state)
            return self._shelves[source]

    def _retire(self, snapshot: Snapshot) -> None:
        self._replaced.append((time.monotonic(), snapshot))
        self._forget()

    def _forget(self) -> None:
        now, kept = time.monotonic(), dict[str, int]()
        for at, snapshot in reversed(self._replaced[:]):
            kept[snapshot.name] = kept.get(snapshot.name, 0) + 1
            if now - at > KEPT_SECONDS or kept[snapshot.name] > KEPT:
                self._replaced.remove((at, snapshot))

    def _open(self, source: Path, name: str) -> Snapshot:
        link = Path(self._own.name) / f"{next(self._numbers)}.parquet"
        try:
            if source == self._vendor:
                ours = {metric for shelf in self._shelves.values() for metric in shelf.snapshot.spans}
                file = write_series(read_vendor(source, ours), link.with_suffix(".vendor"))
                return Snapshot(name, file, None, link)
            return _open_fitting(source, name, link)
        except (OSError, DatabaseError) as error:
            raise ResultsError(f"{source}: cannot read the recomputation: {error}") from None


def _open_fitting(folder: Path, name: str, link: Path) -> Snapshot:
    """Open a recomputation whose files belong together; they are replaced one after the other."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        run = read_run(folder)
        snapshot = Snapshot(name or run["methodology"]["name"], folder / "metrics.parquet", run, link)
        if DIGESTS in run:
            difference = "" if run[DIGESTS].get("metrics.parquet") == snapshot.digest else DIGESTS
        else:
            difference = misfit(run, link)
        if not difference and not snapshot.is_intact():
            difference = "metrics.parquet is being written"
        if not difference and run.get("metrics") != len(snapshot.spans):
            difference = "number of metrics"
        if not difference:
            return snapshot
        if time.monotonic() > deadline:
            raise ResultsError(
                f"{folder}: metrics.parquet and run.json are of different runs ({difference}): "
                "a run was interrupted or a file was changed; run recompute again"
            )
        del snapshot
        settle(folder)
        time.sleep(0.02)


def _has_results(folder: Path) -> bool:
    try:
        return all((folder / name).is_file() for name in SERVED_FILES)
    except OSError:
        return False


def _run_files(folder: Path) -> list[Path]:
    """Every run.json in a folder of the folder; none when folders go while it is looked through."""
    try:
        return list(folder.glob("*/run.json"))
    except OSError:
        return []


def _files(folder: Path) -> tuple[str, ...]:
    return tuple(str(folder / name) for name in SERVED_FILES)


def _state(files: tuple[str, ...]) -> State:
    try:
        return tuple(map(_state_of, map(os.stat, files)))
    except OSError:
        return ()


def _state_of(file: os.stat_result) -> tuple[int, int, int]:
    return file.st_ino, file.st_size, file.st_mtime_ns


def warn(what: object) -> None:
    """One line on stderr, for the operator."""
    print("reflow:", escaped(one_line(what)), file=sys.stderr, flush=True)
