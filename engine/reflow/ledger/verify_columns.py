"""Columns of the ledger as arrays, for the checks: rows as they are stored, bytes of one width side by side."""

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reflow.ledger.faults import Faults
from reflow.store.resources import query

Longs = NDArray[np.int64]


def read(con: duckdb.DuckDBPyConnection, name: str, first: int, last: int) -> pa.Table:
    """The answer of a query about a range."""
    return con.sql(query(name), params={"first": first, "last": last}).to_arrow_table()


def longs(table: pa.Table, name: str) -> Longs:
    """A column of numbers or days; days count from 1970-01-01."""
    column = table.column(name)
    if pa.types.is_date32(column.type):
        column = column.cast(pa.int32()).cast(pa.int64())
    return np.ascontiguousarray(column.to_numpy(), np.int64)


def hashes(table: pa.Table, name: str, faults: Faults, fault: Any) -> NDArray[np.uint8]:
    """A column of hashes as (rows, 32). One of another length is cut or filled up, and told by `fault(row, length)`."""
    parts = [_side_by_side(part) for part in table.column(name).chunks]
    if all(part is not None for part in parts):
        return np.concatenate([np.empty((0, 32), np.uint8), *(part for part in parts if part is not None)])
    values = [bytes(value) for value in table.column(name).to_pylist()]
    sizes = np.array([len(value) for value in values])
    faults.add_each(sizes != 32, lambda row: fault(row, int(sizes[row])))
    return np.frombuffer(b"".join(value[:32].ljust(32, b"\0") for value in values), np.uint8).reshape(-1, 32)


def _side_by_side(part: pa.Array) -> NDArray[np.uint8] | None:
    """The bytes where they lie, if each value has 32; casts in Arrow take each value on its own."""
    _, offsets, data = part.buffers()
    bounds = np.frombuffer(offsets, np.int32)[part.offset : part.offset + len(part) + 1]
    if len(part) == 0 or np.any(np.diff(bounds) != 32):
        return None if len(part) else np.empty((0, 32), np.uint8)
    return np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]].reshape(-1, 32)
