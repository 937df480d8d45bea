"""Exchange accounts: the labelled ones, closed under common inputs in rounds, with the conflicts on the way.

METHODOLOGY section 3 and 9.6. All results stay in the connection as temporary tables; the
queries/cluster_*.sql files are the steps of a round.
"""

import hashlib
from typing import Final, NamedTuple

from duckdb import DuckDBPyConnection

from reflow.entities.labels import Labels
from reflow.progress import Progress, silent
from reflow.resources import query
from reflow.tables import count, keep

_BATCH: Final = 100_000


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
    - `label` (account, entity, category), `coinbase_account` (account, since0).

    Without `closure` the labelled accounts are all there is (parameter `clusters = labels_only`).
    """
    con.register("incoming", labels.frame.select("account", "entity", "category").to_arrow())
    keep(con, "label", "SELECT account, entity, category FROM incoming")
    con.unregister("incoming")
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
    rounds = 0
    while _add_round(con, rounds + 1):
        rounds += 1
        progress("closure", rounds, 0)
    return rounds


def _add_round(con: DuckDBPyConnection, number: int) -> bool:
    keep(con, "claimant", query("cluster_claimants"), {"round": number - 1})
    keep(con, "coinjoin", query("coinjoin_transactions"))
    con.execute(f"INSERT INTO cluster_coinjoin {query('cluster_coinjoins')}")
    keep(con, "claim", query("cluster_claims"))
    con.execute(f"INSERT INTO cluster_conflict {query('cluster_conflicts')}", {"round": number})
    before = count(con, "SELECT count(*) FROM exchange_account")
    con.execute(f"INSERT INTO exchange_account {query('cluster_joins')}", {"round": number})
    return count(con, "SELECT count(*) FROM exchange_account") > before


def _digest(con: DuckDBPyConnection) -> str:
    digest = hashlib.sha256()
    for batch in con.sql(query("cluster_accounts")).to_arrow_reader(_BATCH):
        pairs = zip(batch.column("account").to_pylist(), batch.column("entity").to_pylist(), strict=True)
        digest.update("".join(f"{account},{entity}\n" for account, entity in pairs).encode())
    return digest.hexdigest()
