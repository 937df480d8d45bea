"""The result of `explain`: one cell and all its parts, as values and as JSON."""

from datetime import date
from typing import Any, NamedTuple

from reflow.amounts import VALUE_PLACES, plain
from reflow.explanations.reasons import Owner, Reason, Role
from reflow.flows.catalog import Metric
from reflow.flows.methodology import Methodology


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
    """Its role in the flow that the metric counts; may be empty."""
    reasons: list[Reason]


class Part(NamedTuple):
    """A transaction that adds to the cell."""

    tx: int
    amount: int
    """What it adds: sat, or a number for counts; Net metrics and end-of-day figures have negative ones."""
    debits: list[Party]
    credits: list[Party]


class JoinedPart(NamedTuple):
    """An account that became a member that day, or ceased to be one; it brings or takes what it held before."""

    account: int
    address: str
    """As a party's."""
    amount: int
    """Sat that it held at the end of the day before; negative if it ceased to be a member."""
    reasons: list[Reason]
    """As of the end of the day."""


class BlockPart(NamedTuple):
    """A block that adds to the cell of a control metric."""

    height: int
    block_hash: str
    amount: int
    """Sat, or a number for counts."""


class Explanation(NamedTuple):
    """One cell and all its parts."""

    metric: Metric
    day: date
    methodology: Methodology
    value: int | None
    """The cell as recompute has it, in 10**-18 units; None where it is not computable."""
    total: int
    """Sum of all parts, shown or not: sat, or a number for counts. For an end-of-day figure, its change that day."""
    before: int | None
    """For an end-of-day figure, its value of the day before, in the unit of `total`; both together make the cell.
    None for all others, and if nothing is known."""
    price: str | None
    """USD for one native unit that day, for a USD metric."""
    number: int
    """How many transactions or blocks there are in all."""
    parts: list[Part]
    """The largest ones, or all, largest first."""
    blocks: list[BlockPart]
    joined_number: int
    """How many accounts became members that day, or ceased to be, and held something before."""
    joined: list[JoinedPart]
    """The largest of them, or all, largest first."""
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
        """The cell as in metrics.csv; None if it is empty."""
        return None if self.value is None else plain(self.value, VALUE_PLACES)

    def facts(self) -> dict[str, Any]:
        """Everything as dictionaries and lists for JSON; amounts in sat, except `value`."""
        return {
            "metric": self.metric.id,
            "definition": self.metric.definition,
            "unit": self.metric.unit,
            "day": str(self.day),
            "methodology": self.methodology.name(),
            "value": self.cell(),
            "total": self.total,
            "before": self.before,
            "change": None if self.before is None else self.total,
            "price": self.price,
            "number": self.number,
            "transactions": [self._transaction(part) for part in self.parts],
            "blocks": [{"height": b.height, "hash": b.block_hash, "adds": b.amount} for b in self.blocks],
            "joined_number": self.joined_number,
            "joined": [self._joined(joined) for joined in self.joined],
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

    def _joined(self, joined: JoinedPart) -> dict[str, Any]:
        return {
            "account": joined.account,
            "address": joined.address,
            "adds": joined.amount,
            "reasons": [self._reason(reason) for reason in joined.reasons],
        }

    def _reason(self, reason: Reason) -> dict[str, Any]:
        told = reason._asdict()
        tx = told.pop("tx")
        if tx is not None:
            told |= {"height": self.names[tx].height, "txid": self.names[tx].txid}
        return told
