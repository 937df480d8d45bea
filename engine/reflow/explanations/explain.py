"""Take one cell apart: its transactions or blocks, who paid whom, and why each of them counts.

The amounts come from the same queries as recompute's (parts.py), so their sum is the published cell.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cached_property

import numpy as np
import pyarrow as pa

from reflow.errors import LedgerError, MetricError
from reflow.explanations.changes import day_changes
from reflow.explanations.explanation import BlockPart, Explanation, JoinedPart, Name, Part, Party
from reflow.explanations.parts import Contributions, contributions
from reflow.explanations.reasons import AT_LAST, Role, owners_of, role
from reflow.flows.catalog import SUPPLY, Metric, catalog, explainable, made_of
from reflow.flows.methodology import REFERENCE, Methodology
from reflow.flows.prices import Prices
from reflow.flows.recompute import NO_PRICES, owners_under
from reflow.flows.values import block_amounts, metric_values
from reflow.ledger.days import Blocks, read_blocks
from reflow.ledger.ledger import Ledger
from reflow.ledger.scripts import Origin, Posting, find_scripts
from reflow.owners.labels import Labels
from reflow.owners.owners import Owners
from reflow.progress import Progress, silent
from reflow.script import describe
from reflow.store.relations import WANTED_TX
from reflow.store.store import Store


def explain(
    ledger: Ledger,
    labels: Labels,
    metric_id: str,
    day: date,
    *,
    prices: Prices | None = None,
    methodology: Methodology = REFERENCE,
    origin: Origin = Origin(),  # noqa: B008  # immutable
    limit: int | None = None,
    progress: Progress = silent,
) -> Explanation:
    """Take apart the cell of `metric_id` on `day`, as recompute makes it with the same labels, prices, methodology.

    An end-of-day figure is taken apart into the changes of that day. `limit` keeps the largest parts; value and total
    always cover all. `origin` says where blocks can be read again, for addresses that the ledger does not keep.
    Raises MetricError for an unknown id and for a metric without parts, LedgerError for a day that is not a complete
    day of the ledger, SourceError if `origin` cannot be read.
    """
    with open_session(
        ledger, labels, prices=prices, methodology=methodology, origin=origin, progress=progress
    ) as session:
        return explain_cell(session, metric_id, day, limit=limit)


@dataclass(frozen=True)
class ExplainSession:
    """A ledger ready to take cells apart; work that depends only on labels and methodology is done once."""

    ledger: Ledger
    labels: Labels
    prices: Prices
    methodology: Methodology
    origin: Origin
    progress: Progress
    store: Store
    blocks: Blocks

    @cached_property
    def owners(self) -> Owners:
        """The accounts of exchanges and miners, found on first use: only flows and balances need them."""
        return owners_under(self.store, self.labels, [self.methodology], self.progress)


@contextmanager
def open_session(
    ledger: Ledger,
    labels: Labels,
    *,
    prices: Prices | None = None,
    methodology: Methodology = REFERENCE,
    origin: Origin = Origin(),  # noqa: B008  # immutable
    progress: Progress = silent,
) -> Iterator[ExplainSession]:
    """The argument of `explain_cell` and `parts_of`, for any number of cells; takes the arguments of `explain`."""
    with ledger.store("explain") as store:
        blocks = read_blocks(store, methodology.clock)
        yield ExplainSession(
            ledger, labels, prices or NO_PRICES, methodology, origin, progress, store, blocks
        )


def explain_cell(
    session: ExplainSession,
    metric_id: str,
    day: date,
    *,
    limit: int | None = None,
    found: Contributions | None = None,
) -> Explanation:
    """Take one cell apart as `explain` does.

    `found` are its contributions, if they are known (see `parts_of`), or some of them, or others that might have
    counted: total and number are of these.
    """
    metric = _metric(metric_id, session.labels.exchanges())
    number = _number(session.blocks, day)
    usd = session.prices.usd
    cell = Explanation(
        metric=metric,
        day=day,
        methodology=session.methodology,
        value=None,
        total=0,
        before=None,
        price=str(usd[day]) if metric.unit == "USD" and day in usd else None,
        number=0,
        parts=[],
        blocks=[],
        joined_number=0,
        joined=[],
        names={},
        origins={},
        amounts={},
        owners={},
        addresses={},
        warnings=[],
    )
    if metric.adds == "blocks" or metric.sums == SUPPLY:
        return _explain_blocks(session, cell, number, limit)
    found = found or parts_of(session, metric_id, day)
    explained = _explain_transactions(session, cell, number, found, limit)
    return _with_addresses(session.ledger, session.labels, explained, session.origin)


def parts_of(session: ExplainSession, metric_id: str, day: date) -> Contributions:
    """What each transaction adds to the cell or its change, for a metric made of transactions."""
    metric = _metric(metric_id, session.labels.exchanges())
    number = _number(session.blocks, day)
    cell = session.owners, session.blocks, number, metric, session.methodology, session.prices.usd
    if metric.adds == "changes":
        return day_changes(*cell, progress=session.progress)
    return contributions(*cell)


def _metric(metric_id: str, exchanges: Sequence[str]) -> Metric:
    metrics = {metric.id: metric for metric in catalog(exchanges)}
    if metric_id not in metrics:
        near = get_close_matches(metric_id, metrics, n=3, cutoff=0.0)
        raise MetricError(f"no metric {metric_id} with these labels; the nearest: {', '.join(near)}")
    metric = metrics[metric_id]
    if not metric.adds:
        parts = _made_of(metric, metrics)
        hint = f"it is made of {', '.join(parts)}"
        if not parts:
            hint = f"{metric.definition} What can be explained: {explainable()}"
        raise MetricError(f"{metric_id} is not a sum over one day's transactions or blocks; {hint}")
    return metric


def _made_of(metric: Metric, metrics: Mapping[str, Metric]) -> list[str]:
    """The ids of the metrics behind a ratio, a mean or a derived metric; empty for all others."""
    if metric.derived:
        return [part.id for part in made_of(metric)]
    if metric.ratio is None:
        return []
    sums = metric.sums, metric.ratio.of
    found = (part for part in metrics.values() if part.adds and part.unit != "USD" and not part.minus)
    parts = {part.sums: part.id for part in found if part.sums in sums and part.entity == metric.entity}
    return [parts[name] for name in sums if name in parts]


def _number(blocks: Blocks, day: date) -> int:
    days = blocks.days()
    if not days:
        raise LedgerError(f"{day}: the ledger has no complete day yet")
    if not days[0] <= day <= days[-1]:
        raise LedgerError(f"{day}: no complete day of the ledger, expected {days[0]} to {days[-1]}")
    return (day - days[0]).days


def block_parts(store: Store, blocks: Blocks, metric: Metric, places: Sequence[int]) -> list[BlockPart]:
    """What the blocks at these places add to a control metric, in the order given."""
    amounts = block_amounts(blocks)[metric.sums]
    first_tx = {place: int(blocks.columns["first_tx"][place]) for place in places}
    names = _names(store, list(first_tx.values()))
    return [
        BlockPart(names[tx].height, names[tx].block_hash, int(amounts[place]))
        for place, tx in first_tx.items()
    ]


def _explain_blocks(session: ExplainSession, cell: Explanation, day: int, limit: int | None) -> Explanation:
    """The blocks of a day with what each adds to a control metric."""
    blocks, metric = session.blocks, cell.metric
    amounts = block_amounts(blocks)[metric.sums]
    today = np.flatnonzero(blocks.day == day)
    total = int(amounts[today].sum())
    before = int(amounts[blocks.day < day].sum()) if metric.adds == "changes" else None
    series = {(metric.sums, ""): [total + (before or 0)]}
    [value] = metric_values(metric, series, [cell.day], session.prices.usd)
    shown = _largest({block: int(amounts[block]) for block in today.tolist()}, limit)
    return cell._replace(
        value=value,
        total=total,
        before=before,
        number=len(today),
        blocks=block_parts(session.store, blocks, metric, shown),
        warnings=_why_null(cell, value),
    )


def _explain_transactions(
    session: ExplainSession, cell: Explanation, day: int, found: Contributions, limit: int | None
) -> Explanation:
    store, method = session.store, session.methodology
    shown = _largest(found.of_tx, limit)
    change = found.change
    joined = change.joined if change else {}
    shown_joined = _largest(joined, limit)
    with store.lend(WANTED_TX, _wanted(shown)):
        postings = store.rows("transaction_parties")
    known = owners_of(session.owners, {row["account"] for row in postings}.union(shown_joined), method)
    at_end = {account: owner.by_end_of(day, session.blocks, method) for account, owner in known.items()}
    turns = change.turns.among(shown) if change and change.turns else {}
    parties: dict[tuple[int, bool], list[Party]] = {}
    for row in postings:
        is_debit, tx, account = row.pop("is_debit"), row.pop("tx"), row["account"]
        row["value"] = int(row["value"])
        owner, as_of = known[account], tx
        if change and cell.metric.hop is not None:  # who is a member by the end of the day counts all day
            owner, as_of = at_end[account], AT_LAST
        plays: Role = ""
        if change and change.turns:
            plays = _turn(turns.get((tx, account), 0), is_debit=is_debit)
        elif row["value"] or is_debit:  # a credit of nothing gives nothing
            plays = role(cell.metric, owner, as_of, method, is_debit=is_debit)
        reasons = list(owner.reasons(as_of, method))
        party = Party(**row, address="", to_key=False, role=plays, reasons=reasons)
        parties.setdefault((tx, is_debit), []).append(party)
    parts = [
        Part(tx, found.of_tx[tx], parties.get((tx, True), []), parties.get((tx, False), [])) for tx in shown
    ]
    return _with_origins(
        session.owners,
        cell._replace(
            value=found.value,
            total=sum(found.of_tx.values()) + sum(joined.values()),
            before=change.before if change else None,
            number=len(found.of_tx),
            parts=parts,
            joined_number=len(joined),
            joined=[
                JoinedPart(account, "", joined[account], list(at_end[account].reasons(AT_LAST, method)))
                for account in shown_joined
            ],
            owners=known,
            warnings=_why_null(cell, found.value),
        ),
    )


def _largest(amounts: Mapping[int, int], limit: int | None) -> list[int]:
    return sorted(amounts, key=lambda key: (-abs(amounts[key]), key))[:limit]


def _turn(turn: int, *, is_debit: bool) -> Role:
    if is_debit:
        return "emptied" if turn < 0 else ""
    return "filled" if turn > 0 else ""


def _why_null(cell: Explanation, value: int | None) -> list[str]:
    if value is not None:
        return []
    if cell.metric.unit == "USD" and cell.price is None:
        return [f"{cell.metric.id} is null on {cell.day}: no price that day"]
    return [f"{cell.metric.id} is null: exchange {cell.metric.entity} has no label, so nothing is known"]


def _with_origins(owners: Owners, cell: Explanation) -> Explanation:
    """The explanation with names of all transactions, the mining accounts behind payouts, and their amounts."""
    reasons = [r for part in cell.parts for party in (*part.debits, *part.credits) for r in party.reasons]
    reasons += [reason for joined in cell.joined for reason in joined.reasons]
    payouts = {r.tx for r in reasons if r.kind == "payout" and r.tx is not None}
    store = owners.store
    origins: dict[int, list[int]] = {}
    with store.lend(WANTED_TX, _wanted(payouts)):
        for row in store.rows("payout_senders"):
            origins.setdefault(row["tx"], []).append(row["account"])
    pools = owners_of(owners, {a for senders in origins.values() for a in senders}, cell.methodology)
    known = cell.owners | pools
    minted = {owner.first_minted for owner in known.values() if owner.first_minted is not None}
    with store.lend(WANTED_TX, _wanted(payouts | minted)):
        amounts = {
            (row["tx"], row["account"], row["is_debit"]): int(row["value"])
            for row in store.rows("transaction_parties")
            if row["account"] in known
        }
    mentioned = {r.tx for r in reasons if r.tx is not None} | {part.tx for part in cell.parts} | minted
    names = _names(store, mentioned)
    return cell._replace(names=names, origins=origins, amounts=amounts, owners=known)


def _names(store: Store, transactions: Collection[int]) -> dict[int, Name]:
    with store.lend(WANTED_TX, _wanted(transactions)):
        return {
            row["tx"]: Name(row["height"], row["txid"].hex(), row["block_hash"].hex(), row["position"])
            for row in store.rows("named_transactions")
        }


def _with_addresses(ledger: Ledger, labels: Labels, cell: Explanation, origin: Origin) -> Explanation:
    accounts = cell.owners.keys()
    known = dict(zip(labels.frame["account"], labels.frame["script"], strict=True))
    labelled = {account: known[account] for account in accounts if known.get(account)}
    places: dict[bytes, set[int]] = {}
    made_members = {r.tx for joined in cell.joined for r in joined.reasons if r.tx is not None}
    for tx in {part.tx for part in cell.parts} | made_members:
        name = cell.names[tx]
        places.setdefault(bytes.fromhex(name.block_hash), set()).add(name.position)
    found = find_scripts(ledger, accounts, places, origin, labelled)
    scripts = found.of_account
    addresses = {
        account: describe(scripts[account], ledger.network) if account in scripts else f"account {account}"
        for account in sorted(accounts)
    }
    warnings = [*cell.warnings, *([found.warning] if found.warning else [])]
    parts = [
        part._replace(
            debits=_addressed(part.debits, addresses, found.to_key, cell.names[part.tx], is_debit=True),
            credits=_addressed(part.credits, addresses, found.to_key, cell.names[part.tx], is_debit=False),
        )
        for part in cell.parts
    ]
    joined = [part._replace(address=addresses[part.account]) for part in cell.joined]
    return cell._replace(parts=parts, joined=joined, addresses=addresses, warnings=warnings)


def _addressed(
    parties: list[Party], addresses: Mapping[int, str], to_key: set[Posting], name: Name, *, is_debit: bool
) -> list[Party]:
    place = bytes.fromhex(name.block_hash), name.position, is_debit
    return [
        party._replace(address=addresses[party.account], to_key=Posting(*place, party.account) in to_key)
        for party in parties
    ]


def _wanted(values: Collection[int]) -> pa.Table:
    return pa.table({"tx": pa.array(sorted(values), pa.int64())})
