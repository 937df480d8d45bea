"""The accounts whose owner matters, and what they do in each transaction of a range of the ledger, which is read once.

This is the one step that touches every row of the ledger, so it is a numba kernel over columns rather than SQL: a hash
table of the members, and dense arrays for the transactions, which are numbered without gaps. What a methodology makes
of a member is decided where postings are added up, so that many methodologies share one table and one pass. Nothing
here knows of flows; what becomes of the sums is in queries/exchange_flows.sql and queries/plain_flows.sql.
"""

from collections.abc import Callable
from threading import Lock
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reflow.flows import kernels
from reflow.flows.kernels import (
    NEVER,
    Membership,
    MemberTable,
    MiningSets,
    Moved,
    Numbers,
    Shorts,
    Side,
    Transactions,
    Words,
)
from reflow.flows.methodology import Methodology
from reflow.ledger.days import Ints, Longs, Range, Rows, read_rows
from reflow.owners.owners import MiningRule, Owners
from reflow.store.relations import WANTED
from reflow.store.store import Store

_BYTES: Final = 46
_BYTES_PER_RULE: Final = 8
"""Memory of a member, its share of the hash table and of the filter included; at most."""

_EXCHANGE: Final = -2
_MINTED: Final = -1
"""What a row of queries/flows/members.sql says of an account; the others are numbers of rules."""


class Members(NamedTuple):
    """One row for each account of an exchange, of M0 or of M1; the tx are NEVER where it is not a member."""

    account: Longs
    exchange: Shorts
    """Number of its exchange or -1."""
    minted: Numbers
    """The first coinbase that paid it: since then in M0, if it may be."""
    minted_day: Ints
    paid: NDArray[np.uint32]
    """`[rule, row]`: the first payout by M0, one row for each rule of who is in M0 and what it sent."""
    paid_day: NDArray[np.int32]
    slots: Longs
    """Linear probing: half of the hash and the row of the member, -1 where empty; its length is a power of two."""
    words: Words
    """A bit for each hash, kernels.BITS for each member: most accounts that are none need no look into the table."""


MembersOf = Callable[[list[Longs]], Members]
"""Gives the members, all that are among these accounts at least."""


def read_members(owners: Owners, day_of_tx: Callable[[Longs], Ints], memory: int) -> MembersOf:
    """All accounts that `owners` knows of.

    If they fit into `memory` bytes they are read once; else for each range of the ledger those that it has. The ledger
    has less than 2**32 transactions.
    """
    store, rules = owners.store, len(owners.rules)
    if owners.accounts * (_BYTES + _BYTES_PER_RULE * rules) <= memory:
        with store.lend(WANTED, _table([])):
            members = _read(store, day_of_tx, rules, owners.accounts, every=True)
        return lambda accounts: members
    lock = Lock()

    def among(accounts: list[Longs]) -> Members:
        with lock, store.lend(WANTED, _table(accounts)):  # one store, several threads
            return _read(store, day_of_tx, rules, sum(map(len, accounts)), every=False)

    return among


def _table(accounts: list[Longs]) -> pa.Table:
    return pa.table({"account": pa.chunked_array(accounts, pa.int64())})


