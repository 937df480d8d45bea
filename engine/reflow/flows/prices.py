"""Daily prices from a CSV or Parquet file with the columns `time` and `PriceUSD`, as exact decimals.

The vendor's btc.csv works as it is. On a day without a price USD metrics are null, never
zero.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from reflow.errors import PriceError
from reflow.series import csv_lines, number_of, parquet_rows, parse_day, read_parquet
from reflow.text import listed, open_regular, shortened, shown

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
        with open_regular(file) as stream:
            parquet = stream.read(4) == _PARQUET_MAGIC
        cells = _parquet_cells(file) if parquet else _csv_cells(file)
        return prices_of(_collect(cells))
    except ValueError as error:
        raise PriceError(f"{file}, {error}") from None
    except OSError as error:
        raise PriceError(f"{file}: cannot read prices: {error.strerror or error}") from None


def _collect(cells: Iterable[tuple[str, str, str]]) -> dict[date, Decimal]:
    """Cells are (where, time, price) as text; an empty price is no price, but its day still counts as seen."""
    usd: dict[date, Decimal] = {}
    seen: dict[date, str] = {}
    for where, when, price in cells:
        try:
            day = parse_day(when)
        except ValueError as error:
            raise ValueError(f"{where}: time {error}") from None
        if day in seen:
            raise ValueError(f"{where}: {day} a second time, first in {seen[day]}")
        seen[day] = where
        if price:
            usd[day] = _price(where, price)
    return usd


def _price(where: str, text: str) -> Decimal:
    try:
        price = number_of(text)
    except ValueError as error:
        raise ValueError(f"{where}: PriceUSD {error}") from None
    if price < 0:
        raise ValueError(f"{where}: PriceUSD {shortened(text)}, expected zero or more")
    return price.copy_abs()  # abs() would round


def _csv_cells(file: Path) -> Iterator[tuple[str, str, str]]:
    lines = csv_lines(file)
    _, header = next(lines, (1, []))
    _require(header)
    columns = [header.index(name) for name in _COLUMNS]
    for number, row in lines:
        if len(row) <= max(columns):
            raise ValueError(f"line {number}: {len(row)} columns, expected {len(header)}")
        yield f"line {number}", row[columns[0]].strip(), row[columns[1]].strip()


def _parquet_cells(file: Path) -> Iterator[tuple[str, str, str]]:
    for row, cells in enumerate(parquet_rows(read_parquet(file, _COLUMNS)), start=1):
        yield f"row {row}", _time_text(cells["time"]), _price_text(cells["PriceUSD"])


def _require(columns: Sequence[str]) -> None:
    for name in _COLUMNS:
        if name not in columns:
            raise ValueError(f"line 1: no column {name}, found {listed(columns) or 'none'}")
        if columns.count(name) > 1:
            raise ValueError(f"line 1: column {name} twice")


def _time_text(value: object) -> str:
    if isinstance(value, datetime):
        midnight = value.time() == time() and not (value.utcoffset() or None)
        return str(value.date()) if midnight else value.isoformat()
    return "" if value is None else str(value).strip() if isinstance(value, str | date) else shown(value)


def _price_text(value: object) -> str:
    """The price as text; NaN means no price, as in frames without nulls."""
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return ""
    if isinstance(value, list | dict | bytes):
        return shown(value)
    return format(value, "f") if isinstance(value, Decimal) else str(value).strip()


def _canonical(price: Decimal) -> str:
    text = format(price, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text or "0"
