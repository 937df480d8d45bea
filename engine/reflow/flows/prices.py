"""Daily prices from a CSV or Parquet file with the columns `time` and `PriceUSD`, as exact decimals.

The vendor's btc.csv works as it is. On a day without a price USD metrics are null, never
zero.
"""

import csv
import hashlib
import math
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from reflow.errors import PriceError
from reflow.series import NUMBER as NUMBER
from reflow.series import day_of

_COLUMNS: Final = ("time", "PriceUSD")
_PARQUET_MAGIC: Final = b"PAR1"


class Prices(NamedTuple):
    """USD for one native unit, by UTC day."""

    usd: dict[date, Decimal]
    digest: str
    """SHA-256 (hex) of the days and prices: equal prices have equal digests, whatever the file format."""


def prices_of(usd: dict[date, Decimal]) -> Prices:
    """Prices from a dictionary of UTC days."""
    lines = (f"{day},{_canonical(usd[day])}\n" for day in sorted(usd))
    return Prices(dict(sorted(usd.items())), hashlib.sha256("".join(lines).encode()).hexdigest())


def read_prices(path: str | Path) -> Prices:
    """Read a price file; other columns are ignored and an empty price means that the day has none.

    Text keeps every digit; a binary float counts as the shortest decimal that gives it back.
    Raises PriceError naming file and line (CSV) or row (Parquet): unreadable file, missing column, text
    where a number belongs, negative price, not a UTC day, a day twice.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            parquet = stream.read(4) == _PARQUET_MAGIC
        cells = _parquet_cells(file) if parquet else _csv_cells(file)
        return prices_of(_collect(file, cells))
    except OSError as error:
        raise PriceError(f"{file}: cannot read prices: {error.strerror or error}") from None


def _collect(file: Path, cells: Iterable[tuple[str, str, str]]) -> dict[date, Decimal]:
    """Cells are (where, time, price) as text; an empty price is no price, but its day still counts as seen."""
    usd: dict[date, Decimal] = {}
    seen: dict[date, str] = {}
    for where, when, price in cells:
        day = day_of(when)
        if day is None:
            raise PriceError(f"{file}, {where}: time {when!r}, expected a UTC day such as 2010-07-18")
        if day in seen:
            raise PriceError(f"{file}, {where}: {day} a second time, first in {seen[day]}")
        seen[day] = where
        if price:
            usd[day] = _price(file, where, price)
    return usd


def _price(file: Path, where: str, text: str) -> Decimal:
    if not NUMBER.fullmatch(text):
        raise PriceError(f"{file}, {where}: PriceUSD {text!r}, expected a number")
    price = Decimal(text)
    if price < 0:
        raise PriceError(f"{file}, {where}: PriceUSD {text}, expected zero or more")
    return price


def _csv_cells(file: Path) -> Iterator[tuple[str, str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        try:
            header = next(reader, [])
            _require(file, header)
            columns = [header.index(name) for name in _COLUMNS]
            for row in reader:
                where = f"line {reader.line_num}"
                if not row:
                    continue
                if len(row) <= max(columns):
                    raise PriceError(f"{file}, {where}: {len(row)} columns, expected {len(header)}")
                yield where, row[columns[0]].strip(), row[columns[1]].strip()
        except (csv.Error, UnicodeDecodeError) as error:
            raise PriceError(f"{file}, line {reader.line_num + 1}: not CSV text: {error}") from None


def _parquet_cells(file: Path) -> Iterator[tuple[str, str, str]]:
    try:
        _require(file, pl.read_parquet_schema(file))
        frame = pl.read_parquet(file, columns=list(_COLUMNS))
    except pl.exceptions.PolarsError as error:
        raise PriceError(f"{file}: not a Parquet file: {' '.join(str(error).split())}") from None
    single = frame.schema["PriceUSD"] == pl.Float32
    for row, (when, price) in enumerate(frame.iter_rows(), start=1):
        yield (
            f"row {row}",
            _time_text(when),
            _price_text(np.float32(price) if single and price is not None else price),
        )


def _require(file: Path, columns: Iterable[str]) -> None:
    found = list(columns)
    for name in _COLUMNS:
        if name not in found:
            raise PriceError(f"{file}, line 1: no column {name}, found {', '.join(found) or 'none'}")


def _time_text(value: object) -> str:
    if isinstance(value, datetime):
        midnight = value.time() == time() and not (value.utcoffset() or None)
        return str(value.date()) if midnight else value.isoformat()
    return "" if value is None else str(value).strip()


def _price_text(value: object) -> str:
    """The price as text; NaN means no price, as in frames without nulls."""
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return ""
    return format(value, "f") if isinstance(value, Decimal) else str(value).strip()


def _canonical(price: Decimal) -> str:
    text = format(price, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text or "0"
