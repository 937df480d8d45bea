"""What a benchmark measures: whole commands run as a user would run them, and the lines of the table at the end."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

Bench = Any
"""pytest-benchmark's fixture, which has no types of its own."""


class Chain(NamedTuple):
    """A generated chain on disk, and the totals that the generator states."""

    folder: Path
    totals: dict[str, Any]

    @property
    def byte_count(self) -> int:
        """Bytes of blocks and undo data."""
        return int(self.totals["block_bytes"] + self.totals["undo_bytes"])

    @property
    def row_count(self) -> int:
        """Debits and credits: the ledger's rows."""
        return int(self.totals["debits"] + self.totals["credits"])


class Figure(NamedTuple):
    """One line of the table."""

    what: str
    seconds: float
    rate: str
    peak_bytes: int | None
    """Peak resident memory of the command, None for what was timed within the process."""


FIGURES: Final[list[Figure]] = []
"""The table so far."""


def add_figure(what: str, seconds: float, amount: int, unit: str, peak_bytes: int | None = None) -> None:
    """Put a line into the table: `amount` units (bytes, rows) in `seconds`."""
    FIGURES.append(Figure(what, seconds, f"{amount / seconds / 1e6:,.1f} M{unit}/s", peak_bytes))


def add_size(what: str, byte_count: int, rows: int) -> None:
    """Put a size into the table, with the bytes that each debit or credit takes."""
    FIGURES.append(Figure(f"{what} {byte_count / 1e6:,.1f} MB", 0, f"{byte_count / rows:.1f} B/row", None))


def run_reflow(*words: object) -> int:
    """Run the command line in a process of its own; gives its peak resident memory in bytes."""
    command = [sys.executable, "-m", "reflow.cli", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"exit status {process.returncode}: {' '.join(command)}")
    return usage.ru_maxrss * 1024
