"""Recompute every metric of METHODOLOGY section 6 from a ledger, labels and prices."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Final, NamedTuple

import duckdb
from duckdb import DuckDBPyConnection

from reflow.entities.clusters import Clusters, find_exchange_accounts
from reflow.entities.hops import find_mining_accounts
from reflow.entities.labels import Labels
from reflow.errors import LedgerError
from reflow.flows.catalog import Metric, catalog
from reflow.flows.days import read_blocks
from reflow.flows.methodology import REFERENCE, Methodology
from reflow.flows.prices import Prices, prices_of
from reflow.flows.sums import sum_flows
from reflow.flows.values import Values, control_series, metric_values
from reflow.ledger.ledger import Ledger, Tip, raise_if_storage_failed
from reflow.progress import Progress, silent

NO_PRICES: Final = prices_of({})


class Recomputation(NamedTuple):
    """The daily values of every metric, and all they were made from."""

    days: list[date]
    """Every day from the ledger's first to its last complete one, UTC."""
    metrics: list[Metric]
    """In the order of the columns of metrics.csv."""
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
    """Wall time by stage; the only part that differs between runs."""


def recompute(
    ledger: Ledger,
    labels: Labels,
    *,
    prices: Prices | None = None,
    methodology: Methodology = REFERENCE,
    progress: Progress = silent,
) -> Recomputation:
    """Compute all metrics of `ledger` under `methodology`; the ledger may be open for reading only.

    `progress` is called with a stage (`closure`: rounds; `hops`: steps; `flows`: transactions), what is
    done, and what there is in all (0: not known). The result depends on the content of ledger, labels and
    prices only.
    Raises LedgerError when the ledger is empty, or when memory or disk do not suffice.
    """
    tip = ledger.tip()
    if tip is None:
        raise LedgerError(f"{ledger.path or 'ledger'}: no blocks in it yet, run ingest first")
    seconds: dict[str, float] = {}
    prices = prices or NO_PRICES
    # A connection of its own: temporary tables live and die with it.
    con = ledger.con.cursor()
    try:
        with _timed(seconds, "closure"):
            closure = methodology.clusters == "common_input"
            clusters = find_exchange_accounts(con, labels, closure=closure, progress=progress)
        with _timed(seconds, "hops"):
            _find_miners(con, methodology, progress)
        with _timed(seconds, "flows"):
            blocks = read_blocks(con, methodology.clock)
            series = control_series(blocks)
            series |= sum_flows(con, blocks, labels.exchanges(), methodology, progress=progress)
    except duckdb.Error as error:
        raise_if_storage_failed(error, f"{ledger.path}: cannot recompute")
        raise
    finally:
        con.close()
    with _timed(seconds, "metrics"):
        metrics = catalog(labels.exchanges())
        days = blocks.days()
        values = {metric.id: metric_values(metric, series, days, prices.usd) for metric in metrics}
    return Recomputation(
        days=days,
        metrics=metrics,
        values=values,
        network=ledger.network.name,
        tip=tip,
        ledger_digest=ledger.digest(),
        label_digest=labels.digest,
        price_digest=prices.digest,
        clusters=clusters,
        methodology=methodology,
        seconds=seconds,
    )


def _find_miners(con: DuckDBPyConnection, methodology: Methodology, progress: Progress) -> None:
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
