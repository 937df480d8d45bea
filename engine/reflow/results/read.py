"""Read a folder of results: its metrics, and run.json with their inputs."""

import csv
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from reflow.errors import ResultsError
from reflow.series import Series, Table, parse_day, parse_number

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

    Raises ResultsError where there are none, or more than one (a folder for each methodology), and where one of the
    files is damaged.
    """
    run = read_run(folder)
    table = read_metrics(Path(folder) / "metrics.csv", metrics)
    return Results(Path(folder), run["methodology"]["name"], run, table)


def read_metrics(file: Path, metrics: Collection[str] | None = None) -> Table:
    """The series in a metrics.csv, every digit of them; only `metrics`, if given.

    Raises ResultsError naming the file, and the line, for what recompute does not write.
    """
    rows = _rows(file)
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


def _rows(file: Path) -> Iterator[tuple[str, list[str]]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            for row in reader:
                if row:
                    yield f"line {reader.line_num}", row
    except OSError as error:
        raise ResultsError(f"{file}: cannot be read: {error.strerror or error}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise ResultsError(f"{file}: not what recompute writes: {error}") from None


def read_run(folder: str | Path) -> dict[str, Any]:
    """run.json of a folder that recompute wrote.

    Raises ResultsError where there is none, or more than one (a folder for each methodology).
    """
    base = Path(folder)
    try:
        run = json.loads((base / "run.json").read_text(encoding="utf-8"))
        run["methodology"]["name"] = str(run["methodology"]["name"])
    except FileNotFoundError:
        raise ResultsError(f"{base}: no run.json there, {_expected(base)}") from None
    except OSError as error:
        raise ResultsError(f"{base}: cannot read run.json: {error.strerror or error}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ResultsError(f"{base / 'run.json'}: not what recompute writes: {error}") from None
    return dict(run)


def _expected(base: Path) -> str:
    inside = sorted(path.parent.name for path in base.glob("*/run.json"))
    if inside:
        return f"expected one of the folders in it: {', '.join(inside)}"
    return "expected a folder that `reflow recompute --out` wrote"


def misfit(run: dict[str, Any], parquet: Path) -> str:
    """The first digest in which run.json and metrics.parquet differ; empty if they belong together.

    They are replaced one after the other, so that a reader may meet one of each run. Raises ResultsError for a file
    that is none of Parquet.
    """
    try:
        written = pq.read_schema(parquet).metadata or {}
    except pa.ArrowException as error:
        raise ResultsError(f"{parquet}: not what recompute writes: {' '.join(str(error).split())}") from None
    digests: dict[str, str] = run.get("digests", {})
    differ = [name for name, digest in digests.items() if written.get(name.encode(), b"").decode() != digest]
    return f"digest of {differ[0]}" if differ else ""
