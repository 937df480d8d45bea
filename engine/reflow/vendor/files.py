"""Read a vendor's daily series, in whatever form they were saved: the content decides, not the name.

- wide CSV or Parquet: `time`, then a column for each metric; csv/btc.csv of coinmetrics/data as it is;
- long CSV or Parquet: `time`, `metric`, `value`;
- JSON of the vendor's API: a page (`{"data": [...]}`), several pages after each other, or one row a line.

A column `asset` may be there: rows of other assets are left out. Columns that end in `-status` or
`-status-time` say how final a value is, and are left out too.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from reflow.errors import VendorError
from reflow.flows.catalog import ASSET
from reflow.vendor import cells
from reflow.vendor.series import Table
from reflow.vendor.tables import Row, open_table

_STATUS: Final = ("-status", "-status-time")
_LONG: Final = frozenset({"metric", "value"})
_KEYS: Final = ("time", "asset")


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
    columns, rows = open_table(file)
    if "time" not in columns and columns:
        raise VendorError(f"{file}, line 1: no column time, found {', '.join(columns)}")
    collector = _Collector(file, wanted)
    for row in _of_bitcoin(file, rows):
        collector.add(row)
    return collector.table, sorted(collector.unread)


def _of_bitcoin(file: Path, rows: Iterator[Row]) -> Iterator[Row]:
    others: dict[str, None] = {}
    found = False
    for row in rows:
        asset = row.cells.get("asset", ASSET)
        if asset == ASSET:
            found = True
            yield row
        else:
            others[str(asset)] = None
    if not found:
        told = f"only of {', '.join(others)}" if others else "none at all"
        raise VendorError(f"{file}: no row of {ASSET}, {told}")


class _Collector:
    """Puts rows together, wide or long, and notices what comes twice."""

    def __init__(self, file: Path, wanted: Callable[[str], bool]) -> None:
        self.table: Table = {}
        self.unread: set[str] = set()
        self._file = file
        self._wanted = wanted
        self._seen: dict[tuple[str, date], str] = {}

    def add(self, row: Row) -> None:
        where = f"{self._file}, {row.where}"
        if "time" not in row.cells:
            raise VendorError(f"{where}: no time, found {', '.join(row.cells) or 'nothing'}")
        day = cells.day(where, row.cells["time"])
        long = row.cells.keys() >= _LONG
        self._see(row.where, str(row.cells["metric"]) if long else "", day)
        values: Mapping[str, object] = {str(row.cells["metric"]): row.cells["value"]} if long else row.cells
        for metric, value in values.items():
            if metric in _KEYS or metric.endswith(_STATUS):
                continue
            if self._wanted(metric):
                self.table.setdefault(metric, {})[day] = cells.number(where, metric, value)
            else:
                self.unread.add(metric)

    def _see(self, where: str, metric: str, day: date) -> None:
        if (metric, day) in self._seen:
            what = f"{day} of {metric}" if metric else str(day)
            raise VendorError(
                f"{self._file}, {where}: {what} a second time, first in {self._seen[metric, day]}"
            )
        self._seen[metric, day] = where
