"""Recompute every metric of METHODOLOGY section 6 from a ledger, labels and prices."""

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Final, NamedTuple

import duckdb
from duckdb import DuckDBPyConnection

from reflow.entities.clusters import Clusters, find_exchange_accounts
from reflow.entities.hops import find_mining_accounts
from reflow.entities.labels import Labels
from reflow.errors import LedgerError
from reflow.flows.catalog import Metric, catalog, select
from reflow.flows.days import Blocks, read_blocks
from reflow.flows.methodology import REFERENCE, Methodology
from reflow.flows.prices import Prices, prices_of
from reflow.flows.sums import ACTIVE, sum_flows
from reflow.flows.values import Series, Values, control_series, metric_values
from reflow.ledger.ledger import Ledger, Tip, raise_if_storage_failed
from reflow.progress import Progress, silent

NO_PRICES: Final = prices_of({})


class Recomputation(NamedTuple):
    """The daily values of every metric, and all they were made from."""

    days: list[date]
    """Every day from the ledger's first to its last complete one, UTC."""
    metrics: list[Metric]
    """In the order of the columns of metrics.csv."""
    selected: bool
    """Whether they are some that were asked for, not the whole catalogue."""
    values: dict[str, Values]
    """Metric id to one value a day: an integer number of 10**-8 units of the metric, or None."""
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
    progress: Progress = silent,
) -> Recomputation:
    """Compute the metrics of `ledger` under `methodology`; the ledger may be open for reading only.

    `metrics` are ids and patterns (see `catalog.select`); without any the whole catalogue is computed.
    `progress` is called with a stage (`closure`: rounds; `hops`: steps; `flows`: transactions), what is
    done, and what there is in all (0: not known). The result depends on the content of ledger, labels and
    prices only.
    Raises LedgerError when the ledger is empty, or when memory or disk do not suffice, and MetricError when
    there is no such metric.
    """
    [result] = recompute_each(
        ledger, labels, [methodology], prices=prices, metrics=metrics, progress=progress
    )
    return result


def recompute_many(
    ledger: Ledger,
    labels: Labels,
    methodologies: Sequence[Methodology],
    *,
    prices: Prices | None = None,
    metrics: Sequence[str] = (),
    progress: Progress = silent,
) -> list[Recomputation]:
    """The results of `recompute` under each methodology, in their order, with what they share done once.

    All results are in memory at the end; `recompute_each` gives one after the other.
    """
    found = {
        result.methodology: result
        for result in recompute_each(
            ledger, labels, methodologies, prices=prices, metrics=metrics, progress=progress
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
    progress: Progress = silent,
) -> Iterator[Recomputation]:
    """The result of `recompute` under each different methodology, each as soon as it is there.

    Those that share most come after each other, so the order may be another. Equal `clusters` share the closure;
    those that also agree on `membership`, `exchange_accounts_as_miners` and whether `sender` is `all_inputs`
    share the mining accounts; those that differ in no more than `netting`, `one_hop` and `sender` share the pass
    over the ledger. One set of members is in memory at a time, however many methodologies there are.
    """
    tip = ledger.tip()
    if tip is None:
        raise LedgerError(f"{ledger.path or 'ledger'}: no blocks in it yet, run ingest first")
    wanted = select(catalog(labels.exchanges()), metrics)
    prices, ledger_digest, seconds = prices or NO_PRICES, ledger.digest(), dict[str, float]()
    for clusters, methodology, blocks, series in _series(ledger, labels, methodologies, seconds, progress):
        days = blocks.days()
        with _timed(seconds, "metrics"):
            values = {metric.id: metric_values(metric, series, days, prices.usd) for metric in wanted}
        yield Recomputation(
            days=days,
            metrics=wanted,
            selected=bool(metrics),
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
    seconds: dict[str, float],
    progress: Progress,
) -> Iterator[tuple[Clusters, Methodology, Blocks, Series]]:
    """All daily sums under each methodology."""
    of_clock: dict[str, tuple[Blocks, Series]] = {}
    # A connection of its own: temporary tables live and die with it.
    con = ledger.con.cursor()
    try:
        for clusters, alike in _passes(con, labels, methodologies, seconds, progress):
            with _timed(seconds, "flows"):
                clock = alike[0].clock
                if first := clock not in of_clock:
                    blocks = read_blocks(con, clock)
                    of_clock[clock] = blocks, control_series(blocks)
                blocks, known = of_clock[clock]
                found = sum_flows(con, blocks, labels.exchanges(), alike, active=first, progress=progress)
                if first:
                    known[ACTIVE] = found[0][ACTIVE]
            for methodology, series in zip(alike, found, strict=True):
                yield clusters, methodology, blocks, known | series
    except duckdb.Error as error:
        raise_if_storage_failed(error, f"{ledger.path}: cannot recompute")
        raise
    finally:
        con.close()


def _passes(
    con: DuckDBPyConnection,
    labels: Labels,
    methodologies: Sequence[Methodology],
    seconds: dict[str, float],
    progress: Progress,
) -> Iterator[tuple[Clusters, list[Methodology]]]:
    """Methodologies that share a pass over the ledger, once the temporary tables that it needs are made."""
    for same_closure in _groups(dict.fromkeys(methodologies), lambda one: one.clusters):
        with _timed(seconds, "closure"):
            closure = same_closure[0].clusters == "common_input"
            clusters = find_exchange_accounts(con, labels, closure=closure, progress=progress)
        for same_miners in _groups(same_closure, _mining_rules):
            with _timed(seconds, "hops"):
                find_miners(con, same_miners[0], progress)
            for alike in _groups(same_miners, lambda one: one.clock):
                yield clusters, alike


def _groups(
    methodologies: Iterable[Methodology], key: Callable[[Methodology], Hashable]
) -> list[list[Methodology]]:
    groups: dict[Hashable, list[Methodology]] = {}
    for methodology in methodologies:
        groups.setdefault(key(methodology), []).append(methodology)
    return list(groups.values())


def _mining_rules(methodology: Methodology) -> Hashable:
    """All that decides who is a mining member."""
    return (
        methodology.membership,
        methodology.exchange_accounts_as_miners,
        methodology.sender == "all_inputs",
    )


def find_miners(con: DuckDBPyConnection, methodology: Methodology, progress: Progress) -> None:
    """Make the temporary tables of mining accounts (see `find_mining_accounts`) as `methodology` has them."""
    progress("hops", 0, 1)
    find_mining_accounts(
        con,
        ever=methodology.membership == "ever",
        sent_wholly=methodology.sender == "all_inputs",
        exchange_accounts=methodology.exchange_accounts_as_miners != "never",
    )
    progress("hops", 1, 1)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - start, 3)
