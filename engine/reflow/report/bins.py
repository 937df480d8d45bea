"""Days put together for charts that would be unreadable day by day: into weeks from Monday, or months."""

from datetime import date
from typing import Final, Literal

import polars as pl

Step = Literal["1d", "1w", "1mo"]
"""A day, a week from Monday, a month; as polars writes it."""

_MOST_DAYS: Final = 120
_MOST_WEEKS: Final = 900
"""Days above which weeks are too narrow."""


def step_of(first: date, last: date) -> Step:
    """The step that suits a chart of these days; page.js has the same rule for what it shows."""
    days = (last - first).days + 1
    return "1d" if days <= _MOST_DAYS else "1w" if days <= _MOST_WEEKS else "1mo"


def binned(frame: pl.DataFrame, step: Step) -> pl.DataFrame:
    """With `t` and `t2` (Date), the first day of each row's bin and of the next one, in place of `time`."""
    start = pl.col("time").dt.truncate(step)
    return frame.with_columns(t=start, t2=start.dt.offset_by(step)).drop("time")
