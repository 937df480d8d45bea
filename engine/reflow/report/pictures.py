"""Every chart as PNG and SVG, for papers: drawn without a browser, on white, in the colours of the light page."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl
import vl_convert

from reflow.files import write_together
from reflow.owners.pools import PoolReport, shown
from reflow.progress import Progress, silent
from reflow.report.charts import Spec, difference_chart, metric_chart, stack_chart
from reflow.report.evidence import Evidence
from reflow.report.figures import (
    Cell,
    Figure,
    binned,
    label_coverage,
    metrics_of,
    milliseconds,
    stacks,
    step_of,
    strongest,
    where_they_differ,
)
from reflow.report.sweep import ranking
from reflow.report.theme import CATEGORIES, OTHERS, PAPER, config
from reflow.results.frames import Frames

_FONT: Final = "Liberation Sans"
"""Comes with vl-convert, so pictures do not depend on the fonts of a machine."""
_WIDTH: Final = 720
_SCALE: Final = 2

_NOTE: Final = "Share of blocks by pool, known from payout addresses and coinbase tags; numbers are blocks."

Rows = list[dict[str, Any]]


class Picture(NamedTuple):
    """A chart with its data, to be drawn."""

    name: str
    """Of the files, without the ending."""
    title: str
    subtitle: str
    parts: list[tuple[Spec, Rows]]
    """One chart, or several below each other."""


def write_pictures(every: Sequence[Picture], folder: str | Path, progress: Progress = silent) -> list[Path]:
    """Write NAME.svg and NAME.png for each picture; gives their paths. Raises OutputError."""
    writers: dict[str, Callable[[Path], None]] = {}
    for number, picture in enumerate(every):
        progress("charts", number, len(every))
        svg = _numbered(vl_convert.vegalite_to_svg(specification(picture)))
        png = vl_convert.svg_to_png(svg, scale=_SCALE)
        writers[f"{picture.name}.svg"] = partial(_write, svg.encode())
        writers[f"{picture.name}.png"] = partial(_write, png)
    progress("charts", len(every), len(every))
    return write_together(folder, writers)


def _numbered(svg: str) -> str:
    """The picture with clips and gradients numbered from 0; Vega counts on from picture to picture."""
    ids: dict[str, str] = {}
    return re.sub(
        r"\b(clip|gradient)_?\d+\b", lambda found: ids.setdefault(found[0], f"{found[1]}{len(ids)}"), svg
    )


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def pictures(frames: Frames, evidence: Evidence) -> Iterator[Picture]:
    """Pictures of the page's charts, each flow by exchange, and each metric: the compared ones, or all if none was."""
    for figure in all_figures(frames, evidence):
        if figure.rows:
            yield Picture(figure.id, figure.title, figure.note, [(figure.draw(PAPER), figure.records())])
    yield from _stacks(frames)
    yield from _metrics(frames)


def all_figures(frames: Frames, evidence: Evidence) -> list[Figure]:
    """All charts that have data."""
    pools = pool_shares(evidence.pools) if evidence.pools is not None else None
    every = (where_they_differ(frames), label_coverage(frames), pools, ranking(frames))
    return [figure for figure in every if figure is not None]


def pool_shares(report: PoolReport) -> Figure | None:
    """Blocks of each pool over time."""
    if report.first_day is None or report.last_day is None:
        return None
    days = pl.DataFrame(
        {"time": [one.day for one in report.days], "entity": [shown(one.entity) for one in report.days]}
    )
    blocks = days.with_columns(blocks=pl.Series([one.blocks for one in report.days], dtype=pl.Int64))
    table = binned(blocks, step_of(report.first_day, report.last_day))
    sums = table.group_by("t", "t2", "entity").agg(pl.col("blocks").sum()).sort("t", "entity")
    rows: list[list[Cell]] = [
        [str(t), str(t2), entity, str(number)] for t, t2, entity, number in sums.iter_rows()
    ]
    top = [total.entity for total in report.totals if total.blocks and total.entity is not None][:CATEGORIES]
    columns = {"t": "from", "t2": "before", "entity": "pool", "told": "blocks"}
    return Figure(
        "pools",
        "Pools",
        _NOTE,
        "stack",
        columns,
        rows,
        lambda palette: stack_chart(palette, top, share=True),
        top,
    )


def specification(picture: Picture) -> Spec:
    """The chart as one Vega-Lite specification with data and style."""
    datasets = {f"rows{number}": rows for number, (_, rows) in enumerate(picture.parts)}
    charts = [
        {key: value for key, value in spec.items() if key not in ("$schema", "autosize")}
        | {"data": {"name": f"rows{number}"}, "width": _WIDTH}
        for number, (spec, _) in enumerate(picture.parts)
    ]
    return {
        "$schema": picture.parts[0][0]["$schema"],
        "title": {"text": picture.title, "subtitle": picture.subtitle},
        "vconcat": charts,
        "datasets": datasets,
        "padding": 16,
        "config": config(PAPER, _FONT) | {"background": "white"},
    }


def _stacks(frames: Frames) -> Iterator[Picture]:
    top, step = strongest(frames), step_of(*frames.span())
    for stack in stacks(metrics_of(frames)):
        codes = {id_: code for code, id_ in stack["members"].items()}
        flows = frames.metrics.filter(pl.col("metric").is_in(list(codes)), pl.col("value").is_not_null())
        entity = pl.col("metric").replace_strict(codes, return_dtype=pl.String)
        drawn = pl.when(entity.is_in(top)).then(entity).otherwise(pl.lit(OTHERS)).alias("entity")
        sums = binned(flows, step).group_by("t", "t2", drawn).agg(pl.col("value").sum()).sort("t", "entity")
        rows = [_stacked(row, top) for row in sums.iter_rows(named=True)]
        name = "by-exchange-" + stack["title"].lower().replace(",", "").replace(" ", "-")
        yield Picture(name, stack["title"], "Ours, native units", [(stack_chart(PAPER, top), rows)])


def _stacked(row: dict[str, Any], top: list[str]) -> dict[str, Any]:
    entity = row["entity"]
    order = top.index(entity) if entity in top else len(top)
    days = {"t": milliseconds(row["t"]), "t2": milliseconds(row["t2"])}
    return days | {"entity": entity, "value": float(row["value"]), "order": order}


def _metrics(frames: Frames) -> Iterator[Picture]:
    value, gap = metric_chart(PAPER, compared=frames.differences is not None), difference_chart(PAPER)
    ours = _by_metric(frames.metrics)
    theirs = None if frames.differences is None else _by_metric(frames.differences)
    for metric in metrics_of(frames):
        series = ours[metric.id].select("time", ours=pl.col("value"))
        if theirs is None:
            parts = [(value, _rows(series))]
        elif metric.id in theirs:
            gaps = pl.when("exact").then(pl.lit("0")).otherwise(pl.col("difference").cast(pl.String))
            vendor = theirs[metric.id].select("time", "vendor", difference=gaps)
            rows = _rows(series.join(vendor, on="time", how="left", maintain_order="left"))
            parts = [(value, rows), (gap, [row for row in rows if row["difference"] is not None])]
        else:
            continue
        yield Picture(metric.id, metric.id, metric.definition, parts)


def _by_metric(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {str(name[0]): one for name, one in frame.partition_by("metric", as_dict=True).items()}


def _rows(series: pl.DataFrame) -> Rows:
    return [
        {name: None if cell is None else float(cell) for name, cell in row.items() if name != "time"}
        | {"t": milliseconds(row["time"])}
        for row in series.iter_rows(named=True)
    ]
