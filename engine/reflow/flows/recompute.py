"""Recompute every metric of methodology 6 from a ledger, labels and prices."""

import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import chain
from typing import Final, NamedTuple

from reflow.errors import LedgerError
from reflow.flows.catalog import Metric, SumKey, catalog, chosen_exchanges, select, sums_behind
from reflow.flows.methodology import REFERENCE, Methodology
from reflow.flows.postings import rule_of
from reflow.flows.prices import Prices, prices_of
from reflow.flows.sums import sum_flows
from reflow.flows.values import Series, Valuation, Values, control_series
from reflow.ledger.days import Blocks, read_blocks
from reflow.ledger.kept_days import KEPT, read_figures
from reflow.ledger.ledger import Ledger, Tip
from reflow.owners.exchanges import Clusters
from reflow.owners.labels import Labels
from reflow.owners.owners import Owners, find_owners
from reflow.progress import Progress, silent
from reflow.store.store import Store

NO_PRICES: Final = prices_of({})


class Recomputation(NamedTuple):
    """The daily values of every metric, and all they were made from."""

    days: list[date]
    """Every day from the ledger's first to its last complete one, UTC."""
    metrics: list[Metric]
    """In the order of the columns of metrics.csv."""
    selected: bool
    """Whether only some metrics were asked for, not the whole catalogue."""
    left_out: list[str]
    """Labelled exchanges that have no metrics of their own here; they count in those of all exchanges."""
    values: dict[str, Values]
    """Metric id to one value a day: an integer number of 10**-18 units of the metric, or None."""
    network: str
    tip: Tip
    ledger_digest: str
    label_digest: str
    price_digest: str
    clusters: Clusters
    methodology: Methodology
    seconds: dict[str, float]
    """Wall time by stage, shared stages included; the only part that differs between runs."""


def recompute(
    ledger: Ledger,
    labels: Labels,
    *,
    prices: Prices | None = None,
    methodology: Methodology = REFERENCE,
    metrics: Sequence[str] = (),
    exchanges: Sequence[str] | None = None,
    progress: Progress = silent,
) -> Recomputation:
    """Compute the metrics of `ledger` under `methodology`; the ledger may be open for reading only.

    `metrics` are ids and patterns (see `catalog.select`) of the whole catalogue. Without them the catalogue of
    `exchanges` is computed: codes or `all`; if left out, the vendor's exchanges and those in your own label files (see
    `catalog.chosen_exchanges`).
    `progress` is called with a stage (`common inputs`: spans of blocks; `closure`: rounds; `hops`: rules of who mines;
    `days`: days that the ledger does not keep; `flows`: transactions), what is done, and what there is in all (0: not
    known). The result depends on the content of ledger, labels and prices only.
    Raises LedgerError when the ledger is empty, or when memory or disk do not suffice, and MetricError when
    there is no such metric.
    """
    [result] = recompute_each(
        ledger,
        labels,
        [methodology],
        prices=prices,
        metrics=metrics,
        exchanges=exchanges,
        progress=progress,
    )
    return result


def recompute_many(
    ledger: Ledger,
    labels: Labels,
    methodologies: Sequence[Methodology],
    *,
    prices: Prices | None = None,
    metrics: Sequence[str] = (),
    exchanges: Sequence[str] | None = None,
    progress: Progress = silent,
) -> list[Recomputation]:
    """The results of `recompute` under each methodology, in their order, with what they share done once.

    All results are in memory at the end; `recompute_each` gives one after the other.
    """
    found = {
        result.methodology: result
        for result in recompute_each(
            ledger,
            labels,
            methodologies,
            prices=prices,
            metrics=metrics,
            exchanges=exchanges,
            progress=progress,
        )
    }
    return [found[methodology] for methodology in methodologies]


