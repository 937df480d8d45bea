"""Clusters as files: accounts, conflicts and skipped CoinJoins as CSV, joins as GraphML."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import networkx as nx

from reflow.amounts import plain
from reflow.files import Writer, write_csv, write_together
from reflow.owners.labels import Labels
from reflow.owners.owners import Owners
from reflow.store.relations import LABEL_ADDRESS
from reflow.store.store import Store

GRAPH_ACCOUNTS: Final = 100_000
"""Nobody can read a graph of more accounts, and networkx needs about a kilobyte of memory for each."""


def write_clusters(owners: Owners, labels: Labels, graphs: Sequence[str], out: str | Path) -> list[Path]:
    """Write the files of all clusters into the folder `out`, all or none; gives their paths.

    - accounts.csv: every exchange account: entity, account, address (labelled ones), round, balance (native units),
      and for those that joined in a round: source, height, txid (query cluster_members).
    - conflicts.csv (query cluster_claims_in_conflict), coinjoins.csv (query skipped_coinjoins).
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
