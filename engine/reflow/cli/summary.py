"""What a verb tells a person at its end: its result in a few lines."""

from pathlib import Path
from typing import TYPE_CHECKING

from reflow.amounts import plain
from reflow.cli.console import complain, say, say_table
from reflow.cli.summary_crosscheck import tell_diagnosis
from reflow.flows.methodology import PURPOSES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reflow.flows.catalog import Metric
    from reflow.flows.recompute import Recomputation
    from reflow.ledger.ingest import IngestResult
    from reflow.ledger.verify import Verification
    from reflow.owners.cluster_report import ClusterReport
    from reflow.owners.labels import LabelReport
    from reflow.owners.pools import PoolReport
    from reflow.report.report import Written
    from reflow.simulate.demo import DemoResult

_MATRIX_COLUMNS = 4
"""Exchanges in a table for a person; files have all."""
_CONFLICTS_SHOWN = 20
"""Claims in conflict that a person is shown; files have all."""


def tell_ingest(ledger: Path, result: "IngestResult") -> None:
    """What came in, how fast, where the ledger stands now, and what is odd about the source."""
    rate = result.byte_count / 1e6 / max(result.seconds, 1e-9)
    if result.rolled_back:
        say(f"rolled back   {result.rolled_back:,} blocks that are not on the best chain any more")
    say(f"blocks        {result.blocks:,} appended, {result.transactions:,} transactions")
    say(f"speed         {result.byte_count / 1e6:,.1f} MB in {result.seconds:,.1f} s, {rate:,.0f} MB/s")
    if result.days_kept:
        say(f"days          {result.days_kept:,} complete days computed and kept")
    say(f"tip           {result.height:,}  {result.tip_hash}")
    say(f"ledger        {ledger} ({result.network})")
    for warning in result.warnings:
        complain(f"warning: {warning}")


def tell_verification(result: "Verification") -> None:
    """What the ledger holds, the digest of every 10,000 blocks, and the first faults, one line each."""
    count = result.rows
    rate = (count["debit"] + count["credit"]) / 1e6 / max(result.seconds, 1e-9)
    rows = [(f"{chunk.first_height:,} to {chunk.last_height:,}", chunk.digest) for chunk in result.chunks]
    say_table(("heights", "digest"), rows)
    say(f"rows          {count['tx']:,} transactions, {count['debit']:,} debits, {count['credit']:,} credits")
    say(f"speed         {result.seconds:,.1f} s, {rate:,.1f} M debits and credits a second")
    say(f"supply        {plain(result.supply)}")
    say(f"tip           {result.height:,}  {result.tip_hash}")
    say(f"digest        {result.digest} ({result.network})")
    for fault in result.faults:
        complain(str(fault))
    if result.fault_count > len(result.faults):
        complain(f"{result.fault_count:,} faults in all, the first {len(result.faults)} are told")
    elif not result.fault_count:
        say("faults        none")


def tell_labels(report: "LabelReport") -> None:
    """Every entity with its number of accounts, then what a later file replaced and all that is wrong."""
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
    say_table(("entity", "category", "accounts", *never, ""), rows)
    for line in report.overridden:
        say(f"replaced      {line}")
    for error in report.errors:
        complain(error)


def tell_recomputation(result: "Recomputation", files: list[Path]) -> None:
    """What was computed from what, and where it is."""
    days, clusters = result.days, result.clusters
    span = f"{days[0]} to {days[-1]}" if days else "no complete day yet"
    say(f"days          {len(days):,}, {span}")
    say(f"metrics       {len(result.metrics):,}, methodology {result.methodology.name()}")
    if result.left_out:
        say(
            f"left out      {len(result.left_out):,} exchanges that the vendor does not have; --exchanges all"
        )
    say(f"accounts      {sum(clusters.accounts.values()):,} of {len(clusters.accounts)} exchanges")
    say(f"conflicts     {clusters.conflicts:,} accounts claimed by several exchanges")
    say(f"ledger        {result.network}, height {result.tip.height:,}")
    for file in files:
        say(f"written       {file}")


