"""A file of rows with named cells, opened by its content: CSV, Parquet, or JSON as the vendor's API gives it."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from reflow.errors import VendorError

_PARQUET_MAGIC: Final = b"PAR1"
_HEAD: Final = 4096
_BLANK: Final = b" \t\r\n\xef\xbb\xbf"


class Row(NamedTuple):
    """One row of a table."""

    where: str
    """Its place, such as `line 7`."""
    cells: dict[str, Any]
    """Column to what stands there; text in a CSV."""


def open_table(file: Path) -> tuple[list[str], Iterator[Row]]:
    """The columns (none are known of JSON before it is read) and the rows.

    Raises VendorError naming file and line for what is not such a file, OSError for what cannot be read.
    """
    with file.open("rb") as stream:
        head = stream.read(_HEAD).lstrip(_BLANK)
    if head.startswith(_PARQUET_MAGIC):
        return _open_parquet(file)
    if head[:1] in (b"{", b"["):
        return [], _json_rows(file)
    return _open_csv(file)


def _open_csv(file: Path) -> tuple[list[str], Iterator[Row]]:
    rows = _csv_lines(file)
    header = next(rows, ("line 1", []))[1]
    if len(set(header)) < len(header):
        twice = next(name for place, name in enumerate(header) if name in header[:place])
        raise VendorError(f"{file}, line 1: column {twice!r} twice")
    if not header:
        raise VendorError(f"{file}: empty, expected a column time and metrics")
    return header, (
        Row(where, dict(zip(header, row, strict=True))) for where, row in _even(file, header, rows)
    )


def _csv_lines(file: Path) -> Iterator[tuple[str, list[str]]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        try:
            for row in reader:
                if row:
                    yield f"line {reader.line_num}", [cell.strip() for cell in row]
        except csv.Error as error:
            raise VendorError(f"{file}, line {reader.line_num + 1}: not CSV: {error}") from None
        except UnicodeDecodeError:
            raise VendorError(f"{file}: neither CSV in UTF-8 nor JSON nor Parquet") from None


def _even(
    file: Path, header: list[str], rows: Iterator[tuple[str, list[str]]]
) -> Iterator[tuple[str, list[str]]]:
    for where, row in rows:
        if len(row) != len(header):
            raise VendorError(f"{file}, {where}: {len(row)} cells, expected {len(header)}")
        yield where, row


def _open_parquet(file: Path) -> tuple[list[str], Iterator[Row]]:
    try:
        frame = pl.read_parquet(file)
    except pl.exceptions.PolarsError as error:
        raise VendorError(f"{file}: not a Parquet file: {' '.join(str(error).split())}") from None
    single = [name for name, type_ in frame.schema.items() if type_ == pl.Float32]
    return frame.columns, _parquet_rows(frame, single)


def _parquet_rows(frame: pl.DataFrame, single: list[str]) -> Iterator[Row]:
    for number, cells in enumerate(frame.iter_rows(named=True), start=1):
        for name in single:  # as a Python float it would have digits that the file does not
            cells[name] = None if cells[name] is None else np.float32(cells[name])
        yield Row(f"row {number}", cells)


def _json_rows(file: Path) -> Iterator[Row]:
    """Rows of pages, of lists, or by themselves, one document after the other."""
    number = 0
    for where, document in _json_documents(file):
        rows = document.get("data", [document]) if isinstance(document, dict) else document
        if isinstance(document, dict) and "error" in document:
            raise VendorError(f"{file}, {where}: the vendor's error instead of series: {document['error']}")
        for row in rows if isinstance(rows, list) else [rows]:
            number += 1
            if not isinstance(row, dict):
                raise VendorError(f"{file}, {where}: row {number} is {row!r}, expected an object")
            yield Row(f"row {number}", row)


def _json_documents(file: Path) -> Iterator[tuple[str, Any]]:
    """JSON values after each other with any white space between, numbers as text so that no digit is lost."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise VendorError(f"{file}: not JSON text: {error}") from None
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
    place = _skip_blank(text, 0)
    while place < len(text):
        line = text.count("\n", 0, place) + 1
        try:
            document, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise VendorError(f"{file}, line {error.lineno}: not JSON: {error.msg}") from None
        except RecursionError:
            raise VendorError(f"{file}, line {line}: JSON nested too deeply for series") from None
        yield f"line {line}", document
        place = _skip_blank(text, place)


def _skip_blank(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place
