"""What the closure made of each exchange: growth round by round, conflicts, CoinJoins skipped, and what looks wrong.

As files: accounts, conflicts and skipped CoinJoins as CSV, who brought whom in as GraphML.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import networkx as nx

from reflow.amounts import plain
from reflow.errors import LedgerError
from reflow.files import Writer, write_csv, write_together
from reflow.ledger.ledger import Ledger
from reflow.owners.labels import Labels
from reflow.owners.owners import Owners, find_owners
from reflow.progress import Progress, silent
from reflow.store.relations import ACCOUNT_BALANCE, CLUSTER_EDGE, LABEL_ADDRESS
from reflow.store.store import Store

GROWTH: Final = 10
"""A round that multiplies a cluster by more than this looks like two owners merged into one."""

GRAPH_ACCOUNTS: Final = 100_000
"""A graph of more accounts is for no person, and networkx needs about a kilobyte of memory for each."""


class Cluster(NamedTuple):
    """The accounts of one exchange."""

    entity: str
    """Exchange code."""
    labelled: int
    """Accounts with a label, the seeds of the closure."""
    joined: list[int]
    """Accounts that joined in round 1, 2, …, up to the last round in which any did."""
    balance: int
    """Sat that all its accounts hold at the tip of the ledger."""
    conflicts: int
    """Accounts that it claimed together with another exchange: they joined nobody."""
    coinjoins: int
    """CoinJoin-like transactions that it signed; they claimed nothing."""

    @property
    def accounts(self) -> int:
        """Accounts in all."""
        return self.labelled + sum(self.joined)


class Claim(NamedTuple):
    """An exchange's claim on an account in conflict; one row of queries/owners/cluster_claims_in_conflict.sql."""

    account: int
    entity: str
    round: int
    claims: int
    """Transactions that claim it for this exchange; height and txid are of the first."""
    height: int
    txid: str


class Leap(NamedTuple):
    """A round that added suspiciously many accounts to a cluster."""

    entity: str
    round: int
    before: int
    """Accounts before the round."""
    joined: int
    """Accounts that joined in it."""
    source: int
    """The account that brought most of them in."""
    accounts: int
    """How many it brought in."""
    height: int
    """Of the transaction by which `source` itself had joined: the one to look at."""
    txid: str

    def warning(self) -> str:
        """One line for a person."""
        return (
            f"{self.entity} grew suspiciously: round {self.round} added {self.joined:,} accounts to {self.before:,}, "
            f"{self.accounts:,} of them by account {self.source}, "
            f"which joined in transaction {self.txid} (height {self.height:,})"
        )


class ClusterReport(NamedTuple):
    """The result of `reflow clusters`."""

    clusters: list[Cluster]
    """In order of code."""
    conflicts: list[Claim]
    """In order of account and exchange; two rows or more for each account."""
    leaps: list[Leap]
    """Suspicious rounds."""
    without_graph: list[str]
    """Exchanges with too many accounts for a graph, if files were written."""
    files: list[Path]
    """What was written."""


def report_clusters(
    ledger: Ledger,
    labels: Labels,
    *,
    growth: int = GROWTH,
    out: str | Path | None = None,
    graph_accounts: int = GRAPH_ACCOUNTS,
    progress: Progress = silent,
) -> ClusterReport:
    """Close the labelled accounts under common inputs (methodology 3) and report each round.

    A round after the first is a leap if it adds more than `growth` times the accounts that the cluster had before
    it. The first round is exempt: a few labels may well stand for many accounts. With `out` a folder,
    `write_clusters` fills it.
    Raises LedgerError when the ledger is empty, OutputError when the files cannot be written.
    """
    if ledger.tip() is None:
        raise LedgerError(f"{ledger.path or 'ledger'}: no blocks in it yet, run ingest first")
    with ledger.store("report clusters") as store:
        owners = find_owners(store, labels, progress=progress)
        store.keep(ACCOUNT_BALANCE, "account_balances")
        store.keep(CLUSTER_EDGE, "cluster_edges")
        clusters = list(_clusters(store))
        conflicts = [Claim(**row) for row in store.rows("cluster_claims_in_conflict")]
        leaps = list(_leaps(store, clusters, growth))
        graphs = [cluster.entity for cluster in clusters if cluster.accounts <= graph_accounts]
        files = write_clusters(owners, labels, graphs, out) if out is not None else []
    too_large = [cluster.entity for cluster in clusters if cluster.entity not in graphs]
    return ClusterReport(clusters, conflicts, leaps, too_large if out is not None else [], files)


