"""The ranking of a sweep as a chart and tables."""

from collections.abc import Sequence
from typing import Any, Final

from reflow.report.charts import bar_chart
from reflow.report.figures import Figure
from reflow.results.frames import Frames

_MOST: Final = 24
"""Methodologies in the chart; the table has all."""


def ranking(frames: Frames) -> Figure | None:
    """The nearest methodologies by their distance to the vendor's series."""
    if frames.sweep is None:
        return None
    every = frames.sweep["ranking"]
    by = frames.sweep.get("settings", {}).get("ranked_by", "distance")
    shown = [str(one["name"]) for one in every[:_MOST]]
    least = min((one[by] for one in every), default=0)
    more = f" The nearest {_MOST} of {len(every)}; the table has all." if len(every) > _MOST else ""
    return Figure(
        "sweep",
        "Which definition comes nearest",
        "Distance to the vendor's series, 0 to 1; a methodology is named by its changes from the reference."
        + more,
        "bars",
        {"row": "methodology", "value": by, "told": "distance", "place": "rank", "best": "nearest"},
        [
            [one["name"], one[by], _score(one[by]), one["rank"], int(one[by] == least)]
            for one in every[:_MOST]
        ],
        lambda palette: bar_chart(palette, shown),
    )


def sweep_tables(frames: Frames) -> dict[str, Any]:
    """Sentences and tables of the sweep: the ranking, single changes, groups with equal series."""
    told = frames.sweep
    if told is None:
        return {"texts": [], "tables": []}
    tables = [
        _table(
            "Ranking", ("methodology", "rank", "distance", "shape", "days off"), map(_ranked, told["ranking"])
        ),
        _table(
            "What each single change moves",
            ("change", "from", "distance", "shape", "metrics that move"),
            map(_changed, told.get("single_changes", [])),
        ),
        _table(
            "Cannot be told apart: equal series on all compared days",
            ("group", "methodologies"),
            (
                (f"{number}", " = ".join(names))
                for number, names in enumerate(told.get("indistinguishable", []), 1)
            ),
        ),
        _table(
            "Equally far from the vendor's, though their series differ",
            ("group", "methodologies"),
            ((f"{number}", "; ".join(names)) for number, names in enumerate(told.get("equally_far", []), 1)),
        ),
    ]
    return {"texts": [_sentence(told)], "tables": [table for table in tables if table["rows"]]}


def _sentence(told: dict[str, Any]) -> str:
    every = told["ranking"]
    first = [str(one["name"]) for one in every if one["rank"] == every[0]["rank"]]
    names = first[0] if len(first) == 1 else f"{first[0]} (and {len(first) - 1} equally near)"
    return f"Of {len(every):,} methodologies, the nearest to the vendor's series is {names}."


def _ranked(one: dict[str, Any]) -> Sequence[str]:
    off = sum(metric["days_off"] for metric in one.get("metrics", {}).values())
    return one["name"], str(one["rank"]), _score(one["distance"]), _score(one["shape"]), f"{off:,}"


def _changed(one: dict[str, Any]) -> Sequence[str]:
    change = f"{one['parameter']} = {one['value']}"
    return change, one["base"], f"{one['distance']:+.5f}", f"{one['shape']:+.5f}", f"{len(one['moved']):,}"


def _score(score: float) -> str:
    return f"{score:.5f}"


def _table(title: str, columns: Sequence[str], rows: Any) -> dict[str, Any]:
    return {"title": title, "columns": columns, "rows": list(rows), "open": False}
