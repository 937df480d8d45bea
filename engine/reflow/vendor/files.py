"""Read a vendor's daily series, in whatever form they were saved: the content decides, not the name.

- wide CSV or Parquet: `time`, then a column for each metric; csv/btc.csv of coinmetrics/data as it is;
- long CSV or Parquet: `time`, `metric`, `value`;
- JSON of the vendor's API: a page (`{"data": [...]}`), several pages after each other, or one row a line.

A column `asset` may be there: rows of other assets are left out. Columns that end in `-status` or
`-status-time` say how final a value is, and are left out too.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from reflow.errors import VendorError
from reflow.flows.catalog import ASSET
from reflow.series import Table, csv_lines, parquet_rows, parse_day, parse_number, read_parquet
from reflow.text import BadTextError, is_utf8, listed, open_regular, read_text, shortened, shown

_STATUS: Final = ("-status", "-status-time")
_LONG: Final = frozenset({"metric", "value"})
_KEYS: Final = ("time", "asset")
_PARQUET_MAGIC: Final = b"PAR1"
_HEAD: Final = 4096
_WHITE: Final = re.compile(r"[ \t\r\n]+")
_BLANK: Final = b" \t\r\n\xef\xbb\xbf"

_Parsed = TypeVar("_Parsed")


class _Row(NamedTuple):
    """One row of a table."""

    where: str
    """Its place, such as `line 7`."""
    cells: dict[str, Any]
    """Column to what stands there; text in a CSV."""


class Vendor(NamedTuple):
    """A vendor's series, and what came with them."""

    table: Table
    unread: list[str]
    """Metrics that nobody asked for, sorted."""
    source: str
    """The file, or the server."""
    digest: str
    """SHA-256 (hex) of what was compared: equal series have equal digests, whatever form they came in."""


def read_vendor(path: Path, metrics: Collection[str] | None = None) -> Table:
    """The vendor's series by metric id; only of `metrics`, if given. See `read_vendor_file` for what is raised."""
    return read_vendor_file(path, metrics).table


def read_vendor_file(path: str | Path, metrics: Collection[str] | None = None) -> Vendor:
    """The vendor's series with what else was in the file; only `metrics` are read, if given.

    A number keeps every digit that it has in the file; an empty cell and null are None.
    Raises VendorError naming the file and the line (CSV) or row (JSON, Parquet): unreadable file, no column `time`,
    a day twice, text where a number belongs, not a UTC day, no row of bitcoin.
    """
    file = Path(path)
    wanted: Callable[[str], bool] = (lambda _: True) if metrics is None else set(metrics).__contains__
    try:
        table, unread = _collect(file, wanted)
    except ValueError as error:
        raise VendorError(f"{file}, {error}") from None
    except OSError as error:
        raise VendorError(f"{file}: cannot read the vendor's series: {error.strerror or error}") from None
    return Vendor(table, unread, str(file), digest(table))


def digest(table: Table) -> str:
    """SHA-256 (hex) of the series: metrics and days sorted, numbers by value."""
    hasher = hashlib.sha256()
    for metric in sorted(table):
        for day, value in sorted(table[metric].items()):
            text = "" if value is None else f"{value.normalize():f}" if value else "0"
            hasher.update(f"{metric},{day},{text}\n".encode())
    return hasher.hexdigest()


def _collect(file: Path, wanted: Callable[[str], bool]) -> tuple[Table, list[str]]:
    columns, rows = _open_table(file)
    if "time" not in columns and columns:
        raise VendorError(f"{file}, line 1: no column time, found {listed(columns)}")
    collector = _Collector(file, wanted)
    for row in _of_bitcoin(file, rows):
        collector.add(row)
    return collector.table, sorted(collector.unread)


def _of_bitcoin(file: Path, rows: Iterator[_Row]) -> Iterator[_Row]:
    others: dict[str, None] = {}
    is_empty = True
    for row in rows:
        asset = row.cells.get("asset", ASSET)
        if asset == ASSET:
            is_empty = False
            yield row
        else:
            others[shortened(asset) if isinstance(asset, str) else shown(asset)] = None
    if is_empty:
        instead = f"only of {listed(others)}" if others else "none at all"
        raise VendorError(f"{file}: no row of {ASSET}, {instead}")


def _name(where: str, value: object) -> str:
    if not isinstance(value, str) or not is_utf8(value):
        raise VendorError(f"{where}: metric {shown(value)}, expected the id of a metric")
    return value


def _parsed(where: str, parse: Callable[[object], _Parsed], value: object) -> _Parsed:
    try:
        return parse(value)
    except ValueError as error:
        raise VendorError(f"{where} {error}") from None


