"""The data of each chart: rows of exact text for tables and downloads, and the chart drawn from them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

import polars as pl

from reflow.flows.catalog import EX, INCL, Metric, catalog
from reflow.report.charts import Spec, heat_chart
from reflow.report.theme import CATEGORIES, Palette
from reflow.results.frames import Frames

Kind = Literal["stack", "cells", "bars"]
Cell = str | int | None
Step = Literal["1d", "1w", "1mo"]
"""A day, a week from Monday, a month; as polars writes it."""

_MOST_DAYS: Final = 120
_MOST_WEEKS: Final = 900
"""Days above which weeks are too narrow."""

DIFFERENCE: Final = ("≤ 0.1 %", "≤ 1 %", "≤ 10 %", "≤ 50 %", "> 50 %")
_DIFFERENCE_LIMITS: Final = (0.001, 0.01, 0.1, 0.5)
COVERAGE: Final = ("99 to 101 %", "95 to 99 %", "80 to 95 %", "50 to 80 %", "< 50 %", "> 101 %")
_MOST_ROWS: Final = 60

FLOWS: Final = (
    ("FlowMiner", "Out", 1, "Miners to exchanges, within one hop"),
    ("FlowMiner", "In", 1, "Exchanges to miners, within one hop"),
    ("FlowMiner", "Out", 0, "Miners to exchanges, 0 hops"),
    ("FlowMiner", "In", 0, "Exchanges to miners, 0 hops"),
    ("Flow", "In", None, "Into exchanges"),
    ("Flow", "Out", None, "Out of exchanges"),
)
"""Family, direction, hop and title of each chart, in the order of the list."""


class Figure(NamedTuple):
    """One chart with its table."""

    id: str
    title: str
    note: str
    kind: Kind
    columns: dict[str, str]
    """Field of the chart to the heading of its column; those that begin with `t` are days."""
    rows: list[list[Cell]]
    """Days as YYYY-MM-DD."""
    draw: Callable[[Palette], Spec]
    top: Sequence[str] = ()
    """Entities with a colour of their own, of a stack."""

    def records(self) -> list[dict[str, Cell | float]]:
        """The rows as a chart takes them: days in milliseconds, numbers as numbers."""
        return [
            {name: _datum(name, cell) for name, cell in zip(self.columns, row, strict=True)}
            for row in self.rows
        ]


def _datum(name: str, cell: Cell) -> Cell | float:
    if name in ("t", "t2"):
        return milliseconds(date.fromisoformat(str(cell)))
    return float(cell) if name == "value" and cell is not None else cell


def milliseconds(day: date) -> int:
    """Milliseconds from 1970 to a UTC day's midnight."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def metrics_of(frames: Frames) -> list[Metric]:
    """The metrics of the run that the catalogue knows, in its order."""
    there = set(frames.metrics["metric"].unique())
    return [metric for metric in catalog(frames.run.get("exchanges", {})) if metric.id in there]


def step_of(first: date, last: date) -> Step:
    """The step that suits a chart of these days; page.js has the same rule."""
    days = (last - first).days + 1
    return "1d" if days <= _MOST_DAYS else "1w" if days <= _MOST_WEEKS else "1mo"


def binned(frame: pl.DataFrame, step: Step) -> pl.DataFrame:
    """The rows with `t` and `t2` (Date) in place of `time`: the first day of the row's bin and of the next bin."""
    start = pl.col("time").dt.truncate(step)
    return frame.with_columns(t=start, t2=start.dt.offset_by(step)).drop("time")


def stacks(metrics: Iterable[Metric]) -> list[dict[str, Any]]:
    """The charts that these metrics allow: `title`, and `members`, exchange code to metric id, in native units."""
    known = [metric for metric in metrics if metric.unit == "native" and metric.entity not in ("", EX, INCL)]
    found = [
        {
            "title": title,
            "members": {
                metric.entity: metric.id
                for metric in sorted(known)
                if (metric.family, metric.direction, metric.hop) == (family, direction, hop)
            },
        }
        for family, direction, hop, title in FLOWS
    ]
    return [stack for stack in found if stack["members"]]


