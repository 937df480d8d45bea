"""Flows by exchange: which metrics stand on each other in one chart, and which exchanges have a colour of their own."""

from collections.abc import Iterable
from typing import Any, Final

import polars as pl

from reflow.flows.catalog import EX, INCL, Metric
from reflow.report.figures import metrics_of
from reflow.report.theme import CATEGORIES
from reflow.results.frames import Frames

FLOWS: Final = (
    ("FlowMiner", "Out", 1, "Miners to exchanges, within one hop"),
    ("FlowMiner", "In", 1, "Exchanges to miners, within one hop"),
    ("FlowMiner", "Out", 0, "Miners to exchanges, 0 hops"),
    ("FlowMiner", "In", 0, "Exchanges to miners, 0 hops"),
    ("Flow", "In", None, "Into exchanges"),
    ("Flow", "Out", None, "Out of exchanges"),
)
"""Family, direction, hop and title of each chart, in the order in which they are offered."""


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
    """The exchanges with the largest flows in all, largest first: they have a colour of their own in every chart."""
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
