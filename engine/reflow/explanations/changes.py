"""What changed that day in an end-of-day figure: balances of exchanges and miners, accounts that hold something.

recompute's own passes over the ledger up to that day give the figure at the end of the day and of the day before. This
module adds up what each transaction changed, over the accounts of the day. Both must agree.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from reflow.explanations.parts import Change, Contributions, Turns, raise_if_parts_differ
from reflow.flows.catalog import HOLDERS, Metric, sums_behind
from reflow.flows.kernels import Bools
from reflow.flows.methodology import Methodology
from reflow.flows.sums import sum_flows
from reflow.flows.values import Series, metric_values
from reflow.ledger.days import Blocks, Ints, Longs
from reflow.ledger.kept_days import read_figures
from reflow.owners.owners import Owners
from reflow.progress import Progress, silent
from reflow.store.relations import ACCOUNT_CHANGE, EARLIER_BALANCE, MEMBER, WANTED_ACCOUNT, Relation
from reflow.store.store import Store

_NEVER: Final = np.iinfo(np.int64).max


class _Parts(NamedTuple):
    """The changes of a figure, in sat or numbers."""

    of_tx: dict[int, int]
    joined: dict[int, int]
    turns: Turns | None


def day_changes(
    owners: Owners,
    blocks: Blocks,
    day: int,
    metric: Metric,
    methodology: Methodology,
    usd: dict[date, Decimal],
    *,
    progress: Progress = silent,
) -> Contributions:
    """Take apart the change of `metric` (AdrBalCnt, a balance of exchanges or miners) on the day with number `day`.

    `owners` are found under the one rule of `methodology`.
    """
    key = metric.sums, metric.entity
    series = _until(owners, blocks, day, metric, methodology, progress)
    if key not in series:  # no label, so nothing is known
        return Contributions({}, None, Change(None, {}, None))
    now = series[key][day]
    before = series[key][day - 1] if day else 0
    found = _parts(owners.store, blocks, day, metric, methodology)
    raise_if_parts_differ(metric, sum(found.of_tx.values()) + sum(found.joined.values()), now - before)
    [value] = metric_values(metric, {key: [now]}, [blocks.days()[day]], usd)
    return Contributions(found.of_tx, value, Change(before, found.joined, found.turns))


def _until(
    owners: Owners,
    blocks: Blocks,
    day: int,
    metric: Metric,
    methodology: Methodology,
    progress: Progress,
) -> Series:
    """The daily sums as recompute has them, up to the day."""
    until = blocks._replace(day_count=day + 1, day=np.minimum(blocks.day, day + 1).astype(np.int32))
    if metric.sums == HOLDERS:
        figures = read_figures(owners.store, until, methodology.clock, progress=progress)
        return {(HOLDERS, ""): figures[HOLDERS]}
    [series] = sum_flows(owners, until, [methodology], sums_behind([metric]), progress=progress)
    return series


def _parts(store: Store, blocks: Blocks, day: int, metric: Metric, methodology: Methodology) -> _Parts:
    _keep_runs(store, ACCOUNT_CHANGE, "account_changes", blocks, blocks.day == day)
    if metric.sums == HOLDERS:
        store.keep(WANTED_ACCOUNT, "changed_accounts")
        _keep_runs(store, EARLIER_BALANCE, "wanted_balances", blocks, blocks.day < day)
        turns = Turns(**store.columns("balance_turns"))
        return _Parts(turns.of_tx(), {}, turns)
    joined: dict[int, int] = {}
    if metric.hop is None:
        store.keep(MEMBER, "accounts_of_exchange", entity=metric.entity)
    else:
        joined = _mining_members(store, blocks, day, metric.hop, methodology)
    changed = store.rows("member_changes")
    return _Parts({row["tx"]: int(row["value"]) for row in changed}, joined, None)


def _mining_members(
    store: Store, blocks: Blocks, day: int, hop: int, methodology: Methodology
) -> dict[int, int]:
    """Keep `member`: the accounts of the day that are mining accounts at its end.

    Gives what each account that became one that day held before; below 0 if it ceased to be one (`exact` drops an
    account when a coinbase pays it). A coinbase or a payout of the day caused it, so it is an account of the day.
    """
    always = methodology.exchange_accounts_as_miners == "always"
    found = store.columns("changed_mining_accounts", never=_NEVER, exchanges=always)
    ever = methodology.membership == "ever"
    since0, since1 = (_days_since(blocks, found[name], ever) for name in ("since0", "since1"))

    def members(last: int) -> Bools:
        hop0, paid = since0 <= last, since1 <= last
        if hop == 0:
            return hop0
        return paid & ~hop0 if methodology.one_hop == "exact" else paid | hop0

    now, before = members(day), members(day - 1)
    store.keep(MEMBER, _table(found["account"][now]))
    store.keep(WANTED_ACCOUNT, _table(found["account"][now != before]))
    _keep_runs(store, EARLIER_BALANCE, "wanted_balances", blocks, blocks.day < day)
    left = set(found["account"][before & ~now].tolist())
    joined: dict[int, int] = {}
    for account, value in _integers(store, "earlier_balances"):
        joined[account] = joined.get(account, 0) + (-value if account in left else value)
    return {account: sat for account, sat in joined.items() if sat}


def _integers(store: Store, question: str) -> Iterator[tuple[int, ...]]:
    """The rows of an answer that has only integers; any number of rows."""
    for batch in store.batches(question):
        yield from zip(*(column.tolist() for column in batch), strict=True)


def _days_since(blocks: Blocks, since: Longs, ever: bool) -> Ints:
    """The day on which each account becomes a member. Under a header clock days may be out of order."""
    known = since != _NEVER
    days = np.zeros(len(since), np.int32) if ever else blocks.day_of_tx(np.where(known, since, 0))
    return np.where(known, days, np.iinfo(np.int32).max).astype(np.int32)


def _table(accounts: Longs) -> pa.Table:
    return pa.table({"account": pa.array(accounts, pa.int64())})


def _keep_runs(store: Store, relation: Relation, question: str, blocks: Blocks, chosen: Bools) -> None:
    """Keep the answer for the chosen blocks: one range of tx, or several if header times run backwards."""
    store.empty(relation)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]])))
    first_tx, tx_count = blocks.columns["first_tx"], blocks.columns["tx_count"]
    for start, end in edges.reshape(-1, 2).tolist():
        run = {"first": int(first_tx[start]), "last": int(first_tx[end - 1] + tx_count[end - 1]) - 1}
        store.add(relation, question, **run)