class _Collector:
    """Puts rows together, wide or long, and notices what comes twice."""

    def __init__(self, file: Path, wanted: Callable[[str], bool]) -> None:
        self.table: Table = {}
        self.unread: set[str] = set()
        self._file = file
        self._wanted = wanted
        self._seen: dict[tuple[str, date], str] = {}

    def add(self, row: _Row) -> None:
        where = f"{self._file}, {row.where}"
        if "time" not in row.cells:
            raise VendorError(f"{where}: no time, found {listed(row.cells) or 'nothing'}")
        day = _parsed(f"{where}: time", parse_day, row.cells["time"])
        long = row.cells.keys() >= _LONG
        metric = _name(where, row.cells["metric"]) if long else ""
        self._see(row.where, metric, day)
        values: Mapping[str, object] = {metric: row.cells["value"]} if long else row.cells
        for metric, value in values.items():
            if metric in _KEYS or metric.endswith(_STATUS):
                continue
            if not is_utf8(metric):
                raise VendorError(f"{where}: metric {shown(metric)}, expected text in UTF-8")
            if self._wanted(metric):
                number = _parsed(f"{where}: {shortened(metric)}", parse_number, value)
                self.table.setdefault(metric, {})[day] = number
            else:
                self.unread.add(metric)

    def _see(self, where: str, metric: str, day: date) -> None:
        if (metric, day) in self._seen:
            what = f"{day} of {shortened(metric)}" if metric else str(day)
            raise VendorError(
                f"{self._file}, {where}: {what} a second time, first in {self._seen[metric, day]}"
            )
        self._seen[metric, day] = where


def _open_table(file: Path) -> tuple[list[str], Iterator[_Row]]:
    """The columns (none are known of JSON before it is read) and the rows.

    Raises VendorError naming file and line for what is not such a file, OSError for what cannot be read.
    """
    with open_regular(file) as stream:
        head = stream.read(_HEAD).lstrip(_BLANK)
    if head.startswith(_PARQUET_MAGIC):
        return _open_parquet(file)
    if head[:1] in (b"{", b"["):
        return [], _json_rows(file)
    return _open_csv(file)


def _open_csv(file: Path) -> tuple[list[str], Iterator[_Row]]:
    rows = ((f"line {number}", [cell.strip() for cell in row]) for number, row in csv_lines(file))
    header = next(rows, ("line 1", []))[1]
    if len(set(header)) < len(header):
        twice = next(name for name, number in Counter(header).items() if number > 1)
        raise VendorError(f"{file}, line 1: column {shown(twice)} twice")
    if not header:
        raise VendorError(f"{file}: empty, expected a column time and metrics")
    return header, (
        _Row(where, dict(zip(header, row, strict=True))) for where, row in _even(file, header, rows)
    )


def _even(
    file: Path, header: list[str], rows: Iterator[tuple[str, list[str]]]
) -> Iterator[tuple[str, list[str]]]:
    for where, row in rows:
        if len(row) != len(header):
            raise VendorError(f"{file}, {where}: {len(row)} cells, expected {len(header)}")
        yield where, row


def _open_parquet(file: Path) -> tuple[list[str], Iterator[_Row]]:
    table = read_parquet(file)
    rows = (_Row(f"row {number}", cells) for number, cells in enumerate(parquet_rows(table), start=1))
    return table.schema.names, rows


def _json_rows(file: Path) -> Iterator[_Row]:
    """Rows of pages, of lists, or by themselves, one document after the other."""
    number = 0
    for where, document in _json_documents(file):
        rows = document.get("data", [document]) if isinstance(document, dict) else document
        if isinstance(document, dict) and "error" in document:
            said = shown(document["error"])
            raise VendorError(f"{file}, {where}: the vendor's error instead of series: {said}")
        for row in rows if isinstance(rows, list) else [rows]:
            number += 1
            if not isinstance(row, dict):
                raise VendorError(f"{file}, {where}: row {number} is {shown(row)}, expected an object")
            yield _Row(f"row {number}", row)


def _json_documents(file: Path) -> Iterator[tuple[str, Any]]:
    """JSON values after each other with any white space between, numbers as text so that no digit is lost."""
    try:
        text = read_text(file)
    except BadTextError as error:
        raise VendorError(f"{file}, line {error.line}: not JSON text: {error}") from None
    decoder = json.JSONDecoder(
        parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_each_once
    )
    line, end = 1, 0
    place = _skip_blank(text, 0)
    while place < len(text):
        line += text.count("\n", end, place)
        end = place
        try:
            document, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise VendorError(f"{file}, line {error.lineno}: not JSON: {error.msg}") from None
        except RecursionError:
            raise VendorError(f"{file}, line {line}: JSON nested too deeply for series") from None
        except ValueError as error:
            raise VendorError(f"{file}, line {line}: {error}") from None
        yield f"line {line}", document
        place = _skip_blank(text, place)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dictionary. Raises ValueError for a key that it has twice."""
    cells = dict(pairs)
    if len(cells) < len(pairs):
        twice = next(name for name, number in Counter(name for name, _ in pairs).items() if number > 1)
        raise ValueError(f"{shown(twice)} twice in one object")
    return cells


def _skip_blank(text: str, place: int) -> int:
    match = _WHITE.match(text, place)
    return match.end() if match else place
