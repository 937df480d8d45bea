"""Read a folder of results: its metrics, and run.json with their inputs.

Files of a run are read only if they have the digests that its manifest states (`read_file`, `check_seal`). A manifest
without digests, made by hand or by an older version, is taken at its word.
"""

import hashlib
import io
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from reflow.errors import ResultsError
from reflow.files import DIGESTS, SEAL, seal_of, settle
from reflow.series import Series, Table, csv_rows, parse_day, parse_number
from reflow.text import MOST_BYTES, check_size, one_line, open_regular, read_text

RUN: Final = "run.json"
"""The manifest of what recompute wrote."""
T = TypeVar("T")
_PATIENCE: Final = 1.0
"""Seconds to wait while another process may be putting a new run in place."""
SERVED_FILES: Final = ("metrics.parquet", "run.json")
"""What a server reads of a folder that recompute wrote."""


class Results(NamedTuple):
    """A folder with metrics.csv and run.json."""

    folder: Path
    name: str
    """Of the methodology: a preset's, or `custom`."""
    run: dict[str, Any]
    """run.json."""
    metrics: Table


def read_results(folder: str | Path, metrics: Collection[str] | None = None) -> Results:
    """The results that recompute wrote into `folder`; only `metrics`, if given.

    Raises ResultsError where there are none, or more than one (a folder for each methodology), where one of the
    files is damaged, and where they are not of one run.
    """
    base = Path(folder)

    def read() -> Results:
        run = _read_run(base)
        content = read_file(base / "metrics.csv", run, "recompute", RUN)
        return Results(base, run["methodology"]["name"], run, _parse(base / "metrics.csv", content, metrics))

    return read_settled(base, read)


def read_settled(folder: Path, read: Callable[[], T]) -> T:
    """What `read` gives. If it fails, what a killed run left in the folder is finished, and it reads again.

    While another run is writing there, it is tried again for a second. Raises the ResultsError of the last attempt.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return read()
        except ResultsError:
            if settle(folder):
                return read()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def read_file(file: Path, manifest: Mapping[str, Any], verb: str, name: str) -> bytes:
    """The content of a file of the run that `manifest` (called `name`, of `verb`) is of.

    Raises ResultsError if it cannot be read, or does not have the digest that the manifest states.
    """
    try:
        with open_regular(file) as stream:
            check_size(stream, MOST_BYTES)
            content = stream.read()
    except OSError as error:
        raise ResultsError(f"{file}: cannot be read: {error.strerror or error}") from None
    if DIGESTS in manifest and manifest[DIGESTS].get(file.name) != hashlib.sha256(content).hexdigest():
        raise ResultsError(not_of_the_run(file, verb, name))
    return content


def not_of_the_run(file: Path, verb: str, name: str) -> str:
    """What to say of a file that does not have the digest which the manifest `name` states."""
    return (
        f"{file}: not of the run in {name}: a run was interrupted or the file was changed; run {verb} again"
    )


def check_seal(path: Path, content: dict[str, Any], verb: str) -> None:
    """Raise ResultsError if a manifest is not as `verb` wrote it; one without both digests and seal is let pass."""
    sealed = content.keys() & {DIGESTS, SEAL}
    if sealed and (
        len(sealed) < 2 or seal_of(content) != content[SEAL] or type(content[DIGESTS]) is not dict
    ):
        raise ResultsError(f"{path}: not as {verb} wrote it: the file was changed; run {verb} again")


def _parse(file: Path, content: bytes, metrics: Collection[str] | None) -> Table:
    """The series in a metrics.csv, every digit of them; only `metrics`, if given.

    Raises ResultsError naming the file, and the line, for what recompute does not write.
    """
    rows = _rows(file, content)
    where, header = next(rows, ("line 1", []))
    if header[:1] != ["time"] or len(set(header)) < len(header):
        raise ResultsError(
            f"{file}, {where}: {','.join(header)[:80]!r}, expected time and metrics, each once"
        )
    table: Table = {metric: Series() for metric in header[1:] if metrics is None or metric in metrics}
    days = set()
    for where, row in rows:
        if len(row) != len(header):
            raise ResultsError(f"{file}, {where}: {len(row)} cells, expected {len(header)}")
        try:
            day = parse_day(row[0])
            for metric, cell in zip(header, row, strict=True):
                if metric in table:
                    table[metric][day] = parse_number(cell)
        except ValueError as error:
            raise ResultsError(f"{file}, {where}: {error}") from None
        if day in days:
            raise ResultsError(f"{file}, {where}: {day} a second time")
        days.add(day)
    if not days:
        raise ResultsError(f"{file}: no day in it, expected one complete day at least")
    return table


def _rows(file: Path, content: bytes) -> Iterator[tuple[str, list[str]]]:
    try:
        for number, row in csv_rows(io.BytesIO(content)):
            yield f"line {number}", row
    except ValueError as error:
        raise ResultsError(f"{file}: not what recompute writes: {error}") from None


def read_run(folder: str | Path) -> dict[str, Any]:
    """run.json of a folder that recompute wrote.

    Raises ResultsError where there is none, or more than one (a folder for each methodology), and where it is damaged.
    """
    base = Path(folder)
    return read_settled(base, lambda: _read_run(base))


def _read_run(base: Path) -> dict[str, Any]:
    try:
        run = json.loads(read_text(base / RUN))
        run["methodology"]["name"] = str(run["methodology"]["name"])
    except FileNotFoundError:
        raise ResultsError(f"{base}: no run.json there, {_expected(base)}") from None
    except OSError as error:
        raise ResultsError(f"{base}: cannot read run.json: {error.strerror or error}") from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ResultsError(f"{base / RUN}: not what recompute writes: {error}") from None
    check_seal(base / RUN, run, "recompute")
    return dict(run)


def _expected(base: Path) -> str:
    inside = sorted(path.parent.name for path in base.glob("*/run.json"))
    if inside:
        return f"expected one of the folders in it: {', '.join(inside)}"
    return "expected a folder that `reflow recompute --out` wrote"


def misfit(run: dict[str, Any], parquet: Path) -> str:
    """The first digest in which run.json and metrics.parquet differ; empty if they belong together.

    For a run.json that has no digests of files. Raises ResultsError for a file that is none of Parquet.
    """
    try:
        written = pq.read_schema(parquet).metadata or {}
    except pa.ArrowException as error:
        raise ResultsError(f"{parquet}: not what recompute writes: {one_line(error)}") from None
    digests: dict[str, str] = run.get("digests", {})
    differ = [name for name, digest in digests.items() if written.get(name.encode(), b"").decode() != digest]
    return f"digest of {differ[0]}" if differ else ""
