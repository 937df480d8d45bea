"""The verbs of owners: `labels check` reads label files, `pools` and `clusters` show which accounts are whose."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reflow.amounts import plain
from reflow.cli import console, options
from reflow.cli.console import complain, print_table, say
from reflow.network import MAIN

if TYPE_CHECKING:
    from reflow.owners.cluster_report import ClusterReport
    from reflow.owners.labels import LabelReport
    from reflow.owners.pools import PoolReport

_MATRIX_COLUMNS: Final = 4
"""Exchanges in the table of the terminal; files have all."""
_CONFLICTS_SHOWN: Final = 20
"""Claims in conflict that the terminal shows; files have all."""


def labels_check(
    files: options.LabelFiles,
    network: options.LabelNetwork = None,
    ledger: Annotated[
        Path | None,
        typer.Option(metavar="LEDGER", help="Count the labels that no output of this ledger pays."),
    ] = None,
    prefer_later: options.PreferLater = False,
    as_json: options.Json = False,
) -> None:
    """Show what is in label files, and all errors in them."""
    from reflow.owners.labels import check_labels

    if ledger is None:
        report = check_labels(files, network or MAIN, prefer_later=prefer_later)
    else:
        from reflow.ledger.ledger import Ledger

        with Ledger.open(ledger, network, read_only=True) as opened:
            report = check_labels(files, opened.network, prefer_later=prefer_later, ledger=opened)
    if as_json:
        console.print_json(report._asdict())
    else:
        _print_labels(report)
    if report.errors:
        raise typer.Exit(1)


def _print_labels(report: "LabelReport") -> None:
    """Every entity with its number of accounts, then replaced labels and all errors."""
    unseen = report.unseen or {}
    rows = [
        (
            entity,
            category,
            f"{count:,}",
            *([] if report.unseen is None else [f"{len(unseen.get(category, {}).get(entity, [])):,}"]),
            "not in exchange-names.csv" if entity in report.unknown and category == "exchange" else "",
        )
        for category, entities in report.counts.items()
        for entity, count in entities.items()
    ]
    never = () if report.unseen is None else ("never seen on chain",)
    print_table(("entity", "category", "accounts", *never, ""), rows)
    for line in report.overridden:
        say(f"replaced      {line}")
    for error in report.errors:
        complain(error)


def pools(
    ledger: options.Ledger,
    labels: options.LabelsOfPools = None,
    pool_files: options.PoolFiles = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write pools.csv, blocks.csv and matrix.csv there.")
    ] = None,
    prefer_later: options.PreferLater = False,
    memory: options.Memory = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Find the pool of every block: blocks and rewards per pool and day, and what pools sent to exchanges."""
    from reflow.files import hold
    from reflow.owners.labels import read_labels
    from reflow.owners.pool_files import read_pools
    from reflow.owners.pools import facts, report_pools

    with (
        hold(*filter(None, [out])),
        options.open_ledger(ledger, quiet=as_json, memory=memory, threads=threads) as (opened, progress),
    ):
        data = read_pools(pool_files, opened.network)
        labelled = read_labels(labels, opened.network, prefer_later=prefer_later) if labels else None
        report = report_pools(opened, data, labelled, out=out, progress=progress)
    if as_json:
        console.print_json(facts(report))
    else:
        _print_pools(report)


def _print_pools(report: "PoolReport") -> None:
    """Every pool with its share, what it sent to exchanges, and where the files are."""
    from reflow.owners.pools import shown

    blocks = report.blocks()
    span = f"{report.first_day} to {report.last_day}" if blocks else "no complete day yet"
    say(f"{blocks:,} blocks, {span}")
    columns = ("pool", "blocks", "share", "by payout address", "by tag", "rewards")
    rows = [
        (
            shown(total.entity),
            f"{total.blocks:,}",
            f"{100 * total.blocks / max(blocks, 1):.2f} %",
            f"{total.payouts:,}",
            f"{total.tags:,}",
            plain(total.reward),
        )
        for total in report.totals
    ]
    print_table(columns, rows, title="Pools")
    _print_matrix(report)
    for file in report.files:
        say(f"written       {file}")


def _print_matrix(report: "PoolReport") -> None:
    """What each pool sent to the largest exchanges."""
    from reflow.owners.pools import shown

    if not report.matrix:
        return
    exchanges = report.largest(_MATRIX_COLUMNS)
    flows = [
        (shown(pool), *(plain(row[code]) for code in exchanges))
        for pool, row in report.matrix.items()
        if row["Ex"]
    ]
    title = f"Flows from pools to exchanges (0-hop), the {len(exchanges) - 1} largest of {len(report.exchanges())}"
    print_table(("pool", *exchanges), flows, title=title)


def clusters(
    ledger: options.Ledger,
    labels: options.Labels,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write accounts, conflicts, CoinJoins and graphs there."),
    ] = None,
    growth: Annotated[
        int,
        typer.Option(
            min=1,
            max=options.MOST,
            metavar="N",
            help="Warn of a round that adds more than N times a cluster's size.",
        ),
    ] = 10,
    graph_accounts: Annotated[
        int,
        typer.Option(min=0, max=options.MOST, metavar="N", help="No graph of a cluster with more accounts."),
    ] = 100_000,
    prefer_later: options.PreferLater = False,
    memory: options.Memory = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Show how the accounts of each exchange were found: labels, rounds of the closure, conflicts, odd growth."""
    from reflow.files import hold
    from reflow.owners.cluster_report import facts, report_clusters
    from reflow.owners.labels import read_labels

    with (
        hold(*filter(None, [out])),
        options.open_ledger(ledger, quiet=as_json, memory=memory, threads=threads) as (opened, progress),
    ):
        labelled = read_labels(labels, opened.network, prefer_later=prefer_later)
        report = report_clusters(
            opened, labelled, growth=growth, out=out, graph_accounts=graph_accounts, progress=progress
        )
    if as_json:
        console.print_json(facts(report))
    else:
        _print_clusters(report)


def _print_clusters(report: "ClusterReport") -> None:
    """Every cluster with its rounds, the conflicts, where the files are, and what looks wrong."""
    columns = (
        *("exchange", "labelled", "accounts", "holds", "conflicts"),
        *("CoinJoins skipped", "joined by round"),
    )
    rows = [
        (
            cluster.entity,
            f"{cluster.labelled:,}",
            f"{cluster.accounts:,}",
            plain(cluster.balance),
            f"{cluster.conflicts:,}",
            f"{cluster.coinjoins:,}",
            " + ".join(f"{joined:,}" for joined in cluster.joined) or "none",
        )
        for cluster in report.clusters
    ]
    print_table(columns, rows, title="Clusters")
    for claim in report.conflicts[:_CONFLICTS_SHOWN]:
        by = f"{claim.txid} (height {claim.height:,}) and {claim.claims - 1:,} more"
        say(f"conflict      account {claim.account} claimed by {claim.entity} in round {claim.round}: {by}")
    if (more := len(report.conflicts) - _CONFLICTS_SHOWN) > 0:
        say(f"conflict      {more:,} more claims; --out or --json lists all")
    for file in report.files:
        say(f"written       {file}")
    for entity in report.without_graph:
        complain(f"warning: {entity} has more accounts than --graph-accounts: no graph")
    for leap in report.leaps:
        complain(f"warning: {leap.warning()}")
