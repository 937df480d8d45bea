"""What `reflow explain` tells a person: the parts of a cell, who they are between, and why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from reflow.amounts import plain
from reflow.cli.console import complain, say

if TYPE_CHECKING:
    from pathlib import Path

    from reflow.explanations.explanation import Explanation, Party
    from reflow.explanations.reasons import Reason

_PARTIES: Final = 10
"""Accounts told of one side of a transaction; --json has all of them."""


def tell_explanation(found: "Explanation", files: Sequence["Path"]) -> None:
    """Transactions or blocks, and accounts that joined, largest first, then the sum and the cell."""
    say(f"{found.metric.id}, {found.day}: {found.metric.definition}")
    for part in found.parts:
        name = found.names[part.tx]
        say(f"\n{_amount(found, part.amount)}  height {name.height:,}  {name.txid}")
        _tell_side(found, "from", part.debits)
        _tell_side(found, "to", part.credits)
    for block in found.blocks:
        say(f"{_amount(found, block.amount)}  height {block.height:,}  {block.block_hash}")
    _tell_joined(found)
    _tell_sum(found)
    say(f"methodology   {found.methodology.name()}")
    for file in files:
        say(f"written       {file}")
    for warning in found.warnings:
        complain(f"warning: {warning}")


def _tell_joined(found: "Explanation") -> None:
    if found.joined:
        say("\naccounts that became members that day, or ceased to be, with what they held the day before:")
    for joined in found.joined:
        why = "; ".join(_reason(found, reason) for reason in joined.reasons)
        say(f"{_amount(found, joined.amount)}  {joined.address}  {why}")


def _tell_sum(found: "Explanation") -> None:
    things = "blocks" if found.blocks else "transactions"
    shown = len(found.parts) + len(found.blocks)
    hidden = f", the {shown:,} largest shown" if shown < found.number else ""
    joined = ""
    if found.joined_number:
        few = f", the {len(found.joined):,} largest shown" if len(found.joined) < found.joined_number else ""
        joined = f" and {found.joined_number:,} accounts that joined or left{few}"
    label = "sum" if found.before is None else "change"
    say(f"\n{label:<12}  {_amount(found, found.total)} in {found.number:,} {things}{hidden}{joined}")
    if found.before is not None:
        say(f"day before    {_amount(found, found.before)}")
    whole = found.total + (found.before or 0)
    priced = f" = {plain(whole)} at {found.price} USD" if found.price else ""
    say(f"cell          {found.cell() or 'null'}{priced}")


def _amount(found: "Explanation", amount: int) -> str:
    return f"{amount:,}" if found.metric.unit in ("count", "bytes") else plain(amount)


def _tell_side(found: "Explanation", way: str, parties: Sequence["Party"]) -> None:
    """Those who matter first; the others are a line together where they are many."""
    ordered = sorted(parties, key=lambda party: not (party.role or party.reasons))
    for party in ordered[:_PARTIES]:
        why = "; ".join(_reason(found, reason) for reason in party.reasons)
        counts = f"{party.role}: " if party.role else ""
        told = f"  {counts}{why or 'anyone'}" if party.role or why else ""
        directly = " (its key directly)" if party.to_key else ""
        say(f"    {way:<4}  {plain(party.value):>16}  {party.address}{directly}{told}")
    if rest := ordered[_PARTIES:]:
        say(f"    {way:<4}  {plain(sum(p.value for p in rest)):>16}  {len(rest):,} more accounts")


def _reason(found: "Explanation", reason: "Reason") -> str:
    if reason.tx is None:
        category = f" ({reason.category})" if reason.category != "exchange" else ""
        return f"{reason.entity}{category} by label"
    name = found.names[reason.tx]
    if reason.kind == "closure":
        return f"{reason.entity} by closure, round {reason.round}, transaction {name.txid}"
    if reason.kind == "coinbase":
        return f"0-hop by the coinbase of block {name.height:,}"
    return f"1-hop by payout {name.txid} in block {name.height:,}"
