"""A sweep as files and frames: sweep.json with everything, sweep.csv and sweep.parquet with a row a score."""

import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import polars as pl

import reflow
from reflow.crosscheck.compare import Difference, layer_of
from reflow.files import Manifest, write_together
from reflow.flows.catalog import Layer
from reflow.flows.methodology import ALLOWED
from reflow.sweeps.distance import Distance, Score
from reflow.sweeps.ranking import SingleChange, Variant, name_of
from reflow.sweeps.sweep import SweepResult

_SCORES: Final[dict[str, Any]] = {
    "rank": pl.Int32,
    "group": pl.Int32,
    "name": pl.String,
    "digest": pl.String,
    **dict.fromkeys(ALLOWED, pl.String),
    "overall_distance": pl.Float64,
    "overall_shape": pl.Float64,
    "metric": pl.String,
    "layer": pl.Int8,
    "days": pl.Int64,
    "days_off": pl.Int64,
    "deviation": pl.Float64,
    "distance": pl.Float64,
    "shape": pl.Float64,
    "worst_day": pl.Date,
    "worst_ours": pl.String,
    "worst_vendor": pl.String,
}
_CHANGES: Final[dict[str, Any]] = {
    "base": pl.String,
    "parameter": pl.String,
    "value": pl.String,
    "name": pl.String,
    "metric": pl.String,
    "distance": pl.Float64,
    "shape": pl.Float64,
    "moved": pl.Boolean,
}


def write_sweep(result: SweepResult, out_dir: str | Path) -> list[Path]:
    """Write the three files into `out_dir`, made if need be; gives their paths.

    - sweep.json: `facts`.
    - sweep.csv and sweep.parquet: `scores_frame`.

    The same input gives the same files. They replace older files only when all are written. Raises OutputError if they
    cannot be written.
    """
    frame, parquet = scores_frame(result), io.BytesIO()
    frame.write_parquet(parquet, compression="zstd")
    writers = {
        "sweep.csv": lambda path: path.write_text(frame.write_csv(), encoding="utf-8"),
        "sweep.parquet": lambda path: path.write_bytes(parquet.getvalue()),
    }
    *others, manifest = write_together(out_dir, writers, Manifest("sweep.json", facts(result)))
    return [manifest, *others]


def scores_frame(result: SweepResult) -> pl.DataFrame:
    """A row for every methodology and compared metric, in the order of ranking and catalogue.

    rank, group, name, digest and the parameters of the methodology, its overall scores, then the metric with its layer,
    days compared, days off, deviation, distance and shape (ratios from 0 to 1, see distance.py), and its worst day
    with both values as text, in the metric's unit (null where no day is off).
    """
    rows = [
        {
            **_place(variant),
            **variant.methodology.parameters(),
            "overall_distance": float(variant.score.distance),
            "overall_shape": float(variant.score.shape),
            "metric": metric,
            "layer": layer_of(metric),
            **_of_metric(distance),
        }
        for variant in result.variants
        for metric, distance in variant.metrics.items()
    ]
    return pl.DataFrame(rows, schema=_SCORES)


def ranking_frame(result: SweepResult) -> pl.DataFrame:
    """A row for every methodology, closest first: the columns of `scores_frame` that do not depend on a metric."""
    metric = list(_SCORES).index("metric")
    return scores_frame(result).select(list(_SCORES)[:metric]).unique(maintain_order=True)


def changes_frame(result: SweepResult) -> pl.DataFrame:
    """A row for every single change and metric: by how much distance and shape grow, and whether any day moves.

    `base` and `name` are the methodologies before and after; an empty metric stands for the overall scores.
    """
    rows = [
        {
            "base": name_of(change.base),
            "parameter": change.key,
            "value": change.value,
            "name": name_of(change.after),
            "metric": metric,
            **_score(score),
            "moved": metric in change.moved if metric else bool(change.moved),
        }
        for change in result.changes
        for metric, score in {"": change.change, **change.metrics}.items()
    ]
    return pl.DataFrame(rows, schema=_CHANGES)


def facts(result: SweepResult) -> dict[str, Any]:
    """The content of sweep.json, but for the digests of the files beside it.

    Scores are floats from 0 (equal) to 1, values are text in the metric's unit.
    """
    best = result.best
    return {
        "network": result.network,
        "tip": {"height": result.tip.height, "hash": result.tip.hash.hex()},
        "digests": result.digests,
        "settings": {
            "ranked_by": result.by,
            "tolerance": {
                "absolute": str(result.tolerance.absolute),
                "relative": str(result.tolerance.relative),
                "control": result.tolerance.control,
            },
        },
        "first_day": str(result.days[0]),
        "last_day": str(result.days[-1]),
        "metrics": [{"metric": metric, "layer": layer_of(metric)} for metric in result.metrics],
        "left_out": result.left_out,
        "base": name_of(result.grid.base),
        "equivalent": [
            {"name": name_of(combination), "same_as": name_of(same)}
            for combination, same in result.grid.equivalent
        ],
        "ranking": [_ranked(variant) for variant in result.variants],
        "single_changes": [_changed(change) for change in result.changes],
        "indistinguishable": _names(result.alike),
        "equally_far": _names(result.tied),
        "worst_days": [_worst(distance.worst) for distance in best.metrics.values() if distance.worst],
        "versions": {"reflow": reflow.__version__},
    }


def _ranked(variant: Variant) -> dict[str, Any]:
    return {
        **_place(variant),
        "preset": variant.methodology.name(),
        "parameters": variant.methodology.parameters(),
        "exchange_accounts": variant.exchange_accounts,
        **_score(variant.score),
        "layers": _layers(variant.layers),
        "metrics": {metric: _of_metric(distance) for metric, distance in variant.metrics.items()},
    }


def _place(variant: Variant) -> dict[str, Any]:
    return {
        "rank": variant.rank,
        "group": variant.group,
        "name": variant.name,
        "digest": variant.methodology.digest(),
    }


def _score(score: Score) -> dict[str, float]:
    return {"distance": float(score.distance), "shape": float(score.shape)}


def _layers(layers: Mapping[Layer, Score]) -> dict[str, dict[str, float]]:
    return {str(layer): _score(score) for layer, score in layers.items()}


def _of_metric(distance: Distance) -> dict[str, Any]:
    worst = distance.worst
    return {
        "days": distance.days,
        "days_off": distance.off,
        "deviation": float(distance.deviation),
        **_score(distance.score),
        "worst_day": worst and worst.day,
        "worst_ours": worst and _text(worst.ours),
        "worst_vendor": worst and _text(worst.vendor),
    }


def _worst(difference: Difference) -> dict[str, str]:
    return {
        "metric": difference.metric,
        "day": str(difference.day),
        "ours": _text(difference.ours),
        "vendor": _text(difference.vendor),
        "difference": _text(difference.difference),
    }


def _changed(change: SingleChange) -> dict[str, Any]:
    return {
        "base": name_of(change.base),
        "parameter": change.key,
        "value": change.value,
        "name": name_of(change.after),
        **_score(change.change),
        "metrics": {metric: _score(score) for metric, score in change.metrics.items()},
        "moved": change.moved,
    }


def _names(groups: Iterable[Sequence[Variant]]) -> list[list[str]]:
    return [[variant.name for variant in group] for group in groups]


def _text(value: Decimal) -> str:
    return f"{value:f}"
