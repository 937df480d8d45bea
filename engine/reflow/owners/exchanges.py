"""Exchange accounts: the labelled ones, closed under common inputs in rounds, with the conflicts on the way.

methodology 3 and 9.6. Each function is a stage of owners.py, which has their order; signers.py reads the
ledger, closure.py has the rounds.
"""

import hashlib
from collections import Counter
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from reflow.owners.closure import Claims, Found, close
from reflow.owners.labels import Labels
from reflow.owners.signers import find_common_inputs
from reflow.progress import Progress
from reflow.store.relations import (
    CLAIM,
    CLUSTER_COINJOIN,
    CLUSTER_CONFLICT,
    COINBASE_ACCOUNT,
    EXCHANGE,
    EXCHANGE_ACCOUNT,
    LABEL,
)
from reflow.store.store import Store

_RELATIONS: Final = {
    "joined": EXCHANGE_ACCOUNT,
    "conflict": CLUSTER_CONFLICT,
    "coinjoin": CLUSTER_COINJOIN,
}


class Clusters(NamedTuple):
    """The result of the closure in numbers; the relation `exchange_account` has the accounts."""

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


class ExchangeRule(NamedTuple):
    """The rule that gives accounts to exchanges."""

    labels: Labels
    closure: bool
    """Without it the labelled accounts are all there is (parameter `clusters = labels_only`)."""


def keep_labels(store: Store, rule: ExchangeRule, _: Progress) -> None:
    """Make `label`."""
    store.keep(LABEL, rule.labels.frame.select("account", "entity", "category").to_arrow())


def number_exchanges(store: Store, _rule: ExchangeRule, _: Progress) -> None:
    """Make `exchange`."""
    store.keep(EXCHANGE, "exchange_numbers")


def find_coinbase_accounts(store: Store, _rule: ExchangeRule, _: Progress) -> None:
    """Make `coinbase_account`."""
    store.keep(COINBASE_ACCOUNT, "coinbase_accounts")


def take_labelled_accounts(store: Store, _rule: ExchangeRule, _: Progress) -> None:
    """Make `exchange_account` as the labels have it, round 0."""
    store.keep(EXCHANGE_ACCOUNT, "labelled_exchange_accounts")


def close_under_common_inputs(store: Store, rule: ExchangeRule, progress: Progress) -> None:
    """Add to `exchange_account` in rounds until one adds nothing; make `cluster_conflict` and `cluster_coinjoin`.

    In `exchange_account`, `tx` is the first of the transactions by which an account joined in its round. In
    `cluster_conflict` are the accounts that joined nobody, with each claim and its transaction. In `cluster_coinjoin`
    are the CoinJoin-like transactions that claimed nothing for an exchange which signed them; once for each round that
    met them.
    """
    store.empty(CLUSTER_CONFLICT)
    store.empty(CLUSTER_COINJOIN)
    if not rule.closure:
        return
    known = store.columns("exchange_members")
    others = store.columns("unclaimable_accounts")["account"]
    labelled = Claims(
        known["account"], known["exchange"].astype(np.int64), np.full(len(known["account"]), -1)
    )

    def record(found: Found, number: int, claims: Claims) -> None:
        with store.lend(CLAIM, pa.table(claims._asdict())):
            store.add(_RELATIONS[found], f"cluster_{found}", round=number)
        if found == "joined" and len(claims.account):
            progress("closure", number, 0)

    with store.memory() as memory:
        close(find_common_inputs(store, memory, progress), labelled, others, memory, record)


def read_clusters(store: Store) -> Clusters:
    """Count the accounts that the stages found."""
    labelled, accounts, rounds = dict[str, int](), Counter[str](), 0
    for row in store.rows("cluster_rounds"):
        if row["round"] == 0:
            labelled[row["entity"]] = row["accounts"]
        accounts[row["entity"]] += row["accounts"]
        rounds = max(rounds, row["round"])
    [conflicts] = store.rows("conflict_count")
    return Clusters(labelled, dict(accounts), conflicts["accounts"], rounds, _digest(store))


def _digest(store: Store) -> str:
    digest = hashlib.sha256()
    for batch in store.reader("cluster_lines"):
        lines = batch.column("line").cast(pa.large_binary())
        _, offsets, text = lines.buffers()
        first, last = np.frombuffer(offsets, np.int64)[[lines.offset, lines.offset + len(lines)]]
        digest.update(text[first:last] if text is not None else b"")
    return digest.hexdigest()
