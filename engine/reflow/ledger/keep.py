"""Keep the figures of days under the clocks that a recompute is about to ask for, if the ledger can be written to."""

from collections.abc import Iterable
from pathlib import Path

from reflow.clock import Clock
from reflow.errors import LedgerError
from reflow.ledger.kept_days import keep_days, kept_clocks
from reflow.ledger.ledger import Ledger
from reflow.progress import Progress, silent


def keep_clocks(
    path: Path,
    clocks: Iterable[Clock],
    *,
    memory: str | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> None:
    """Keep the days under those of `clocks` that the ledger does not keep yet; an ingest goes on with them.

    A ledger that cannot be written to (open elsewhere, no right to) is left as it is: whoever needs the figures
    computes them, every time.
    """
    try:
        with Ledger.open(path, read_only=True) as ledger:
            missing = [clock for clock in dict.fromkeys(clocks) if clock not in kept_clocks(ledger.con)]
        if missing:
            with Ledger.open(path, memory=memory, threads=threads) as ledger:
                for clock in missing:
                    keep_days(ledger.con, clock, progress=progress)
    except LedgerError:
        return