def tell_metrics(metrics: "Sequence[Metric]", seeds: "Collection[str]") -> None:
    """Every metric in a line, and the presets in another each."""
    rows = [
        (one.id, one.definition, one.unit, one.section, "seed" if one.id in seeds else "") for one in metrics
    ]
    say_table(("id", "definition", "unit", "section", ""), rows, left=2)
    for name, purpose in PURPOSES.items():
        say(f"preset        {name}: {purpose}")


def tell_pools(report: "PoolReport") -> None:
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
    say_table(columns, rows, title="Pools")
    if report.matrix:
        exchanges = report.largest(_MATRIX_COLUMNS)
        flows = [
            (shown(pool), *(plain(row[code]) for code in exchanges))
            for pool, row in report.matrix.items()
            if row["Ex"]
        ]
        title = f"Flows from pools to exchanges (0-hop), the {len(exchanges) - 1} largest of {len(report.exchanges())}"
        say_table(("pool", *exchanges), flows, title=title)
    for file in report.files:
        say(f"written       {file}")


def tell_clusters(report: "ClusterReport") -> None:
    """Every cluster with its rounds, the conflicts, where the files are, and what looks wrong."""
    columns = (
        "exchange",
        "labelled",
        "accounts",
        "holds",
        "conflicts",
        "CoinJoins skipped",
        "joined by round",
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
    say_table(columns, rows, title="Clusters")
    for claim in report.conflicts[:_CONFLICTS_SHOWN]:
        by = f"{claim.txid} (height {claim.height:,}) and {claim.claims - 1:,} more"
        say(f"conflict      account {claim.account} claimed by {claim.entity} in round {claim.round}: {by}")
    if len(report.conflicts) > _CONFLICTS_SHOWN:
        say(
            f"conflict      {len(report.conflicts) - _CONFLICTS_SHOWN:,} claims more: --out or --json tells all"
        )
    for file in report.files:
        say(f"written       {file}")
    for entity in report.without_graph:
        complain(f"warning: {entity} has more accounts than --graph-accounts: no graph")
    for leap in report.leaps:
        complain(f"warning: {leap.warning()}")


def tell_report(result: "Written") -> None:
    """The verdict, layer by layer, what explains differences, and where the report is."""
    say(f"verdict       {result.verdict}")
    for layer, state in result.layers.items():
        say(f"{layer:<14}{state}")
    for finding in result.findings:
        say(f"- {finding}")
    page, *charts = result.files
    say(
        f"report        {page}: {result.days:,} days, {result.metrics:,} metrics, {result.size / 1e6:,.1f} MB"
    )
    if charts:
        say(f"charts        {len(charts):,} files in {charts[0].parent}")
    for text in result.missing:
        complain(f"not in the report: {text}")


def tell_demo(result: "DemoResult") -> None:
    """The flows of each exchange, how many cells agree, and where the files are."""
    say(
        f"A simulated economy of {result.ingested.height:,} blocks, "
        f"{result.first_day} to {result.last_day}:\nits blk and rev files ingested, its metrics recomputed."
    )
    columns = ("exchange", "from miners", "to miners", "from miners, USD", "to miners, USD")
    rows = [
        (
            "all (Ex)" if flow.exchange == "Ex" else flow.exchange,
            f"{flow.from_miners:,.8f}",
            f"{flow.to_miners:,.8f}",
            f"{flow.from_miners_usd:,.2f}",
            f"{flow.to_miners_usd:,.2f}",
        )
        for flow in result.flows
    ]
    say_table(columns, rows, title="Flows between exchanges and miners (within one hop), all days")
    agreed = result.cells - len(result.disagreements)
    say(f"{agreed:,} of {result.cells:,} cells of the simulator's own books agree with the engine's.")
    say("\nA simulated vendor publishes the same series, with three faults. The cross-check:\n")
    tell_diagnosis(result.check.diagnosis)
    say(f"verdict       {result.check.diagnosis.text}")
    for fault in result.planted:
        told = " of ".join(part for part in (fault.kind, fault.exchange) if part)
        say(f"planted       {told}, {fault.day}: {'named' if fault.named else 'NOT named'}")
    say("")
    for name, path in result.files.items():
        say(f"{name:<20}{path}")
    for cell in result.disagreements[:20]:
        complain(f"{cell.day} {cell.metric}: found {cell.found}, expected {cell.expected}")
