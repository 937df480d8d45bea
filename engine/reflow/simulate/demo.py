"""The demonstration: the simulated economy takes the same path as real data and is checked against its own books."""

import csv
from collections.abc import Collection, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from reflow.blocks.datadir import DatadirSource
from reflow.crosscheck.check import CrossCheck, Settings, cross_check
from reflow.crosscheck.output import write_cross_check
from reflow.errors import OutputError
from reflow.explanations.explain import open_session
from reflow.files import hold, write_csv, write_together
from reflow.flows.prices import read_prices
from reflow.flows.recompute import recompute
from reflow.ledger.ingest import IngestProgress, IngestResult, ingest
from reflow.ledger.ledger import Ledger
from reflow.network import REGTEST
from reflow.owners.labels import read_labels
from reflow.progress import Progress, silent
from reflow.results.read import read_results
from reflow.results.write import write
from reflow.script import address_of
from reflow.simulate.blockfiles import write_chain
from reflow.simulate.books import Row
from reflow.simulate.economy import Simulation, simulate
from reflow.simulate.market import EXCHANGES
from reflow.vendor.files import read_vendor_file

XOR_KEY: Final = bytes.fromhex("9d3f5c07b2a8416e")
FILE_SIZE: Final = 1_000_000
"""The chain is small; small files make several of them."""
WINDOW: Final = 8
"""Heights by which blocks may lie out of order in the files."""


class Disagreement(NamedTuple):
    """A cell in which books and engine differ; None is an empty cell or a missing column."""

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


class Planted(NamedTuple):
    """A fault of the simulated vendor's series, as a cross-check should name it."""

    kind: str
    """That of the finding."""
    exchange: str
    """Its code, or empty."""
    day: date
    """On which it shows for the first time; of a clock at the latest."""
    named: bool
    """Whether the cross-check found it."""


class DemoResult(NamedTuple):
    """The result of the demonstration."""

    folder: Path
    first_day: date
    last_day: date
    ingested: IngestResult
    cells: int
    """Cells of the books: a day's value of a metric."""
    disagreements: list[Disagreement]
    """Cells in which the engine differs: there should be none."""
    flows: list[ExchangeFlow]
    check: CrossCheck
    """Of the engine's results with the simulated vendor's series."""
    planted: list[Planted]
    files: dict[str, Path]
    """Where everything is: `blocks`, `labels`, `prices`, `expected`, `vendor`, `ledger`, and the results by name."""


def run_demo(folder: str | Path, *, seed: int = 1, progress: Progress = silent) -> DemoResult:
    """Simulate an economy, write it as a node's files into `folder`, ingest, recompute and compare every cell.

    At the end comes a cross-check with the simulated vendor's series, which have three planted faults. `folder` is
    made if need be. Raises OutputError when it cannot be written, and whatever the stages raise.
    """
    base = Path(folder)
    if base.exists() and not base.is_dir():
        raise OutputError(f"{base}: cannot write the demonstration: Not a directory")
    with hold(base):
        return _run(base, seed, progress)


def _run(base: Path, seed: int, progress: Progress) -> DemoResult:
    progress("simulate", 0, 1)
    simulation = simulate(seed)
    progress("simulate", 1, 1)
    files = _write_inputs(simulation, base)

    def tell(now: IngestProgress) -> None:
        progress("ingest", now.done, now.total)

    ingested = ingest(files["ledger"], DatadirSource(files["blocks"]), progress=tell)
    with Ledger.open(files["ledger"], read_only=True) as ledger:
        labels = read_labels([files["labels"]], ledger.network)
        prices = read_prices(files["prices"])
        result = recompute(ledger, labels, prices=prices, progress=progress)
        written = write(result, base / "results")
        settings = Settings(ledger=str(files["ledger"]), labels=(str(files["labels"]),))
        with open_session(ledger, labels, prices=prices, progress=progress) as session:
            check = cross_check(
                read_results(base / "results"),
                read_vendor_file(files["vendor"]),
                settings,
                session,
                progress=progress,
            )
    written += write_cross_check(check, base / "results")
    files |= {path.name: path for path in written}
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
        check=check,
        planted=_planted(simulation, check),
        files=files,
    )


def _planted(simulation: Simulation, check: CrossCheck) -> list[Planted]:
    """The planted faults, and whether a finding names each: its kind, exchange and day."""
    vendor = simulation.vendor
    first_of_well_known = next(
        day
        for day, row in vendor.rows.items()
        if row[f"FlowIn{vendor.well_known}Ntv"] != simulation.rows[day][f"FlowIn{vendor.well_known}Ntv"]
    )
    faults = (
        ("clock", "", vendor.header_from),
        ("labels", vendor.well_known, first_of_well_known),
        ("transaction", vendor.overlooked_exchange, vendor.overlooked_day),
    )
    found = [
        (finding.kind, finding.entity, day) for finding in check.diagnosis.findings for day in finding.days
    ]
    return [Planted(*fault, fault in found) for fault in faults]


def _write_inputs(simulation: Simulation, base: Path) -> dict[str, Path]:
    """Write the node's files, labels, prices and the books; gives the path of each, and of the ledger to be."""
    files = {
        "blocks": base / "node" / "regtest" / "blocks",
        "labels": base / "labels.csv",
        "prices": base / "prices.csv",
        "expected": base / "expected.csv",
        "vendor": base / "vendor.csv",
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
    except OSError as error:
        raise OutputError(f"{base}: cannot write the demonstration: {error.strerror or error}") from None
    labels = [
        (address_of(label.address.script, REGTEST), label.entity, label.category)
        for label in simulation.labels
    ]
    prices, books, vendor = simulation.prices, simulation.rows, simulation.vendor.rows
    writers = {
        "labels.csv": lambda path: write_csv(path, ("address", "entity", "category"), labels),
        "prices.csv": lambda path: write_csv(path, ("time", "PriceUSD"), prices.items()),
        "expected.csv": lambda path: _write_rows(path, books),
        "vendor.csv": lambda path: _write_rows(path, vendor),
    }
    write_together(base, writers)
    return files


def _write_rows(path: Path, rows: dict[date, Row]) -> None:
    """Daily series as the vendor's csv/btc.csv has them."""
    metrics = list(next(iter(rows.values())))
    write_csv(path, ("time", *metrics), ((day, *map(_text, row.values())) for day, row in rows.items()))


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
    """Yield the cells in which books and engine differ, and the days that only the engine has."""
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
