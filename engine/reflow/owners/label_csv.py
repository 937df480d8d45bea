"""Label files in CSV: `address,entity[,category]`, with optional columns that people keep beside a fact."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from reflow.errors import LabelError
from reflow.network import Network
from reflow.owners.label import EXCHANGE, Label, make_label

REQUIRED: Final = ("address", "entity")
KNOWN: Final = (*REQUIRED, "category", "name", "source", "confidence")


def read_csv(path: Path, text: str, network: Network) -> Iterator[Label | LabelError]:
    """The labels of a CSV text in file order, and a LabelError in place of each line that is wrong.

    Blank lines and lines that begin with `#` are skipped. Without a `category`, or with an empty one, a label
    is an exchange's. The columns `name`, `source` and `confidence` are for people and are not read.
    """
    for row in read_rows(path, text, REQUIRED, KNOWN):
        if isinstance(row, LabelError):
            yield row
            continue
        place, fields = row
        kind = fields.get("category", "").strip().lower()
        yield make_label(
            place, fields["address"].strip(), fields["entity"].strip(), kind or EXCHANGE, network
        )


def read_rows(
    path: Path, text: str, required: Sequence[str], known: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]] | LabelError]:
    """(place, column to field) of each line of a CSV text with a header, a LabelError for one that is wrong.

    A header without a `required` column, or with one that is not `known`, is the only thing that is told.
    """
    records = _records(path, text)
    header = next(records, None)
    if header is None or isinstance(header, LabelError):
        form = ",".join(required) + ("[,category]" if "category" in known else "")
        yield header or LabelError(f"{path}: empty, expected a header line: {form}")
        return
    place, columns = header[0], [column.strip() for column in header[1]]
    if fault := _header_fault(columns, required, known):
        yield LabelError(f"{place}: {fault}")
        return
    for record in records:
        if isinstance(record, LabelError):
            yield record
        elif len(record[1]) != len(columns):
            found = f"{record[0]}: {len(record[1])} fields"
            yield LabelError(f"{found}, expected {len(columns)} ({','.join(columns)})")
        else:
            yield record[0], dict(zip(columns, record[1], strict=True))


def _records(path: Path, text: str) -> Iterator[tuple[str, list[str]] | LabelError]:
    """(place, fields) of each record; a quoted field may run over several lines and have `#` in it."""
    number, first = 0, 0  # the line read last, and the one that the record began with

    def lines() -> Iterator[str]:
        nonlocal number, first
        for number, line in enumerate(io.StringIO(text, newline=""), start=1):
            if first or not (line.isspace() or line.startswith("#")):
                first = first or number
                yield line

    reader = csv.reader(lines(), strict=True)
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            yield LabelError(f"{path}:{first}: not CSV: {error}")
            fields = []
        if fields is None:
            return
        if fields:
            yield f"{path}:{first}", fields
        first = 0


def _header_fault(columns: list[str], required: Sequence[str], known: Sequence[str]) -> str | None:
    unknown = [column for column in columns if column not in known]
    if unknown:
        return f"unknown column {unknown[0]!r}, expected {', '.join(known)}"
    missing = [column for column in required if column not in columns]
    if missing:
        return f"no column {missing[0]!r}, found {', '.join(columns)}"
    repeated = [column for column in columns if columns.count(column) > 1]
    return f"column {repeated[0]!r} twice" if repeated else None