def strongest(frames: Frames) -> list[str]:
    """The exchanges with the largest total flows, largest first: each has its colour in every chart."""
    entities = {id_: code for stack in stacks(metrics_of(frames)) for code, id_ in stack["members"].items()}
    sums = (
        frames.metrics.filter(pl.col("metric").is_in(list(entities)))
        .group_by("metric")
        .agg(pl.col("value").sum())
    )
    totals = dict.fromkeys(entities.values(), 0)
    for metric, total in sums.iter_rows():
        totals[entities[metric]] += total or 0
    return sorted(totals, key=lambda code: (-totals[code], code))[:CATEGORIES]


def where_they_differ(frames: Frames) -> Figure | None:
    """Metrics that differ from the vendor's, over time: the largest relative difference of each bin."""
    if frames.comparison is None or frames.differences is None:
        return None
    order = frames.comparison.filter(pl.col("verdict") != "exact").sort("layer", "metric")["metric"].to_list()
    follows = {metric.id for metric in metrics_of(frames) if metric.needs_prices or metric.direction == "Net"}
    names = ([id_ for id_ in order if id_ not in follows] or order)[:_MOST_ROWS]
    ours, vendor = pl.col("ours").cast(pl.Float64), pl.col("vendor").cast(pl.Float64)
    relative = pl.when(vendor == 0).then(float("inf")).otherwise((ours - vendor).abs() / vendor.abs())
    off = frames.differences.filter(pl.col("metric").is_in(names), ~pl.col("exact"))
    cells = (
        _bins(frames, off.select("metric", "time", relative=relative))
        .group_by("metric", "t", "t2")
        .agg(pl.col("relative").max(), days=pl.len())
        .sort("metric", "t")
    )
    rows: list[list[Cell]] = [
        [metric, str(t), str(t2), _class(relative, _DIFFERENCE_LIMITS), percent(relative), days]
        for metric, t, t2, relative, days in cells.iter_rows()
    ]
    note = "Largest difference of each period, as a share of the vendor's value. Blank: equal."
    left = len(order) - len(names)
    return Figure(
        "differences",
        "Where they differ",
        note
        + (
            f" {left} more metrics differ, such as dollars and net flows, which follow from these: see the table below."
            if left
            else ""
        ),
        "cells",
        {
            "row": "metric",
            "t": "from",
            "t2": "before",
            "class": "class",
            "told": "largest",
            "days": "days off",
        },
        rows,
        lambda palette: heat_chart(palette.classes[1:], names, DIFFERENCE),
    )


def label_coverage(frames: Frames) -> Figure | None:
    """Our share of the vendor's exchange flows, by exchange and time, from the cross-check."""
    told = (frames.crosscheck or {}).get("coverage_over_time", [])
    names = {metric.id: f"{metric.entity} {metric.direction.lower()}" for metric in metrics_of(frames)}
    rows: list[list[Cell]] = [
        [
            names.get(one["metric"], one["metric"]),
            one["first"],
            str(date.fromisoformat(one["last"]) + timedelta(1)),
            _coverage(one["ratio"]),
            percent(one["ratio"]),
            one["ours"],
            one["vendor"],
        ]
        for one in told
        if one["ratio"] is not None
    ]
    if not rows:
        return None
    shown = list(dict.fromkeys(str(row[0]) for row in rows))
    return Figure(
        "coverage",
        "Label coverage",
        "Our share of the vendor's flow, by exchange and direction; a shortfall means accounts that no label reaches.",
        "cells",
        {"row": "flow", "t": "from", "t2": "before", "class": "class"}
        | {"told": "coverage", "ours": "ours", "vendor": "vendor"},
        rows,
        lambda palette: heat_chart((*palette.classes[:5], palette.ours), shown, COVERAGE),
    )


def _bins(frames: Frames, frame: pl.DataFrame) -> pl.DataFrame:
    return binned(frame, step_of(*frames.span()))


def _class(value: float, limits: Sequence[float]) -> int:
    return sum(value > limit for limit in limits)


def _coverage(ratio: float) -> int:
    return 5 if ratio > 1.01 else sum(ratio < limit for limit in (0.99, 0.95, 0.8, 0.5))


def percent(share: float) -> str:
    """A share for people, with four digits or all before the point."""
    if share == float("inf"):
        return "∞"
    return f"{100 * share:,.0f} %" if share >= 10 else f"{100 * share:.4g} %"
