"""What a benchmark measures: whole commands run as a user would run them, and the lines of the table at the end."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

LAUNCHER: Final = Path(__file__).resolve().parent / "launch.py"

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


class Measured(NamedTuple):
    """What a command took."""

    seconds: float
    peak_bytes: int
    """Peak resident memory of the process itself."""
    output: str


def measured(command: Sequence[object]) -> Measured:
    """Run a command in a process of its own; RuntimeError with the last line that it complained with if it fails."""
    words = list(map(str, command))
    with (
        tempfile.NamedTemporaryFile("r") as report,
        tempfile.TemporaryFile("w+") as output,
        tempfile.TemporaryFile("w+") as complaints,
    ):
        launch = [sys.executable, "-IS", str(LAUNCHER), report.name, *words]
        done = subprocess.run(launch, stdin=subprocess.DEVNULL, stdout=output, stderr=complaints, check=False)
        output.seek(0)
        complaints.seek(0)
        if done.returncode:
            last = [line.strip() for line in complaints.read().splitlines() if line.strip()][-1:]
            raise RuntimeError(f"exit status {done.returncode}: {''.join(last) or ' '.join(words)}")
        seconds, peak = report.read().split()
        return Measured(float(seconds), int(peak), output.read())


def reflow_command(*words: object) -> list[object]:
    """The command line with these words."""
    return [sys.executable, "-m", "reflow.cli", *words]


def run_reflow(*words: object) -> int:
    """Run the command line in a process of its own; gives its peak resident memory in bytes."""
    return measured(reflow_command(*words)).peak_bytes
