"""One cell and all that it is made of, as values: what `explain` gives, and its form for scripts."""

from datetime import date
from typing import Any, NamedTuple

from reflow.amounts import VALUE_PLACES, plain
from reflow.flows.catalog import Metric
from reflow.flows.methodology import Methodology
from reflow.flows.owners import Owner, Reason, Role


class Name(NamedTuple):
    """What people call a transaction."""

    height: int
    txid: str
    block_hash: str
    position: int
    """In its block; 0 is the coinbase."""


class Party(NamedTuple):
    """An account that a transaction debits, or credits."""

    account: int
    address: str
    """The address; a script without one by its type; `account ID` where no script could be read."""
    to_key: bool
    """Whether some of it is paid to the public key behind the address directly (P2PK), as the block shows it."""
    value: int
    """Sat."""
    postings: int
    """How many inputs, or outputs."""
    role: Role
    """What it is in the flow that the metric counts; empty if it does not matter."""
    reasons: list[Reason]


class Part(NamedTuple):
    """A transaction that adds to the cell."""

    tx: int
    amount: int
    """Sat that it adds; a Net metric has negative ones."""
    debits: list[Party]
    credits: list[Party]


class BlockPart(NamedTuple):
    """A block that adds to the cell of a control metric."""

    height: int
    block_hash: str
    amount: int
    """Sat, or a number for counts."""


class Explanation(NamedTuple):
    """One cell, and all that it is made of."""

    metric: Metric
    day: date
    methodology: Methodology
    value: int | None
    """The cell as recompute has it, in 10**-18 units; None where it is not computable."""
    total: int
    """Sum of all parts, shown or not: sat, or a number for counts."""
    price: str | None
    """USD for one native unit that day, for a USD metric."""
    number: int
    """How many transactions or blocks there are in all."""
    parts: list[Part]
    """The largest ones, or all, largest first."""
    blocks: list[BlockPart]
    names: dict[int, Name]
    """Of every tx that a part or a reason mentions."""
    origins: dict[int, list[int]]
    """The tx of a payout to the mining accounts (0-hop) that sent it."""
    amounts: dict[tuple[int, int, bool], int]
    """(tx, account, is it a debit) to sat, of the payouts and coinbases that made accounts members."""
    owners: dict[int, Owner]
    addresses: dict[int, str]
    """Of every account that is mentioned."""
    warnings: list[str]

    def cell(self) -> str | None:
        """The cell as metrics.csv has it; None where it is empty."""
        return None if self.value is None else plain(self.value, VALUE_PLACES)

    def facts(self) -> dict[str, Any]:
        """All of it as plain dictionaries and lists, amounts in sat, for JSON."""
        return {
            "metric": self.metric.id,
            "definition": self.metric.definition,
            "day": str(self.day),
            "methodology": self.methodology.name(),
            "value": self.cell(),
            "total": self.total,
            "price": self.price,
            "number": self.number,
            "transactions": [self._transaction(part) for part in self.parts],
            "blocks": [{"height": b.height, "hash": b.block_hash, "adds": b.amount} for b in self.blocks],
            "warnings": self.warnings,
        }

    def _transaction(self, part: Part) -> dict[str, Any]:
        name = self.names[part.tx]
        return {
            "height": name.height,
            "txid": name.txid,
            "adds": part.amount,
            "debits": [self._party(party) for party in part.debits],
            "credits": [self._party(party) for party in part.credits],
        }

    def _party(self, party: Party) -> dict[str, Any]:
        told = party._asdict()
        told["reasons"] = [self._reason(reason) for reason in party.reasons]
        return told

    def _reason(self, reason: Reason) -> dict[str, Any]:
        told = reason._asdict()
        tx = told.pop("tx")
        if tx is not None:
            told |= {"height": self.names[tx].height, "txid": self.names[tx].txid}
        return told
