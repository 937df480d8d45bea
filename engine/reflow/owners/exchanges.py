"""Exchange accounts: the labelled ones, closed under common inputs in rounds, with the conflicts on the way.

METHODOLOGY section 3 and 9.6. All results stay in the connection as temporary tables; signers.py reads the ledger,
closure.py has the rounds.
"""

import hashlib
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection

from reflow.owners.closure import Claims, Found, close
from reflow.owners.labels import Labels
from reflow.owners.signers import find_common_inputs
from reflow.progress import Progress, silent
from reflow.store.duckdb import columns, count, keep, memory_for_arrays
from reflow.store.resources import query

_BATCH: Final = 100_000

_TABLES: Final = {
    "joined": "exchange_account",
    "conflict": "cluster_conflict",
    "coinjoin": "cluster_coinjoin",
}


class Clusters(NamedTuple):
    """What the closure found; the accounts themselves are in the temporary tables."""

    labelled: dict[str, int]
    """Exchange code to number of labelled accounts."""
    accounts: dict[str, int]
    """Exchange code to number of accounts after closure."""
    conflicts: int
    """Accounts that two or more exchanges claimed in one round."""
    rounds: int
    """Rounds that added accounts; 0 without closure."""
    digest: str
    """SHA-256 (hex) of the sorted (account, entity) of all exchange accounts."""


def find_exchange_accounts(
    con: DuckDBPyConnection, labels: Labels, *, closure: bool = True, progress: Progress = silent
) -> Clusters:
    """Make the temporary tables of exchange accounts in `con`, a connection to a ledger.

    - `exchange_account` (account, entity, round, tx): the result; round 0 is the labels, `tx` the first of the
      transactions by which an account joined in its round (null in round 0).
    - `cluster_conflict` (account, entity, tx, round): accounts that joined nobody, with each claim and its
      transaction.
    - `cluster_coinjoin` (entity, tx): CoinJoin-like transactions that claimed nothing for an exchange which signed
      them; once for each round that met them.
    - `label` (account, entity, category), `exchange` (entity, number), `coinbase_account` (account, since0).

    Without `closure` the labelled accounts are all there is (parameter `clusters = labels_only`).
    """
    con.register("incoming", labels.frame.select("account", "entity", "category").to_arrow())
    keep(con, "label", "SELECT account, entity, category FROM incoming")
    con.unregister("incoming")
    keep(con, "exchange", query("exchange_numbers"))
    keep(con, "coinbase_account", query("coinbase_accounts"))
    keep(con, "exchange_account", query("labelled_exchange_accounts"))
    keep(con, "cluster_conflict", query("no_conflicts"))
    keep(con, "cluster_coinjoin", query("no_coinjoins"))
    rounds = _close(con, progress) if closure else 0
    sizes = con.execute(query("cluster_sizes")).fetchall()
    return Clusters(
        labelled={entity: labelled for entity, labelled, _ in sizes},
        accounts={entity: accounts for entity, _, accounts in sizes},
        conflicts=count(con, "SELECT count(DISTINCT account) FROM cluster_conflict"),
        rounds=rounds,
        digest=_digest(con),
    )


def _close(con: DuckDBPyConnection, progress: Progress) -> int:
    """Rounds until one adds nothing; gives how many added something."""
    known = columns(con, query("exchange_members"))
    others = columns(con, query("unclaimable_accounts"))["account"]
    labelled = Claims(
        known["account"], known["exchange"].astype(np.int64), np.full(len(known["account"]), -1)
    )

    def record(found: Found, number: int, claims: Claims) -> None:
        con.register("incoming", pa.table(claims._asdict()))
        con.execute(f"INSERT INTO {_TABLES[found]} {query(f'cluster_{found}')}", {"round": number})
        con.unregister("incoming")
        if found == "joined" and len(claims.account):
            progress("closure", number, 0)

    with memory_for_arrays(con) as memory:
        return close(find_common_inputs(con, memory, progress), labelled, others, memory, record)


def _digest(con: DuckDBPyConnection) -> str:
    digest = hashlib.sha256()
    for batch in con.sql(query("cluster_lines")).to_arrow_reader(_BATCH):
        lines = batch.column("line").cast(pa.large_binary())
        _, offsets, text = lines.buffers()
        first, last = np.frombuffer(offsets, np.int64)[[lines.offset, lines.offset + len(lines)]]
        digest.update(text[first:last] if text is not None else b"")
    return digest.hexdigest()