def _read(store: Store, day_of_tx: Callable[[Longs], Ints], rules: int, most: int, *, every: bool) -> Members:
    """At most `most` members, all or those that are lent as wanted."""
    account, used = np.empty(most, np.int64), 0
    slots = np.full(1 << (3 * most // 2).bit_length(), -1, np.int64)
    exchange = np.full(most, -1, np.int16)
    minted, paid = np.full(most, NEVER), np.full((rules, most), NEVER)

    for found, role, number in store.batches("members", every=every):
        at = np.empty(len(found), np.int64)
        used = kernels.upsert(account, slots, used, found, at)
        is_exchange, is_minted, is_paid = role == _EXCHANGE, role == _MINTED, role >= 0
        exchange[at[is_exchange]] = number[is_exchange]
        minted[at[is_minted]] = number[is_minted]
        paid[role[is_paid], at[is_paid]] = number[is_paid]
    words = np.zeros(max(1, (1 << (kernels.BITS * used).bit_length()) // 64), np.uint64)
    kernels.fill_filter(account[:used], words)
    return Members(
        account[:used],
        exchange[:used],
        minted[:used],
        _days(minted[:used], day_of_tx),
        paid[:, :used],
        np.stack([_days(since, day_of_tx) for since in paid[:, :used]]) if rules else paid.astype(np.int32),
        slots,
        words,
    )


def _days(since: Numbers, day_of_tx: Callable[[Longs], Ints]) -> Ints:
    """The day of each tx, a day that never comes for NEVER."""
    days = np.full(len(since), np.iinfo(np.int32).max, np.int32)
    known = np.flatnonzero(since != NEVER)
    days[known] = day_of_tx(since[known].astype(np.int64))
    return days


class Postings(NamedTuple):
    """A range of the ledger, read."""

    part: Range
    members: Members
    inputs: Side
    outputs: Side
    touched: Longs
    """The transactions with a member, by tx minus the first one, rising."""
    touched_index: Ints
    """Which of them a transaction is; says nothing of others."""


class ExchangeRows(NamedTuple):
    """A row for each transaction and exchange with a member's posting, and one for all exchanges of it as one set."""

    touched: Longs
    """Number of the transaction in `Postings.touched`; rows are in order of it."""
    exchange: Shorts
    """-1 for all as one set, which comes first."""
    inputs: Longs
    """Number of debits, their sat."""
    debit: Longs
    outputs: Longs
    """Number of positive credits, their sat."""
    credit: Longs
    own: tuple[tuple[Longs, Longs, Longs], tuple[Longs, Longs, Longs]]
    """Of both sides: which of the members' postings are an exchange's, the rows of that exchange, of all exchanges."""


class HopSums(NamedTuple):
    """What M0, or M0 with M1, does in each of the transactions `Postings.touched`."""

    inputs: Longs
    debit: Longs
    outputs: Longs
    credit: Longs


class MiningSums(NamedTuple):
    """The sums of M0, and of M0 with M1."""

    hops: tuple[HopSums, HopSums]
    exchange_hops: tuple[tuple[Longs, Longs], tuple[Longs, Longs]]
    """Debit and credit of those accounts of ExchangeRows that are in M0, in M0 or M1 too."""
    balance: Longs
    """`[h, day]`: change of the end-of-day balance of M0, and of M0 with M1."""


def rule_of(methodology: Methodology) -> MiningRule:
    """Who is in M0 and what M0 sent."""
    return MiningRule(
        methodology.membership == "ever",
        methodology.sender == "all_inputs",
        methodology.exchange_accounts_as_miners != "never",
    )


def sets_of(methodology: Methodology, rules: list[MiningRule]) -> MiningSets:
    """Who is in M0 and M1."""
    rule = rule_of(methodology)
    return MiningSets(
        rules.index(rule),
        rule.ever,
        rule.exchange_accounts,
        methodology.exchange_accounts_as_miners == "always",
    )


def read_postings(store: Store, part: Range, members_of: MembersOf) -> Postings:
    """Read the range's debits and credits; `store` is for this call alone."""
    debits, credits_ = read_rows(store, part)
    members = members_of([batch.account for batch in (*debits, *credits_)])
    inputs, outputs = (
        _scan(debits, part, members, is_input=True),
        _scan(credits_, part, members, is_input=False),
    )
    mark = np.zeros(len(part.days), np.bool_)
    mark[inputs.place] = mark[outputs.place] = True
    touched = np.flatnonzero(mark)
    touched_index = np.empty(len(mark), np.int32)
    touched_index[touched] = np.arange(len(touched))
    return Postings(part, members, inputs, outputs, touched, touched_index)


def _scan(batches: list[Rows], part: Range, members: Members, *, is_input: bool) -> Side:
    total, number = np.zeros(len(part.days), np.int64), np.zeros(len(part.days), np.int32)
    table = MemberTable(members.account, members.slots, members.words)
    found = [_room(0)]
    for batch in batches:
        room = _room(len(batch.tx))
        size = kernels.scan(batch, table, part.first_tx, is_input, Side(total, number, *room))
        place, row, sat = room
        found.append((place[:size].copy(), row[:size].copy(), sat[:size].copy()))
    places, rows, sats = zip(*found, strict=True)
    return Side(total, number, np.concatenate(places), np.concatenate(rows), np.concatenate(sats))


def _room(size: int) -> tuple[Ints, Numbers, Longs]:
    """Columns for so many postings of members: place, row, sat."""
    return np.empty(size, np.int32), np.empty(size, np.uint32), np.empty(size, np.int64)


def exchange_rows(found: Postings) -> ExchangeRows:
    """Add up the debits and credits of exchange accounts per transaction and exchange, whatever else they are."""
    exchange = found.members.exchange
    keys: list[tuple[Longs, Longs, Longs]] = []
    for side in (found.inputs, found.outputs):
        own = np.flatnonzero(exchange[side.row] >= 0)
        of_all = found.touched_index[side.place[own]].astype(np.int64) << 16
        keys.append((own, of_all + exchange[side.row[own]] + 1, of_all))
    every = np.sort(np.concatenate([key for _, one, of_all in keys for key in (one, of_all)]))
    every = every[np.concatenate([[True], every[1:] != every[:-1]])[: len(every)]]
    spent, paid = (
        (own, np.searchsorted(every, one), np.searchsorted(every, of_all)) for own, one, of_all in keys
    )
    return ExchangeRows(
        touched=every >> 16,
        exchange=((every & 0xFFFF) - 1).astype(np.int16),
        inputs=_sums_at(len(every), spent, np.ones(len(found.inputs.sat), np.int64)),
        debit=_sums_at(len(every), spent, found.inputs.sat),
        outputs=_sums_at(len(every), paid, np.ones(len(found.outputs.sat), np.int64)),
        credit=_sums_at(len(every), paid, found.outputs.sat),
        own=(spent, paid),
    )


def _sums_at(size: int, own: tuple[Longs, Longs, Longs], values: NDArray[np.int64]) -> Longs:
    """Sums of the members' postings by row of the exchange, and by row of all exchanges."""
    sums = np.zeros(size, np.int64)
    postings, one, of_all = own
    np.add.at(sums, one, values[postings])
    np.add.at(sums, of_all, values[postings])
    return sums


def add_up(found: Postings, exchanges: ExchangeRows, sets: MiningSets, day_count: int) -> MiningSums:
    """Add up what M0, and M0 with M1, do in the range."""
    members, part = found.members, found.part
    transactions = Transactions(part.first_tx, part.days, found.touched_index)
    membership = Membership(
        exchange=members.exchange,
        minted=members.minted,
        minted_day=members.minted_day,
        paid=members.paid[sets.rule],
        paid_day=members.paid_day[sets.rule],
    )
    balance = np.zeros((2, day_count + 1), np.int64)
    spent, got = (_moved(side, len(found.touched)) for side in (found.inputs, found.outputs))
    kernels.add_up(found.inputs, transactions, membership, sets, True, balance, spent)
    kernels.add_up(found.outputs, transactions, membership, sets, False, balance, got)
    hops = (
        HopSums(spent.number0, spent.total0, got.number0, got.total0),
        HopSums(spent.number1, spent.total1, got.number1, got.total1),
    )
    return MiningSums(hops, _exchange_hops(found, exchanges, [spent.marks, got.marks], sets), balance)


def _moved(side: Side, touched: int) -> Moved:
    """Nothing yet."""
    number0, total0, number1, total1 = np.zeros((4, touched), np.int64)
    return Moved(number0, total0, number1, total1, np.zeros(len(side.row), np.uint8))


def _exchange_hops(
    found: Postings, exchanges: ExchangeRows, marks: list[NDArray[np.uint8]], sets: MiningSets
) -> tuple[tuple[Longs, Longs], tuple[Longs, Longs]]:
    if not (sets.exchanges0 or sets.exchanges1):
        nothing = np.zeros(len(exchanges.touched), np.int64)
        return (nothing, nothing), (nothing, nothing)
    sums = [
        _sums_at(len(exchanges.touched), own, np.where(mark & bit, side.sat, 0))
        for bit in (1, 2)
        for own, mark, side in zip(exchanges.own, marks, (found.inputs, found.outputs), strict=True)
    ]
    return (sums[0], sums[1]), (sums[2], sums[3])
