"""Write a recomputation: metrics.csv (wide), metrics.parquet (long) and run.json, all three or none."""

import platform
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import reflow
from reflow.amounts import VALUE_PLACES, plain
from reflow.errors import OutputError
from reflow.files import Manifest, write_together
from reflow.flows.catalog import ASSET as ASSET
from reflow.flows.recompute import Recomputation
from reflow.flows.values import Values
from reflow.series import Table

_DECIMAL: Final = pa.decimal128(38, VALUE_PLACES)
_LARGEST: Final = 10**38 - 1
_SCHEMA: Final = pa.schema(
    [("asset", pa.string()), ("time", pa.date32()), ("metric", pa.string()), ("value", _DECIMAL)]
)
_METRICS_IN_ROW_GROUP: Final = 64


def write(result: Recomputation, out_dir: str | Path) -> list[Path]:
    """Write the three files into `out_dir`, made if need be; gives their paths.

    - metrics.csv: `time` (YYYY-MM-DD), then one column per metric id; plain decimals, null is an empty cell.
    - metrics.parquet: asset, time (DATE), metric, value DECIMAL(38,18); a row for every day and metric, nulls
      included, sorted by metric and time. Its metadata has the digests of run.json: whoever reads both while they
      are being replaced can tell whether they belong together.
    - run.json: what was computed from what (`facts`), `sha256` of the other two, and a `seal` over the rest of it;
      everything but `seconds` is the same for the same input.

    The files replace older ones only when all of them are written and on disk (`reflow.files`). Raises OutputError when
    that cannot be done.
    """
    writers = {
        "metrics.csv": partial(_write_csv, result),
        "metrics.parquet": partial(_write_parquet, result),
    }
    return write_together(out_dir, writers, Manifest("run.json", facts(result)))


def write_series(table: Table, file: Path) -> Path:
    """Write series of somebody else's in the shape of metrics.parquet, so that both are read alike; gives the path.

    A row for every day and metric; values are plain decimals as text, for theirs may have any number of places.
    """
    schema = _SCHEMA.set(_SCHEMA.get_field_index("value"), pa.field("value", pa.string()))
    days = sorted({day for series in table.values() for day in series})
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for metric in sorted(table):
            values = [None if (value := table[metric].get(day)) is None else f"{value:f}" for day in days]
            columns = ([ASSET] * len(days), days, [metric] * len(days), values)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return file


def facts(result: Recomputation) -> dict[str, object]:
    """The content of run.json, but for the digests of the files beside it."""
    clusters, methodology = result.clusters, result.methodology
    return {
        "network": result.network,
        "tip": {"height": result.tip.height, "hash": result.tip.hash.hex()},
        "digests": _digests(result),
        "methodology": {"name": methodology.name(), **methodology.parameters()},
        "first_day": str(result.days[0]) if result.days else None,
        "last_day": str(result.days[-1]) if result.days else None,
        "metrics": len(result.metrics),
        "selected": [metric.id for metric in result.metrics] if result.selected else None,
        "exchanges_left_out": result.left_out,
        "exchanges": {
            code: {"labelled": clusters.labelled[code], "accounts": clusters.accounts[code]}
            for code in clusters.accounts
        },
        "closure": {"rounds": clusters.rounds, "conflicts": clusters.conflicts},
        "versions": {
            "reflow": reflow.__version__,
            "duckdb": version("duckdb"),
            "polars": pl.__version__,
            "python": platform.python_version(),
        },
        "seconds": result.seconds,
    }


def _digests(result: Recomputation) -> dict[str, str]:
    return {
        "ledger": result.ledger_digest,
        "labels": result.label_digest,
        "exchange_accounts": result.clusters.digest,
        "prices": result.price_digest,
        "methodology": result.methodology.digest(),
    }


def _write_csv(result: Recomputation, path: Path) -> None:
    with path.open("w", encoding="ascii", newline="\n") as stream:
        stream.write(",".join(["time", *(metric.id for metric in result.metrics)]) + "\n")
        columns = [result.values[metric.id] for metric in result.metrics]
        for day, row in zip(result.days, zip(*columns, strict=True), strict=True):
            stream.write(
                ",".join([str(day), *("" if value is None else plain(value, VALUE_PLACES) for value in row)])
                + "\n"
            )


def _write_parquet(result: Recomputation, path: Path) -> None:
    ids = sorted(metric.id for metric in result.metrics)
    with pq.ParquetWriter(path, _SCHEMA.with_metadata(_digests(result)), compression="zstd") as writer:
        for start in range(0, len(ids), _METRICS_IN_ROW_GROUP):
            writer.write_table(_long(result, ids[start : start + _METRICS_IN_ROW_GROUP]))


def _long(result: Recomputation, ids: Sequence[str]) -> pa.Table:
    days = len(result.days)
    values: Values = [value for metric in ids for value in result.values[metric]]
    columns = [
        pa.array([ASSET] * len(values), pa.string()),
        pa.array(result.days * len(ids), pa.date32()),
        pa.array(np.repeat(np.array(ids, dtype=object), days), pa.string()),
        _decimals(values),
    ]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def _decimals(values: Values) -> pa.Array:
    """Integers of 10**-18 as decimals, without a detour over text: Arrow keeps a decimal as its 128-bit integer."""
    if too_large := [value for value in values if value is not None and abs(value) > _LARGEST]:
        value = plain(too_large[0], VALUE_PLACES)
        raise OutputError(
            f"a value of {value}, expected at most 20 digits before the point: check the prices"
        )
    raw = b"".join((value or 0).to_bytes(16, "little", signed=True) for value in values)
    has_value = np.array([value is not None for value in values], np.bool_)
    valid = np.packbits(has_value, bitorder="little").tobytes()
    return pa.Array.from_buffers(_DECIMAL, len(values), [pa.py_buffer(valid), pa.py_buffer(raw)])