def facts(report: ClusterReport) -> dict[str, Any]:
    """The report as `reflow clusters --json` prints it; balances are plain decimals of native units."""
    clusters = [
        cluster._asdict() | {"accounts": cluster.accounts, "balance": plain(cluster.balance)}
        for cluster in report.clusters
    ]
    return report._asdict() | {
        "clusters": clusters,
        "conflicts": [claim._asdict() for claim in report.conflicts],
        "leaps": [leap._asdict() for leap in report.leaps],
    }


def _clusters(store: Store) -> Iterator[Cluster]:
    sizes: dict[str, list[int]] = {}
    for row in store.rows("cluster_rounds"):
        sizes.setdefault(row["entity"], []).append(
            row["accounts"]
        )  # an exchange that misses a round is at its end
    for row in store.rows("cluster_totals"):
        labelled, *joined = sizes[row["entity"]]
        yield Cluster(
            row["entity"], labelled, joined, int(row["balance"]), row["conflicts"], row["coinjoins"]
        )


def _leaps(store: Store, clusters: list[Cluster], growth: int) -> Iterator[Leap]:
    bridges = {(row["entity"], row["round"]): row for row in store.rows("cluster_bridges")}
    for cluster in clusters:
        before = cluster.labelled
        for number, joined in enumerate(cluster.joined, start=1):
            if number > 1 and joined > growth * before:
                bridge = bridges[cluster.entity, number]
                yield Leap(
                    cluster.entity,
                    number,
                    before,
                    joined,
                    *(bridge[key] for key in ("source", "accounts", "height", "txid")),
                )
            before += joined


def write_clusters(owners: Owners, labels: Labels, graphs: Sequence[str], out: str | Path) -> list[Path]:
    """Write the files of all clusters into the folder `out`, all or none; gives their paths.

    - accounts.csv: every exchange account: entity, account, address (labelled ones), round, balance (native units),
      and for those that joined in a round: source, height, txid (queries/cluster_members.sql).
    - conflicts.csv (queries/cluster_claims_in_conflict.sql), coinjoins.csv (queries/skipped_coinjoins.sql).
    - cluster-CODE.graphml for each exchange of `graphs`: a node for each account (address, round, balance), an edge
      from an account to each that joined by its signature (height, txid).

    The store of `owners` has account_balance and cluster_edge too. Raises OutputError.
    """
    store = owners.store
    store.keep(LABEL_ADDRESS, labels.frame.select("account", "address").to_arrow())
    writers: dict[str, Writer | None] = {
        "accounts.csv": partial(_write_answer, store, "cluster_members", {"entity": None}),
        "conflicts.csv": partial(_write_answer, store, "cluster_claims_in_conflict", {}),
        "coinjoins.csv": partial(_write_answer, store, "skipped_coinjoins", {}),
    }
    # A graph of an older run, whose cluster has none now, would be taken for one of this run.
    writers |= {path.name: None for path in Path(out).glob("cluster-*.graphml")}
    for entity in graphs:
        writers[f"cluster-{entity}.graphml"] = partial(_write_graph, store, entity)
    return write_together(out, writers)


def _answer(store: Store, name: str, parameters: dict[str, object]) -> Iterator[dict[str, Any]]:
    """Row by row; a balance as native units."""
    for batch in store.reader(name, **parameters):
        for row in batch.to_pylist():
            yield row | ({"balance": plain(int(row["balance"]))} if "balance" in row else {})


def _write_answer(store: Store, name: str, parameters: dict[str, object], path: Path) -> None:
    header = store.reader(name, **parameters).schema.names
    write_csv(path, header, (list(row.values()) for row in _answer(store, name, parameters)))


def _write_graph(store: Store, entity: str, path: Path) -> None:
    graph: nx.DiGraph[int] = nx.DiGraph(entity=entity)
    for row in _answer(store, "cluster_members", {"entity": entity}):
        known = {key: row[key] for key in ("address", "round", "balance") if row[key] is not None}
        graph.add_node(row["account"], **known)
        if row["source"] is not None:
            graph.add_edge(row["source"], row["account"], height=row["height"], txid=row["txid"])
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{line}\n" for line in nx.generate_graphml(graph))
