"""Who owns an account as of a transaction, and why: label, closure step, coinbase, payout (methodology 3)."""

from collections.abc import Collection, Iterator
from typing import Final, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from reflow.flows.catalog import EX, INCL, Metric
from reflow.flows.methodology import Methodology
from reflow.ledger.days import Blocks
from reflow.owners.owners import Owners
from reflow.store.relations import WANTED

Role = Literal["sender", "receiver", "filled", "emptied", ""]
"""`filled`: the account began to hold something in this transaction; `emptied`: it ceased to."""

AT_LAST: Final = 2**63 - 1
"""As of the end of the ledger, for `Owner.mines` and `Owner.reasons`."""


class Reason(NamedTuple):
    """Why an account belongs to an entity."""

    kind: Literal["label", "closure", "coinbase", "payout"]
    entity: str
    """Exchange code or a label's entity; `0-hop` or `1-hop` for mining accounts."""
    category: str
    """Of a label, else empty."""
    round: int
    """Of the closure, else 0."""
    tx: int | None
    """The transaction that made it a member; None for a label."""


class Owner(NamedTuple):
    """The memberships of one account: the columns of the query account_owners, and its first payout."""

    label: str | None
    category: str | None
    exchange: str | None
    round: int | None
    joined: int | None
    first_minted: int | None
    first_payout: int | None

    def mines(self, hop: int, tx: int, methodology: Methodology) -> bool:
        """Whether the account is in S_0 or S_1 as of a transaction."""
        ever = methodology.membership == "ever"
        minted = self.first_minted is not None and (ever or self.first_minted <= tx)
        if hop == 0:
            return minted
        paid = self.first_payout is not None and (ever or self.first_payout <= tx)
        return paid and not minted if methodology.one_hop == "exact" else paid or minted

    def by_end_of(self, day: int, blocks: Blocks, methodology: Methodology) -> "Owner":
        """The memberships at the end of the day with that number; ask for them as of AT_LAST."""
        if methodology.membership == "ever":
            return self

        def known(since: int | None) -> int | None:
            is_later = since is not None and blocks.day_of_tx(np.array([since]))[0] > day
            return None if is_later else since

        return self._replace(first_minted=known(self.first_minted), first_payout=known(self.first_payout))

    def reasons(self, tx: int, methodology: Methodology) -> Iterator[Reason]:
        """Every membership as of a transaction."""
        if self.label is not None:
            yield Reason("label", self.label, self.category or "", 0, None)
        if self.exchange is not None and self.round:
            yield Reason("closure", self.exchange, "", self.round, self.joined)
        if self.mines(0, tx, methodology):
            yield Reason("coinbase", "0-hop", "", 0, self.first_minted)
        elif self.mines(1, tx, methodology):
            yield Reason("payout", "1-hop", "", 0, self.first_payout)


def owners_of(known: Owners, accounts: Collection[int], methodology: Methodology) -> dict[int, Owner]:
    """The memberships of each account; `known` are the owners under `methodology`."""
    wanted = pa.table({"account": pa.array(sorted(accounts), pa.int64())})
    with known.store.lend(WANTED, wanted):
        payouts = {row["account"]: row["tx"] for row in known.store.rows("first_payouts")}
        found = known.store.rows("account_owners")
    exchanges_too = methodology.exchange_accounts_as_miners == "always"
    return {
        row.pop("account"): Owner(
            **row, first_payout=payouts.get(account) if exchanges_too or row["exchange"] is None else None
        )
        for row in found
        for account in [row["account"]]
    }


def role(metric: Metric, owner: Owner, tx: int, methodology: Methodology, *, is_debit: bool) -> Role:
    """What a debit's or credit's account is in the flow that `metric` counts: sender, receiver, or neither.

    If the metric names no sender or receiver (plain, Net), anyone else counts as one. If it has no direction
    (balances, TxExCnt), only accounts of its set count.
    """
    if metric.direction == "Net":
        return "sender" if is_debit else "receiver"
    ours = owner.exchange is not None and metric.entity in (owner.exchange, EX, INCL)
    mines = metric.hop is not None and owner.mines(metric.hop, tx, methodology)
    if not metric.direction:
        return ("sender" if is_debit else "receiver") if ours or mines else ""
    if metric.hop is None:  # the exchange and the rest; flows between exchanges count where each counts alone
        inside, outside = ours, not ours or metric.entity == INCL
    elif not metric.entity:  # miners and the rest
        inside, outside = mines, not mines
    elif metric.direction == "In":  # R is without S (methodology 9.7), here R are the miners
        inside, outside = mines and not ours, ours
    else:
        inside, outside = mines, ours and not mines
    sends, receives = (outside, inside) if metric.direction == "In" else (inside, outside)
    if is_debit:
        return "sender" if sends else ""
    return "receiver" if receives else ""
