"""How cost grows with the length of the chain: whole commands on generated chains of several sizes."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from compare.contenders import Input, Place, warm_up
from compare.figures import Measured, measured, reflow_command
from compare.tables import gib, table
from reflow.ledger.ledger import Ledger

DAY = 144
"""Blocks ten minutes apart."""

COLUMNS = (
    *("chain", "debits and credits", "ingest", "MB/s", "peak memory", "ledger"),
    *("recompute", "rows a second", "peak memory", "one more day"),
)


class Scaled(NamedTuple):
    """One line of the table: what commands took on one chain."""

    byte_count: int
    row_count: int
    ingest: Measured
    """Into a new ledger."""
    ledger_bytes: int
    recompute: Measured
    """Every metric, closure included."""
    day: Measured
    """The last 144 blocks, taken away and ingested again."""


def measure(folder: Path, place: Place) -> Scaled:
    """Ingest a generated chain, recompute, and ingest its last day again; the ledger is thrown away."""
    totals = json.loads((folder / "totals.json").read_text())
    byte_count = totals["block_bytes"] + totals["undo_bytes"]
    if not (place.work / "scaled").exists():  # the first one
        warm_up(Input(folder, totals["blocks"], totals["transactions"], byte_count), place)
    ledger = place.work / "scaled.duckdb"
    command = reflow_command("ingest", ledger, "--datadir", folder, "--threads", place.threads, "--json")
    ingest, size = measured(command), ledger.stat().st_size
    labels = ("--labels", folder / "labels.csv", "--threads", place.threads)
    recompute = measured(reflow_command("recompute", ledger, *labels, "--out", place.work / "scaled"))
    with Ledger.open(ledger) as opened:
        taken = opened.roll_back(max(1, totals["blocks"] - DAY))
    day = measured(command)
    ledger.unlink()
    done = [json.loads(one.output)["blocks"] for one in (ingest, day)]
    if done != [totals["blocks"], taken]:
        raise RuntimeError(f"found {done} blocks, expected {totals['blocks']} and {taken}")
    rows = totals["debits"] + totals["credits"]
    return Scaled(byte_count, rows, ingest, size, recompute, day)


def scaling_table(measures: Iterable[Scaled]) -> str:
    """The table, a chain a line; start-up is in every time."""
    return table(COLUMNS, [_row(one) for one in measures])


def _row(one: Scaled) -> list[str]:
    return [
        f"{one.byte_count / 1e9:,.3g} GB",
        f"{one.row_count / 1e6:,.1f} M",
        f"{one.ingest.seconds:.1f} s",
        f"{one.byte_count / one.ingest.seconds / 1e6:,.0f}",
        gib(one.ingest.peak_bytes),
        f"{one.ledger_bytes / one.row_count:.1f} bytes a row",
        f"{one.recompute.seconds:.1f} s",
        f"{one.row_count / one.recompute.seconds / 1e6:,.1f} M",
        gib(one.recompute.peak_bytes),
        f"{one.day.seconds:.1f} s",
    ]
