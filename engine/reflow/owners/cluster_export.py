"""Clusters as files: accounts, conflicts and skipped CoinJoins as CSV, who brought whom in as GraphML."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import networkx as nx
from duckdb import DuckDBPyConnection

from reflow.amounts import plain
from reflow.files import write_csv, write_together
from reflow.owners.labels import Labels
from reflow.store.duckdb import keep
from reflow.store.resources import query

GRAPH_ACCOUNTS: Final = 100_000
"""A graph of more accounts is for no person, and networkx needs about a kilobyte of memory for each."""

_BATCH: Final = 50_000


def write_clusters(
    con: DuckDBPyConnection, labels: Labels, graphs: Sequence[str], out: str | Path
) -> list[Path]:
    """Write the files of all clusters into the folder `out`, all or none; gives their paths.

    - accounts.csv: every exchange account: entity, account, address (labelled ones), round, balance (native units),
      and for those that joined in a round: source, height, txid (queries/cluster_members.sql).
    - conflicts.csv (queries/cluster_claims_in_conflict.sql), coinjoins.csv (queries/skipped_coinjoins.sql).
    - cluster-CODE.graphml for each exchange of `graphs`: a node for each account (address, round, balance), an edge
      from an account to each that joined by its signature (height, txid).

    `con` has the temporary tables of `find_exchange_accounts`, account_balance and cluster_edge. Raises OutputError.
    """
    con.register("incoming", labels.frame.select("account", "address").to_arrow())
    keep(con, "label_address", "SELECT account, address FROM incoming")
    con.unregister("incoming")
    writers: dict[str, Callable[[Path], None]] = {
        "accounts.csv": partial(_write_answer, con, "cluster_members", {"entity": None}),
        "conflicts.csv": partial(_write_answer, con, "cluster_claims_in_conflict", {}),
        "coinjoins.csv": partial(_write_answer, con, "skipped_coinjoins", {}),
    }
    for entity in graphs:
        writers[f"cluster-{entity}.graphml"] = partial(_write_graph, con, entity)
    return write_together(out, writers)


def _answer(con: DuckDBPyConnection, name: str, parameters: dict[str, object]) -> Iterator[dict[str, Any]]:
    """Row by row; a balance as native units."""
    for batch in con.sql(query(name), params=parameters).to_arrow_reader(_BATCH):
        for row in batch.to_pylist():
            yield row | ({"balance": plain(int(row["balance"]))} if "balance" in row else {})


def _write_answer(con: DuckDBPyConnection, name: str, parameters: dict[str, object], path: Path) -> None:
    header = con.sql(query(name), params=parameters).columns
    write_csv(path, header, (list(row.values()) for row in _answer(con, name, parameters)))


def _write_graph(con: DuckDBPyConnection, entity: str, path: Path) -> None:
    graph: nx.DiGraph[int] = nx.DiGraph(entity=entity)
    for row in _answer(con, "cluster_members", {"entity": entity}):
        known = {key: row[key] for key in ("address", "round", "balance") if row[key] is not None}
        graph.add_node(row["account"], **known)
        if row["source"] is not None:
            graph.add_edge(row["source"], row["account"], height=row["height"], txid=row["txid"])
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{line}\n" for line in nx.generate_graphml(graph))
