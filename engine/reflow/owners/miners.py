"""Mining entities: M0, the accounts that coinbases pay, and M1, the accounts that M0 pays (methodology 3).

Each function is a stage of owners.py, which has their order.
"""

from typing import NamedTuple

from reflow.store.relations import MINING_0HOP, MINING_TRANSACTION, PAYOUT
from reflow.store.store import Store


class MiningRule(NamedTuple):
    """All that decides which accounts M0 paid; one number of `payout.rule` each."""

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
