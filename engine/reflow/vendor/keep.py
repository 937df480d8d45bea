"""The vendor's series in the shape of metrics.parquet, so that they are read through the same SQL."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from reflow.flows.catalog import ASSET
from reflow.vendor.files import read_vendor

_SCHEMA: Final = pa.schema(
    [("asset", pa.string()), ("time", pa.date32()), ("metric", pa.string()), ("value", pa.string())]
)


def write_vendor(source: Path, metrics: Collection[str], file: Path) -> Path:
    """Write those of `metrics` that `source` has as a Parquet file like metrics.parquet; gives its path.

    A row for every day and metric; values are plain decimals as text, for the vendor's may have any number of places.
    Raises VendorError if `source` cannot be read (see `read_vendor`).
    """
    table = read_vendor(source, metrics)
    days = sorted({day for series in table.values() for day in series})
    with pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer:
        for metric in sorted(table):
            values = [None if (v := table[metric].get(day)) is None else f"{v:f}" for day in days]
            columns = ([ASSET] * len(days), days, [metric] * len(days), values)
            arrays = [pa.array(part, field.type) for part, field in zip(columns, _SCHEMA, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA))
    return file
