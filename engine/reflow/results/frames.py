"""Results as frames, for `reflow report` and for notebooks."""

import io
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl

from reflow.amounts import VALUE_PLACES
from reflow.errors import ResultsError
from reflow.files import DIGESTS
from reflow.results.read import RUN, check_seal, read_file, read_run, read_settled
from reflow.series import parquet_table
from reflow.text import one_line, read_text

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
    Raises ResultsError naming the file that is missing or is not what its writer makes, or that is of another run.
    """
    base = Path(folder)
    run, metrics = read_settled(base, lambda: _read_results(base))
    checked, comparison, differences = _read_crosscheck(
        _place(base, crosscheck, "crosscheck.json"), base, run
    )
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


def _read_results(base: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    run = read_run(base)
    return run, _read_metrics(base / "metrics.parquet", run)


def _read_metrics(path: Path, run: dict[str, Any]) -> pl.DataFrame:
    frame = _parquet(path, read_file(path, run, "recompute", RUN), {"metric", "time", "value"})
    try:
        metrics = frame.select(
            pl.col("metric").cast(pl.String), pl.col("time").cast(pl.Date), pl.col("value").cast(_DECIMAL)
        ).sort("metric", "time")
    except pl.exceptions.PolarsError as error:
        raise ResultsError(f"{path}: not what recompute writes: {one_line(error)}") from None
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
    folder: Path | None, base: Path, run: dict[str, Any]
) -> tuple[dict[str, Any] | None, pl.DataFrame | None, pl.DataFrame | None]:
    if folder is None:
        return None, None, None
    files = {
        "crosscheck.parquet": {"metric", "layer", "verdict"},
        "differences.parquet": {"metric", "time", "ours", "vendor", "difference", "exact"},
    }
    check, (comparison, differences) = _read(folder, "crosscheck", {"verdict", "layers"}, files)
    if not _is_of(check, run):
        raise ResultsError(
            f"{folder / 'crosscheck.json'}: of another run than {base / RUN}; run crosscheck again"
        )
    return check, comparison, differences.sort("metric", "time")


def _is_of(check: dict[str, Any], run: dict[str, Any]) -> bool:
    """Whether a cross-check is of this run: it names the digests of what the run was made from, and of metrics.csv."""
    made_from, theirs = run.get("digests", {}), check.get("digests", {})
    if any(made_from[name] != theirs[name] for name in made_from.keys() & theirs.keys()):
        return False
    compared = check.get("metrics", {}).get(DIGESTS)
    return compared is None or DIGESTS not in run or compared == run[DIGESTS].get("metrics.csv")


def _read_sweep(folder: Path | None) -> tuple[dict[str, Any] | None, pl.DataFrame | None]:
    if folder is None:
        return None, None
    tried, (ranking,) = _read(folder, "sweep", {"ranking"}, {"sweep.parquet": set()})
    return tried, ranking


def _read(
    folder: Path, verb: str, keys: set[str], files: dict[str, set[str]]
) -> tuple[dict[str, Any], list[pl.DataFrame]]:
    """What a verb wrote: its JSON with these keys, and its Parquet files with these columns."""
    name = f"{verb}.json"

    def read() -> tuple[dict[str, Any], list[pl.DataFrame]]:
        content = _read_json(folder / name, keys)
        check_seal(folder / name, content, verb)
        read_files = {folder / file: read_file(folder / file, content, verb, name) for file in files}
        return content, [_parquet(path, raw, files[path.name]) for path, raw in read_files.items()]

    return read_settled(folder, read)


def _read_json(path: Path, needed: set[str]) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{path}: not JSON: {error}") from None
    keys = set(content) if isinstance(content, dict) else set()
    if missing := sorted(needed - keys):
        raise ResultsError(f"{path}: no {', '.join(missing)} in it, expected what reflow writes")
    return dict(content)


def _parquet(path: Path, content: bytes, needed: set[str]) -> pl.DataFrame:
    try:
        frame = pl.DataFrame(parquet_table(io.BytesIO(content)))
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise ResultsError(f"{path}: {error}") from None
    if missing := sorted(needed - set(frame.columns)):
        raise ResultsError(f"{path}: no column {', '.join(missing)}, expected what reflow writes")
    return frame
