"""The demonstration: the simulated economy through the very same path as real data, checked against its own books."""

import csv
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from reflow.blocks.datadir import DatadirSource
from reflow.entities.labels import read_labels
from reflow.errors import OutputError
from reflow.flows.output import write
from reflow.flows.prices import read_prices
from reflow.flows.recompute import recompute
from reflow.ledger.ingest import IngestProgress, IngestResult, ingest
from reflow.ledger.ledger import Ledger
from reflow.network import REGTEST
from reflow.progress import Progress, silent
from reflow.script import address_of
from reflow.simulate.blockfiles import write_chain
from reflow.simulate.books import Row
from reflow.simulate.economy import Simulation, simulate
from reflow.simulate.market import EXCHANGES

XOR_KEY: Final = bytes.fromhex("9d3f5c07b2a8416e")
FILE_SIZE: Final = 1_000_000
"""The chain is small; small files make several of them."""
WINDOW: Final = 8
"""Heights by which blocks may lie out of order in the files."""


class Disagreement(NamedTuple):
    """A cell of the books that the engine has otherwise; None is an empty cell or a missing column."""

    day: date
    metric: str
    expected: Decimal | None
    found: Decimal | None


class ExchangeFlow(NamedTuple):
    """An exchange's flows with miners within one hop, summed over all days, in native units and USD.

    Days without a price are not in the USD sums.
    """

    exchange: str
    """Its code, or Ex for all exchanges as one."""
    from_miners: Decimal
    to_miners: Decimal
    from_miners_usd: Decimal
    to_miners_usd: Decimal


class DemoResult(NamedTuple):
    """What the demonstration found."""

    folder: Path
    first_day: date
    last_day: date
    ingested: IngestResult
    cells: int
    """Cells of the books: a day's value of a metric."""
    disagreements: list[Disagreement]
    """Those that the engine has otherwise: there should be none."""
    flows: list[ExchangeFlow]
    files: dict[str, Path]
    """Where everything is: `blocks`, `labels`, `prices`, `expected`, `ledger`, and the written results by name."""


def run_demo(folder: str | Path, *, seed: int = 1, progress: Progress = silent) -> DemoResult:
    """Simulate an economy, write it as a node's files into `folder`, ingest, recompute and compare every cell.

    `folder` is made if need be. Raises OutputError when it cannot be written, and whatever the stages raise.
    """
    base = Path(folder)
    progress("simulate", 0, 1)
    simulation = simulate(seed)
    progress("simulate", 1, 1)
    files = _write_inputs(simulation, base)

    def tell(now: IngestProgress) -> None:
        progress("ingest", now.done, now.total)

    ingested = ingest(files["ledger"], DatadirSource(files["blocks"]), progress=tell)
    with Ledger.open(files["ledger"], read_only=True) as ledger:
        labels = read_labels([files["labels"]], ledger.network)
        result = recompute(ledger, labels, prices=read_prices(files["prices"]), progress=progress)
    for path in write(result, base / "results"):
        files[path.name] = path
    found = _read_metrics(files["metrics.csv"])
    days = list(simulation.rows)
    return DemoResult(
        folder=base,
        first_day=days[0],
        last_day=days[-1],
        ingested=ingested,
        cells=sum(map(len, simulation.rows.values())),
        disagreements=list(compare(simulation.rows, found)),
        flows=[_flow(found.values(), code) for code in (*EXCHANGES, "Ex")],
        files=files,
    )


def _write_inputs(simulation: Simulation, base: Path) -> dict[str, Path]:
    """Write the node's files, labels, prices and the books; gives the path of each, and of the ledger to be."""
    files = {
        "blocks": base / "node" / "regtest" / "blocks",
        "labels": base / "labels.csv",
        "prices": base / "prices.csv",
        "expected": base / "expected.csv",
        "ledger": base / "ledger.duckdb",
    }
    try:
        write_chain(
            files["blocks"],
            simulation.blocks,
            stale=simulation.stale,
            window=WINDOW,
            xor_key=XOR_KEY,
            max_file_size=FILE_SIZE,
        )
        labels = (
            (address_of(label.address.script, REGTEST), label.entity, label.category)
            for label in simulation.labels
        )
        _write_csv(files["labels"], ("address", "entity", "category"), labels)
        _write_csv(files["prices"], ("time", "PriceUSD"), simulation.prices.items())
        metrics = list(next(iter(simulation.rows.values())))
        rows = ((day, *map(_text, row.values())) for day, row in simulation.rows.items())
        _write_csv(files["expected"], ("time", *metrics), rows)
    except OSError as error:
        raise OutputError(f"{base}: cannot write the demonstration: {error.strerror or error}") from None
    return files


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _text(value: Decimal | None) -> str:
    """A plain decimal without trailing zeros, as the vendor writes it; empty where there is no value."""
    if value is None:
        return ""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _read_metrics(path: Path) -> dict[date, Row]:
    """The engine's metrics.csv, day by day."""
    with path.open(encoding="ascii", newline="") as file:
        return {
            date.fromisoformat(row.pop("time")): {
                metric: Decimal(text) if text else None for metric, text in row.items()
            }
            for row in csv.DictReader(file)
        }


def compare(books: dict[date, Row], found: dict[date, Row]) -> Iterator[Disagreement]:
    """Yield the cells of the books that the engine has otherwise, and the days that only the engine has."""
    for day, row in books.items():
        ours = found.get(day, {})
        for metric, value in row.items():
            if metric not in ours or ours[metric] != value:
                yield Disagreement(day, metric, value, ours.get(metric))
    for day in sorted(found.keys() - books.keys()):
        yield Disagreement(day, "BlkCnt", None, found[day]["BlkCnt"])


def _flow(rows: Collection[Row], code: str) -> ExchangeFlow:
    def total(metric: str) -> Decimal:
        return sum((row[metric] or Decimal(0) for row in rows), Decimal(0))

    out, back = f"FlowMinerOut1HopAll{code}", f"FlowMinerIn1HopAll{code}"
    return ExchangeFlow(code, *(total(stem + unit) for unit in ("Ntv", "USD") for stem in (out, back)))
