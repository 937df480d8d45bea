"""Daily series as exact decimals by UTC day, whoever they come from: the files that have them, and their cells.

A cell says a day or a number. Files of series are CSV or Parquet here; both are read within limits, whoever made them.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from reflow.text import MOST_BYTES, check_size, listed, one_line, open_regular, shortened, shown

if TYPE_CHECKING:
    import pyarrow as pa

Series = dict[date, Decimal | None]
"""UTC day to value, in the metric's unit (native, USD, count, bytes, ratio); None where there is none."""

Table = dict[str, Series]
"""Metric id to its series."""

EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])
"""Adds and multiplies decimals of any length without rounding; not for division."""
MOST_DIGITS: Final = 100
"""Of a number, before its point and after it, written without an exponent."""
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
"""A decimal number as text; not a number and infinity are none."""
_LONGEST_NUMBER: Final = 2 * MOST_DIGITS + 8
_DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]00:00(?::00(?:\.0{1,9})?)?(?:Z|\+00:?00)?)?", re.ASCII)
_ROWS: Final = 10_000
"""Of a Parquet file, at a time as Python objects."""
MOST_CELLS: Final = 200_000_000
"""Of a Parquet file, whose few bytes may stand for any number of equal cells."""
_EMPTY: Final = ("", "null")


class Binary(Decimal):
    """A binary float of 64 bits, as the shortest decimal that gives it back; its last digits are not exact."""


