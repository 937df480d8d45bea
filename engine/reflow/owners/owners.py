"""Who owns which accounts: the stages in order. Each stage makes relations of reflow.store.relations."""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from reflow.owners.exchanges import (
    Clusters,
    ExchangeRule,
    close_under_common_inputs,
    find_coinbase_accounts,
    keep_labels,
    number_exchanges,
    read_clusters,
    take_labelled_accounts,
)
from reflow.owners.labels import Labels
from reflow.progress import Progress, silent
from reflow.store.relations import MINING_0HOP, MINING_TRANSACTION, PAYOUT
from reflow.store.store import Store


class MiningRule(NamedTuple):
    """The parameters that decide which accounts M0 paid; each rule has a number in `payout.rule`."""

    ever: bool = False
    """Members count in the whole history."""
    sent_wholly: bool = False
    """A transaction is sent by M0 only if every input is from M0."""
    exchange_accounts: bool = False
    """An exchange's account may be in M0 (methodology 9.7)."""


def find_0hop(store: Store, rule: MiningRule, _: int) -> None:
    """Make `mining_0hop`: members of M0, each from the tx `since0` on, -1 if always."""
    store.keep(MINING_0HOP, "mining_0hop", ever=rule.ever, exchanges=rule.exchange_accounts)


def find_mining_transactions(store: Store, rule: MiningRule, _: int) -> None:
    """Make `mining_transaction`: what M0 sent."""
    store.keep(MINING_TRANSACTION, "mining_transactions")
    if rule.sent_wholly:
        store.keep(MINING_TRANSACTION, "mining_transactions_wholly")


def add_payouts(store: Store, _rule: MiningRule, number: int) -> None:
    """Add to `payout` the accounts that M0 paid, which are M1, under the number of the rule."""
    store.add(PAYOUT, "mining_1hop", rule=number)


EXCHANGE_STAGES: Final = (
    keep_labels,
    number_exchanges,
    find_coinbase_accounts,
    take_labelled_accounts,
    close_under_common_inputs,
)
MINING_STAGES: Final = (find_0hop, find_mining_transactions, add_payouts)
"""For each rule; `mining_0hop` and `mining_transaction` are those of the last one, `payout` has all."""


class Owners(NamedTuple):
    """The owners that a store knows, and by which rules. A function that takes this value may read their relations."""

    store: Store
    exchanges: list[str]
    """The codes with a label, sorted."""
    clusters: Clusters
    rules: list[MiningRule]
    """Their places are the numbers in `payout.rule`."""
    accounts: int
    """How many accounts all these have, at most: one that has several owners counts as often."""
    seconds: dict[str, float]
    """How long it took: `closure`, `hops`."""


def find_owners(
    store: Store,
    labels: Labels,
    rules: Sequence[MiningRule] = (),
    *,
    closure: bool = True,
    progress: Progress = silent,
) -> Owners:
    """Find the accounts of exchanges, and those of miners under each of the rules; the relations are in `store`.

    Without `closure` the labelled accounts are all there is of exchanges. `progress` is called with the stages
    `common inputs` (spans of blocks), `closure` (rounds) and, if there are rules, `hops` (rules).
    """
    began = time.perf_counter()
    clusters = find_exchange_accounts(store, labels, closure=closure, progress=progress)
    closed = time.perf_counter()
    store.empty(PAYOUT)
    for number, rule in enumerate(rules):
        progress("hops", number, len(rules))
        find_mining_accounts(store, rule, number)
    if rules:
        progress("hops", len(rules), len(rules))
    [members] = store.rows("members_count")
    seconds = {"closure": round(closed - began, 3), "hops": round(time.perf_counter() - closed, 3)}
    return Owners(store, labels.exchanges(), clusters, list(rules), members["accounts"], seconds)


def find_exchange_accounts(
    store: Store, labels: Labels, *, closure: bool = True, progress: Progress = silent
) -> Clusters:
    """Go through EXCHANGE_STAGES."""
    for stage in EXCHANGE_STAGES:
        stage(store, ExchangeRule(labels, closure), progress)
    return read_clusters(store)


def find_mining_accounts(store: Store, rule: MiningRule, number: int) -> None:
    """Go through MINING_STAGES for one rule."""
    for stage in MINING_STAGES:
        stage(store, rule, number)
