"""The parts of the page that are tables and lists: all metrics compared, worst days, pools, inputs."""

import base64
import csv
import io
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import polars as pl

from reflow.amounts import SCALE, plain
from reflow.flows.catalog import LAYERS as METRICS_OF
from reflow.flows.values import divide
from reflow.owners.pools import shown
from reflow.report.evidence import Evidence
from reflow.report.figures import percent
from reflow.report.verdict import LAYERS as QUESTIONS
from reflow.results.frames import Frames

LAYERS: Final = {number: f"{name}: {METRICS_OF[number]}" for number, name, _ in QUESTIONS}
_EXCHANGES: Final = 8
"""Exchanges in the table of what pools sent; the CSV has all."""
_COLUMNS: Final = {
    "verdict": "verdict",
    "days": "days",
    "off": "off",
    "first_off": "first off",
    "last_off": "last off",
    "longest_run": "longest run",
    "ratio": "ours ÷ vendor",
    "max_absolute": "largest difference",
    "max_relative": "as a share",
    "correlation": "correlation",
}


def compared(frames: Frames) -> dict[str, Any] | None:
    """The comparison, one row for each metric, by layer; metrics that are off come first."""
    if frames.comparison is None:
        return None
    table = frames.comparison
    groups = []
    for layer, title in LAYERS.items():
        for off in (True, False):
            part = table.filter(pl.col("layer") == layer, (pl.col("verdict") == "off") == off)
            word = "off" if off else "agree"
            rows = [_row(row) for row in part.iter_rows(named=True)]
            if rows:
                groups.append({"title": f"{title}, {len(rows)} {word}", "open": off, "rows": rows})
    columns = ["metric", *(_COLUMNS[name] for name in _COLUMNS if name in table.columns)]
    note = "Each metric that both have, over the days that both have."
    return {
        "columns": columns,
        "groups": groups,
        "note": note,
        "csv": data_csv(table.columns, table.iter_rows()),
    }


def _row(row: dict[str, Any]) -> dict[str, Any]:
    cells = [_told(name, row[name]) for name in _COLUMNS if name in row]
    return {"metric": row["metric"], "verdict": row["verdict"], "cells": cells}


def _told(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in ("ratio", "max_relative"):
        return percent(value)
    if name == "correlation":
        return f"{value:.5f}"
    if name == "max_absolute":
        return number(shortly(str(value)))
    return number(str(value)) if name in ("days", "off", "longest_run") else str(value)


def matrix(evidence: Evidence) -> dict[str, Any] | None:
    """What each pool sent to each exchange, and to all as one."""
    matrix = evidence.pools.matrix if evidence.pools is not None else None
    if evidence.pools is None or not matrix:
        return None
    codes = evidence.pools.largest(_EXCHANGES)
    rows = [(shown(pool), [number(plain(flows[code])) for code in codes]) for pool, flows in matrix.items()]
    every = next(iter(matrix.values()))
    csv_ = data_csv(
        ("entity", *every), ([pool, *map(plain, flows.values())] for pool, flows in matrix.items())
    )
    return {"columns": ["pool", *codes], "rows": rows, "csv": csv_}


def worst_days(evidence: Evidence) -> dict[str, Any] | None:
    """The worst days by layer."""
    if not evidence.days:
        return None
    header = ("metric", "day", "ours", "vendor", "difference")
    lines = ([getattr(day, name) for name in header] for day in evidence.days)
    note = "Where to look first. If several metrics have the same gap on a day, only one is listed."
    layers = [
        (title, [day for day in evidence.days if day.layer == layer]) for layer, title in LAYERS.items()
    ]
    return {"note": note, "layers": [layer for layer in layers if layer[1]], "csv": data_csv(header, lines)}


def inputs(frames: Frames) -> list[tuple[str, list[tuple[str, str]]]]:
    """The inputs of the run, the cross-check and the sweep: groups of names and values."""
    run = frames.run
    methodology = [(name, str(value)) for name, value in run["methodology"].items()]
    check = frames.crosscheck or {}
    digests = {**run.get("digests", {}), **check.get("digests", {})}
    facts = [
        ("network", str(run.get("network", ""))),
        ("tip", f"{run['tip']['height']:,}"),
        ("block", str(run["tip"]["hash"])),
        ("days", f"{run.get('first_day')} to {run.get('last_day')}"),
        ("exchanges", ", ".join(run.get("exchanges", {})) or "none"),
        *((f"reflow, {name}", str(version)) for name, version in run.get("versions", {}).items()),
    ]
    settings = [
        (name, json.dumps(value) if isinstance(value, dict | list) else str(value))
        for name, value in check.get("settings", {}).items()
    ]
    groups = [("Run", facts), ("Methodology", methodology), ("Cross-check", settings)]
    groups.append(("Digests (SHA-256)", [(name, str(value or "none")) for name, value in digests.items()]))
    return [(title, lines) for title, lines in groups if lines]


def data_csv(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A CSV file as a data: URL."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return "data:text/csv;base64," + base64.b64encode(stream.getvalue().encode()).decode()


def shortly(text: str) -> str:
    """A decimal for people, rounded to 8 places half away from zero; in full if that would be 0."""
    part, parts = Decimal(text).as_integer_ratio()
    rounded = divide(part * SCALE, parts)
    return plain(rounded) if rounded or not part else text


def spaced(number: int) -> str:
    """With narrow spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f")


def number(text: str) -> str:
    """A decimal with narrow spaces between thousands and a real minus."""
    whole, point, fraction = str(text).partition(".")
    sign, digits = ("\u2212", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{spaced(int(digits))}{point}{fraction}" if digits.isdigit() else str(text)
