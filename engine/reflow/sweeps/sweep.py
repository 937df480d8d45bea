"""Try many methodologies over one ledger and rank them by their distance to the vendor's series."""

import hashlib
from collections.abc import Sequence
from datetime import date
from time import perf_counter
from typing import Final, NamedTuple

from reflow.crosscheck.compare import Tolerance
from reflow.errors import LedgerError, MethodologyError, VendorError
from reflow.flows.prices import Prices
from reflow.flows.recompute import Recomputation, recompute_each
from reflow.ledger.days import read_blocks
from reflow.ledger.ledger import Ledger, Tip
from reflow.owners.labels import Labels
from reflow.progress import Progress, silent
from reflow.sweeps.distance import Distance, measure
from reflow.sweeps.grid import Grid, read_grid
from reflow.sweeps.ranking import By, Measured, SingleChange, Variant, alike, rank, single_changes, tied
from reflow.sweeps.targets import Target, comparable, find_targets, left_out
from reflow.vendor.files import Vendor

LIMIT: Final = 100
"""Most methodologies in a sweep, unless more are allowed."""


class SweepResult(NamedTuple):
    """Every methodology of a grid against the vendor's series."""

    grid: Grid
    variants: list[Variant]
    """Closest first."""
    changes: list[SingleChange]
    """From the grid's base, and from the best."""
    metrics: list[str]
    """The compared metrics, in the order of the catalogue."""
    left_out: dict[str, list[str]]
    """Reason (see targets.REASONS) to the vendor's metrics that were not compared."""
    days: list[date]
    """The complete days of every clock in the grid: on these the vendor's values are compared."""
    by: By
    tolerance: Tolerance
    network: str
    tip: Tip
    digests: dict[str, str]
    """SHA-256 (hex) of `ledger`, `labels`, `prices` and `vendor`."""
    seconds: float
    """Wall time; the only part that differs between runs."""

    @property
    def best(self) -> Variant:
        """The first of the ranking."""
        return self.variants[0]

    @property
    def alike(self) -> list[list[Variant]]:
        """Methodologies with equal series: no vendor's series can tell them apart on these days."""
        return alike(self.variants)

    @property
    def tied(self) -> list[list[Variant]]:
        """Methodologies with different series at the same distance from the vendor's."""
        return tied(self.variants, self.by)


def sweep(
    ledger: Ledger,
    labels: Labels,
    vendor: Vendor,
    *,
    grid: Grid | None = None,
    prices: Prices | None = None,
    metrics: Sequence[str] = (),
    tolerance: Tolerance = Tolerance(),  # noqa: B008  # immutable
    by: By = "distance",
    limit: int = LIMIT,
    progress: Progress = silent,
) -> SweepResult:
    """Recompute under every methodology of `grid` (that of the package if left out) and rank them.

    Shared work is done once (see `recompute_each`). Only scores are kept, so memory does not grow with the number of
    methodologies. distance.py explains the scores; `by` says which one ranks. `metrics` are ids and patterns (see
    `comparable`). `progress` counts methodologies.
    Raises MethodologyError for more than `limit` methodologies, VendorError if there is nothing to compare, and
    what `recompute` raises.
    """
    start, grid = perf_counter(), grid or read_grid()
    if len(grid.methodologies) > limit:
        raise MethodologyError(
            f"the grid has {len(grid.methodologies)} methodologies, expected at most {limit}, or a higher limit"
        )
    wanted = [metric.id for metric in comparable(labels, metrics)]
    days = _common_days(ledger, grid)
    targets = find_targets(vendor, wanted, set(days))
    if not targets:
        raise VendorError(f"{vendor.source}: {_nothing(vendor, wanted, days)}")
    measured, run = _measure_all(ledger, labels, grid, prices, targets, tolerance, progress)
    compared = [metric for metric in targets if all(metric in each.metrics for each in measured)]
    if not compared:
        raise VendorError(
            f"{vendor.source}: {len(targets)} metrics to compare, but no labels or prices for any of them"
        )
    variants = rank([_only(each, compared) for each in measured], by)
    return SweepResult(
        grid=grid,
        variants=variants,
        changes=single_changes(variants, (grid.base, variants[0].methodology)),
        metrics=compared,
        left_out=left_out(vendor, labels, wanted, targets, compared),
        days=days,
        by=by,
        tolerance=tolerance,
        network=run.network,
        tip=run.tip,
        digests={
            "ledger": run.ledger_digest,
            "labels": run.label_digest,
            "prices": run.price_digest,
            "vendor": vendor.digest,
        },
        seconds=perf_counter() - start,
    )


def _common_days(ledger: Ledger, grid: Grid) -> list[date]:
    """The days that are complete under every clock of the grid: all methodologies are compared on the same days."""
    if ledger.tip() is None:
        raise LedgerError(f"{ledger.path or 'ledger'}: no blocks in it yet, run ingest first")
    clocks = dict.fromkeys(methodology.clock for methodology in grid.methodologies)
    with ledger.store("sweep") as store:
        complete = [set(read_blocks(store, clock).days()) for clock in clocks]
    return sorted(set.intersection(*complete))


def _nothing(vendor: Vendor, wanted: Sequence[str], days: Sequence[date]) -> str:
    """Why nothing can be compared."""
    common = [metric for metric in wanted if metric in vendor.table]
    if not common:
        return f"no metric to compare, expected one such as {', '.join(wanted[:3])}"
    theirs = sorted({day for metric in common for day in vendor.table[metric]})
    spans = [f"{span[0]} to {span[-1]}" if span else "none" for span in (theirs, days)]
    return (
        f"no value on a complete day of the ledger: the vendor's days are {spans[0]}, the ledger's {spans[1]}"
    )


def _measure_all(
    ledger: Ledger,
    labels: Labels,
    grid: Grid,
    prices: Prices | None,
    targets: dict[str, Target],
    tolerance: Tolerance,
    progress: Progress,
) -> tuple[list[Measured], Recomputation]:
    """Every methodology in the grid's order, and one run, for what all share."""
    distances: dict[tuple[str, str], Distance] = {}
    measured: dict[object, Measured] = {}
    total = len(grid.methodologies)

    def tell(stage: str, done: int, of: int) -> None:
        progress(f"{stage} {100 * done // of} %" if of else stage, len(measured), total)

    for run in recompute_each(
        ledger, labels, grid.methodologies, prices=prices, metrics=list(targets), progress=tell
    ):
        measured[run.methodology] = _measure(run, targets, tolerance, distances)
        progress("methodologies", len(measured), total)
    return [measured[methodology] for methodology in grid.methodologies], run._replace(values={})


def _measure(
    run: Recomputation,
    targets: dict[str, Target],
    tolerance: Tolerance,
    distances: dict[tuple[str, str], Distance],
) -> Measured:
    """Measure one methodology; `distances` remembers results, as many methodologies share series."""
    measured = Measured(run.methodology, run.clusters.digest, {}, {})
    for metric, target in targets.items():
        aligned = target.beside(run.days, run.values[metric])
        if not aligned.days:
            continue
        digest = hashlib.sha256(repr((aligned.days, aligned.ours)).encode()).hexdigest()
        if (metric, digest) not in distances:
            distances[metric, digest] = measure(metric, aligned, tolerance)
        measured.series[metric], measured.metrics[metric] = digest, distances[metric, digest]
    return measured


def _only(measured: Measured, metrics: Sequence[str]) -> Measured:
    return measured._replace(
        metrics={metric: measured.metrics[metric] for metric in metrics},
        series={metric: measured.series[metric] for metric in metrics},
    )
