"""All the charts of a report that are the same whatever is chosen on the page."""

from typing import Final

import polars as pl

from reflow.owners.pools import PoolReport, shown
from reflow.report.bins import binned, step_of
from reflow.report.charts import stack_chart
from reflow.report.evidence import Evidence
from reflow.report.figures import Cell, Figure, label_coverage, where_they_differ
from reflow.report.sweep import ranking
from reflow.report.theme import CATEGORIES
from reflow.results.frames import Frames

_NOTE: Final = (
    "Share of the blocks of each pool, told by payout addresses and coinbase tags; numbers are blocks."
)


def all_figures(frames: Frames, evidence: Evidence) -> list[Figure]:
    """Those that there are data for."""
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