def decimals(value: Decimal) -> int:
    """Number of digits after the point as printed: 2 for 1.50, 0 for 150 and for 1.5E+2."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "not a number"
    return max(0, -exponent)


def day_of(text: str) -> date | None:
    """The UTC day that a time stands for: a date, or a date and its midnight; None for any other text."""
    match = _DAY.fullmatch(text)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def parse_day(value: object) -> date:
    """The UTC day of a `time` cell: a date, or its midnight, with as many digits of a second as there are.

    Raises ValueError, with what was found and expected, for anything else.
    """
    text = "" if value is None else str(value).strip() if isinstance(value, str | date) else shown(value)
    if isinstance(value, datetime):
        is_midnight = value.time() == time() and not (value.utcoffset() or None)
        text = str(value.date()) if is_midnight else value.isoformat()
    day = day_of(text)
    if day is None:
        raise ValueError(f"{shown(text)}, expected a UTC day such as 2010-07-18")
    return day


def number_of(text: str) -> Decimal:
    """The number that a text is, with every digit it has.

    Raises ValueError, with what was found and expected, for other text, infinity, and more than MOST_DIGITS.
    """
    if len(text) > _LONGEST_NUMBER and _NUMBER.fullmatch(text):
        raise ValueError(f"{shown(text)}, {_TOO_LONG}")
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{shown(text)}, expected a number")
    number = Decimal(text)
    if len(text) <= MOST_DIGITS and "e" not in text and "E" not in text:
        return number
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "not a number"
    if -exponent > MOST_DIGITS or exponent >= MOST_DIGITS or number.adjusted() >= MOST_DIGITS:
        raise ValueError(f"{shown(text)}, {_TOO_LONG}")
    return number


_TOO_LONG: Final = f"expected at most {MOST_DIGITS} digits before the point and {MOST_DIGITS} after it"


def parse_number(value: object) -> Decimal | None:
    """The number in a cell with every digit it has, zeros at the end of text too; None for an empty cell.

    A decimal of a fixed number of places, as Parquet has them, counts without the zeros that fill it up; a float of 64
    bits is a `Binary`, one of 32 bits the shortest decimal that gives it back.
    Raises ValueError, with what was found and expected, for text, lists, true and false, for what is infinite, and for
    more than MOST_DIGITS.
    """
    if isinstance(value, list | dict | bytes):
        raise ValueError(f"{shown(value)}, expected a number")
    text = "" if value is None else str(value).strip()
    if text in _EMPTY:
        return None
    if isinstance(value, Decimal) and value.is_finite():
        text = f"{value.normalize(EXACT):f}"
    return Binary(number_of(text)) if type(value) is float else number_of(text)


def csv_lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    """(number of the line, cells) of each line of a CSV file that is not empty.

    Raises OSError whose `strerror` is made for a message, and ValueError with line and reason: not UTF-8, not CSV.
    """
    with open_regular(file) as binary:
        check_size(binary, MOST_BYTES)
        yield from csv_rows(binary)


def csv_rows(binary: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """As `csv_lines`, of a file that is open. Raises ValueError with line and reason."""
    number = 0
    text = io.TextIOWrapper(binary, "utf-8-sig", newline="")
    reader = csv.reader(text)
    try:
        for row in reader:
            number = reader.line_num
            if row:
                yield number, row
    except csv.Error as error:
        raise ValueError(f"line {number + 1}: not CSV: {error}") from None
    except UnicodeDecodeError:
        binary.seek(0)
        raise ValueError(f"line {_line_not_utf8(binary)}: not UTF-8") from None
    finally:
        text.detach()  # who opened the file closes it


def _line_not_utf8(binary: BinaryIO) -> int:
    number = 1
    for line in binary:
        try:
            line.decode()
        except UnicodeDecodeError:
            break
        number += 1
    return number


def read_parquet(file: Path, columns: Sequence[str] | None = None) -> "pa.Table":
    """A Parquet file as a table, only `columns` of it, if given.

    Raises OSError whose `strerror` is made for a message, and ValueError as `parquet_table` does.
    """
    with open_regular(file) as binary:
        check_size(binary, MOST_BYTES)
        return parquet_table(binary, columns)


def parquet_table(binary: BinaryIO, columns: Sequence[str] | None = None) -> "pa.Table":
    """As `read_parquet`, of a file that is open.

    Raises ValueError with the reason: not Parquet, damaged, a column that is not there or twice, more than MOST_CELLS.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(binary)
        names = parquet.schema_arrow.names
        if len(set(names)) < len(names):
            raise ValueError("a column twice")
        for name in columns or ():
            if name not in names:
                raise ValueError(f"no column {name}, found {listed(names) or 'none'}")
        wanted = list(columns or names)
        if parquet.metadata.num_rows * max(1, len(wanted)) > MOST_CELLS:
            raise ValueError(f"more than {MOST_CELLS:,} cells, the most that is read of such a file")
        table = parquet.read(columns=wanted)
        if table.column_names != wanted:  # columns that are not there are left out without a word
            raise ValueError("its columns have other names than its schema says")
        table.validate(full=True)
        return table
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"not a Parquet file: {_short_line(error)}") from None


def parquet_rows(table: "pa.Table") -> Iterator[dict[str, Any]]:
    """Column to cell of each row; a float of 32 bits stays one, for as another it would have digits that it does not.

    Raises ValueError for a date that no calendar has.
    """
    import numpy as np
    import pyarrow as pa

    single = [field.name for field in table.schema if field.type == pa.float32()]
    exact = [
        field.with_type(pa.timestamp("us", field.type.tz)) if _is_ns(field.type) else field
        for field in table.schema
    ]
    try:
        for batch in table.cast(pa.schema(exact), safe=False).to_batches(_ROWS):
            for cells in batch.to_pylist():
                for name in single:
                    cells[name] = None if cells[name] is None else np.float32(cells[name])
                yield cells
    except (pa.ArrowException, OverflowError, ValueError) as error:
        raise ValueError(f"not such a Parquet file: {_short_line(error)}") from None


def _is_ns(kind: "pa.DataType") -> bool:
    """Nanoseconds, which Python's times do not have."""
    import pyarrow as pa

    return bool(pa.types.is_timestamp(kind) and kind.unit == "ns")


def _short_line(error: Exception) -> str:
    return shortened(one_line(error), 200)