def recompute_each(
    ledger: Ledger,
    labels: Labels,
    methodologies: Sequence[Methodology],
    *,
    prices: Prices | None = None,
    metrics: Sequence[str] = (),
    exchanges: Sequence[str] | None = None,
    progress: Progress = silent,
) -> Iterator[Recomputation]:
    """The result of `recompute` under each different methodology, each as soon as it is there.

    Methodologies that share most follow each other, so the order may change. Equal `clusters` share the closure. If the
    clock is equal too, they share the pass over the ledger; mining accounts are found once for each `MiningRule`. One
    set of members is in memory at a time, however many methodologies there are; results are made one by one.
    """
    tip = ledger.tip()
    if tip is None:
        raise LedgerError(f"{ledger.path or 'ledger'}: no blocks in it yet, run ingest first")
    labelled = labels.exchanges()
    chosen = chosen_exchanges(labelled, labels.shipped_only, exchanges)
    wanted = select(catalog(labelled if metrics and exchanges is None else chosen), metrics)
    left_out = [] if metrics else sorted(set(labelled) - set(chosen))
    prices, ledger_digest, seconds = prices or NO_PRICES, ledger.digest(), dict[str, float]()
    for clusters, methodology, blocks, series in _series(
        ledger, labels, methodologies, sums_behind(wanted), seconds, progress
    ):
        days = blocks.days()
        with _timed(seconds, "metrics"):
            valuation = Valuation(series, days, prices.usd)
            values = {metric.id: valuation.of(metric) for metric in wanted}
        yield Recomputation(
            days=days,
            metrics=wanted,
            selected=bool(metrics),
            left_out=left_out,
            values=values,
            network=ledger.network.name,
            tip=tip,
            ledger_digest=ledger_digest,
            label_digest=labels.digest,
            price_digest=prices.digest,
            clusters=clusters,
            methodology=methodology,
            seconds=dict(seconds),
        )


def _series(
    ledger: Ledger,
    labels: Labels,
    methodologies: Sequence[Methodology],
    needed: Collection[SumKey],
    seconds: dict[str, float],
    progress: Progress,
) -> Iterator[tuple[Clusters, Methodology, Blocks, Series]]:
    """The daily sums that are needed, and maybe more, under each methodology."""
    of_clock: dict[str, tuple[Blocks, Series]] = {}
    with ledger.store("recompute") as store:
        for owners, alike in _passes(store, labels, methodologies, seconds, progress):
            clock = alike[0].clock
            if clock not in of_clock:
                with _timed(seconds, "days"):
                    blocks = read_blocks(store, clock)
                    kept = Series()
                    if any((name, "") in needed for name in KEPT):
                        figures = read_figures(store, blocks, clock, progress=progress)
                        kept = {(name, ""): numbers for name, numbers in figures.items()}
                    of_clock[clock] = blocks, control_series(blocks) | kept
            with _timed(seconds, "flows"):
                blocks, known = of_clock[clock]
                found = sum_flows(owners, blocks, alike, needed, progress=progress)
                series = next(found)
            for methodology, own in zip(alike, chain([series], found), strict=True):
                yield owners.clusters, methodology, blocks, known | own


def _passes(
    store: Store,
    labels: Labels,
    methodologies: Sequence[Methodology],
    seconds: dict[str, float],
    progress: Progress,
) -> Iterator[tuple[Owners, list[Methodology]]]:
    """Methodologies that share a pass over the ledger, once the owners are found that it needs."""
    for same_closure in _groups(dict.fromkeys(methodologies), lambda one: one.closure):
        owners = owners_under(store, labels, same_closure, progress)
        seconds |= owners.seconds
        for alike in _groups(same_closure, lambda one: one.clock):
            yield owners, alike


def owners_under(
    store: Store, labels: Labels, methodologies: Sequence[Methodology], progress: Progress
) -> Owners:
    """The owners under these methodologies, which agree on the closure."""
    rules = list(dict.fromkeys(rule_of(each) for each in methodologies))
    return find_owners(store, labels, rules, closure=methodologies[0].closure, progress=progress)


def _groups(
    methodologies: Iterable[Methodology], key: Callable[[Methodology], Hashable]
) -> list[list[Methodology]]:
    groups: dict[Hashable, list[Methodology]] = {}
    for methodology in methodologies:
        groups.setdefault(key(methodology), []).append(methodology)
    return list(groups.values())


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - start, 3)
