"""One recomputation as it was when it was opened: its file stays readable after a newer one has replaced it."""

import hashlib
import os
import weakref
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple

from reflow.flows.catalog import BLOCK_COUNT
from reflow.store.duckdb import ParquetStore
from reflow.store.relations import METRIC_VALUE

_MEMORY: Final = "512MB"
"""What the database of one snapshot may take; it has no more to hold than the rows of a few answers."""
_KEPT: Final = 32
"""Sets of metrics whose days are remembered, each a date for each day of the ledger at most."""


class Span(NamedTuple):
    """First and last day on which a metric has a value."""

    first: date
    last: date


class Snapshot:
    """Reads one Parquet file through SQL.

    The file is kept open for as long as the snapshot is referred to, so that whoever holds one reads the same figures
    until it lets go, whatever is renamed over the file meanwhile.
    """

    def __init__(self, name: str, file: Path, run: dict[str, Any] | None, link: Path) -> None:
        """Open `file` by way of `link`, a path that does not exist yet and that no snapshot had before.

        Raises OSError or DatabaseError if the file cannot be read.
        """
        self.name = name
        """Of the methodology."""
        self.run = run
        """run.json; None for a vendor's series."""
        handle = os.open(file, os.O_RDONLY)
        weakref.finalize(self, _release, handle, link)
        # The file behind a descriptor can be opened again after it has lost its name; the link gives each a name of
        # its own, because the database remembers files by name.
        link.symlink_to(f"/proc/{os.getpid()}/fd/{handle}")
        with open(handle, "rb", closefd=False) as stream:
            self.digest = hashlib.file_digest(stream, "sha256").hexdigest()
            self.id = self.digest[:16]
            """What the figures are: equal files have equal ids."""
        # One thread a query: answers are small, and several are made at the same time.
        self._store = ParquetStore(METRIC_VALUE, link, _MEMORY)
        found = self._store.rows("serve_metrics")
        self.spans: dict[str, Span | None] = {
            row["metric"]: Span(row["first_day"], row["last_day"]) if row["first_day"] else None
            for row in found
        }
        """Metric id to when it has values, in name order; None for one that never has."""
        self.row_count = sum(row["days"] for row in found)
        self._days: OrderedDict[tuple[str, ...], list[date]] = OrderedDict()
        self._lock = Lock()

    def supported(self, metrics: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the metrics that have a value on some day, in name order."""
        return tuple(sorted(metric for metric in metrics if self.spans[metric]))

    def days(self, metrics: tuple[str, ...]) -> list[date]:
        """The days on which at least one of the metrics has a value, ascending."""
        with self._lock:
            if metrics in self._days:
                self._days.move_to_end(metrics)
                return self._days[metrics]
        with self._store.own() as store:
            found = [row["time"] for row in store.rows("serve_days", metrics=list(metrics))]
        with self._lock:
            self._days[metrics] = found
            while len(self._days) > _KEPT:
                self._days.popitem(last=False)
        return found

    def fields(
        self, form: str, metrics: tuple[str, ...], first: date, last: date, empty: str
    ) -> list[tuple[date, str]]:
        """Each day's values as text in one of the forms `json` and `csv` (queries serve_json, serve_csv)."""
        asked = {"metrics": list(metrics), "first_day": first, "last_day": last, "empty": empty}
        with self._store.own() as store:
            return [(row["time"], row["fields"]) for row in store.rows(f"serve_{form}", **asked)]

    def days_of_heights(
        self, start: int | None, end: int | None, *, start_inclusive: bool, end_inclusive: bool
    ) -> tuple[date, date] | None:
        """The first and the last day that stand between two heights; None if none does.

        A day stands at the height of its first block. Raises KeyError without BlkCnt, from which heights are counted.
        """
        if self.spans.get(BLOCK_COUNT) is None:
            raise KeyError(BLOCK_COUNT)
        with self._store.own() as store:
            found = store.rows("serve_heights")
        days, heights = ([row[name] for row in found] for name in ("time", "first_height"))
        low = 0 if start is None else (bisect_left if start_inclusive else bisect_right)(heights, start)
        high = len(days) if end is None else (bisect_right if end_inclusive else bisect_left)(heights, end)
        return (days[low], days[high - 1]) if low < high else None


def _release(handle: int, link: Path) -> None:
    link.unlink(missing_ok=True)
    os.close(handle)
