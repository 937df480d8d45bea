"""Results as frames, for `reflow report` and for notebooks."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl

from reflow.amounts import VALUE_PLACES
from reflow.errors import ResultsError
from reflow.results.read import read_run

_DECIMAL: Final = pl.Decimal(38, VALUE_PLACES)


class Frames(NamedTuple):
    """A run and, where they were made, its cross-check and its sweep."""

    folder: Path
    run: dict[str, Any]
    """run.json."""
    metrics: pl.DataFrame
    """One row for each metric and day, in order of both: metric, time (Date), value (Decimal of 18 places, in the
    metric's unit; null is not computable)."""
    crosscheck: dict[str, Any] | None
    """crosscheck.json: verdict, layers, settings, digests, worst days."""
    comparison: pl.DataFrame | None
    """crosscheck.parquet: one row a metric, the fields of `reflow.crosscheck.compare.Comparison`."""
    differences: pl.DataFrame | None
    """differences.parquet: metric, time, ours, vendor, difference (ours minus the vendor's), exact (whether they are
    equal as far as the vendor's has digits), of the days in both."""
    sweep: dict[str, Any] | None
    """sweep.json: ranking, what each single change moves, variants that the data cannot tell apart."""
    ranking: pl.DataFrame | None
    """sweep.parquet: one row for each methodology and metric, in the order of the ranking."""

    def span(self) -> tuple[date, date]:
        """First and last day of the metrics."""
        days = self.metrics["time"]
        first, last = days.min(), days.max()
        assert isinstance(first, date), "read_frames takes no empty ones"
        assert isinstance(last, date)
        return first, last


def read_frames(
    folder: str | Path, *, crosscheck: str | Path | None = None, sweep: str | Path | None = None
) -> Frames:
    """Read a folder that recompute wrote, with the results of crosscheck and sweep from the folders given.

    Without these two, results that lie in `folder` itself are taken, if there are any.
    Raises ResultsError naming the file that is missing or is not what its writer makes.
    """
    base = Path(folder)
    run = read_run(base)
    metrics = _read_metrics(base / "metrics.parquet")
    checked, comparison, differences = _read_crosscheck(_place(base, crosscheck, "crosscheck.json"))
    tried, ranking = _read_sweep(_place(base, sweep, "sweep.json"))
    return Frames(
        base,
        run,
        metrics,
        checked,
        comparison,
        differences,
        tried,
        ranking,
    )


def _read_metrics(path: Path) -> pl.DataFrame:
    frame = _read_parquet(path, {"metric", "time", "value"})
    try:
        metrics = frame.select(
            pl.col("metric").cast(pl.String), pl.col("time").cast(pl.Date), pl.col("value").cast(_DECIMAL)
        ).sort("metric", "time")
    except pl.exceptions.PolarsError as error:
        raise ResultsError(f"{path}: not what recompute writes: {' '.join(str(error).split())}") from None
    if metrics.is_empty():
        raise ResultsError(f"{path}: no day in it, expected one complete day at least")
    days = metrics["time"].unique().sort()
    counts = metrics.group_by("metric").agg(pl.col("time").n_unique(), rows=pl.len())
    gaps = days[-1] - days[0] != timedelta(len(days) - 1)
    if gaps or counts.filter(pl.any_horizontal(pl.col("time", "rows") != len(days))).height:
        raise ResultsError(f"{path}: days are missing or there twice, expected every metric on every day")
    return metrics


def _place(base: Path, named: str | Path | None, file: str) -> Path | None:
    """The folder with results of another verb: the one that was named, or this one if they are in it."""
    if named is not None:
        return Path(named)
    return base if (base / file).exists() else None


def _read_crosscheck(
    folder: Path | None,
) -> tuple[dict[str, Any] | None, pl.DataFrame | None, pl.DataFrame | None]:
    if folder is None:
        return None, None, None
    check = _read_json(folder / "crosscheck.json", {"verdict", "layers"})
    comparison = _read_parquet(folder / "crosscheck.parquet", {"metric", "layer", "verdict"})
    differences = _read_parquet(
        folder / "differences.parquet", {"metric", "time", "ours", "vendor", "difference", "exact"}
    )
    return check, comparison, differences.sort("metric", "time")


def _read_sweep(folder: Path | None) -> tuple[dict[str, Any] | None, pl.DataFrame | None]:
    if folder is None:
        return None, None
    return _read_json(folder / "sweep.json", {"ranking"}), _read_parquet(folder / "sweep.parquet", set())


def _read_json(path: Path, needed: set[str]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise ResultsError(f"{path}: not JSON: {error}") from None
    keys = set(content) if isinstance(content, dict) else set()
    if missing := sorted(needed - keys):
        raise ResultsError(f"{path}: no {', '.join(missing)} in it, expected what reflow writes")
    return dict(content)


def _read_parquet(path: Path, needed: set[str]) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(path)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from None
    except pl.exceptions.PolarsError as error:
        raise ResultsError(f"{path}: not a Parquet file: {' '.join(str(error).split())}") from None
    if missing := sorted(needed - set(frame.columns)):
        raise ResultsError(f"{path}: no column {', '.join(missing)}, expected what reflow writes")
    return frame
