"""Figures that need every debit and credit of a day: distinct accounts, medians, and accounts that hold something.

They depend on the ledger and the clock alone, neither on labels nor on a methodology, so they are computed once for a
day (kept_days.py). The accounts that hold something are a hash table in memory; where that is too large for the memory
allowed, the ledger is read several times, each time for the accounts of one part.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reflow.ledger import day_kernels
from reflow.ledger.day_kernels import Slots, Sums
from reflow.ledger.days import Longs, Range, Rows, read_rows
from reflow.store.store import Store

_SMALLEST: Final = 1 << 12
_BYTES_PER_SLOT: Final = 16
_FULL: Final = 0.7
"""Share of the slots that may be used: with more, probing takes long."""


class DayFigures(NamedTuple):
    """The figures of one day; the columns of kept.day (queries/schema.sql)."""

    day: int
    """Number of the day, from the ledger's first on."""
    active: int
    """Distinct accounts debited, or credited more than 0."""
    sent: int
    """Distinct accounts debited."""
    received: int
    """Distinct accounts credited more than 0."""
    holders: int
    """Accounts with a balance above 0 at the end of the day."""
    fee_middle: int
    """The median of the fees of non-coinbase transactions: the sat of the middle one, or of the two middle ones, …"""
    fee_middles: int
    """… and how many these are: 0, 1 or 2."""
    transfer_middle: int
    """The same of the outputs that TxTfrCnt counts."""
    transfer_middles: int


class DayChanges(NamedTuple):
    """A day, read: its figures without `holders`, and what each account's balance changed by."""

    figures: DayFigures
    account: Longs
    """Distinct."""
    change: Longs
    """Sat."""


class FullError(Exception):
    """The accounts that hold something do not fit into the memory allowed: use more parts."""


class Holdings:
    """The accounts of one part whose balance is not 0; the other parts' are passed over."""

    def __init__(self, memory: int, accounts: "Accounts | None" = None) -> None:
        """`memory` is in bytes."""
        parts, part = accounts or Accounts()
        self._mask = parts - 1
        self._part = part
        self._most = max(_SMALLEST, 1 << (max(1, memory // _BYTES_PER_SLOT).bit_length() - 1))
        self._slots = _empty(_SMALLEST)
        self._used = 0
        self.holders = 0
        """Accounts with a balance above 0."""

    def add(self, accounts: Longs, changes: Longs) -> None:
        """Change the balances of these accounts, each of which is there once. Raises FullError."""
        row = 0
        while row < len(accounts):
            limit = int(_FULL * len(self._slots.account))
            row, self._used, holders = day_kernels.change(
                self._slots, self._used, limit, accounts, changes, row, self._mask, self._part
            )
            self.holders += int(holders)
            if row < len(accounts):
                self._grow()

    def rows(self) -> tuple[Longs, Longs]:
        """Accounts and their balances in sat, by account."""
        held = np.flatnonzero(self._slots.balance)
        account, balance = self._slots.account[held], self._slots.balance[held]
        order = np.argsort(account)
        return account[order], balance[order]

    def _grow(self) -> None:
        # Old and new slots are in memory together: half of it for the new ones, at most.
        if 2 * len(self._slots.account) > max(_SMALLEST, self._most // 2):
            raise FullError
        slots = _empty(2 * len(self._slots.account))
        day_kernels.rehash(self._slots, slots)
        self._slots = slots


def _empty(size: int) -> Slots:
    return Slots(np.empty(size, np.int64), np.zeros(size, np.int64))


class Accounts(NamedTuple):
    """One of `parts` parts of all accounts, a power of two, told apart by the lowest bits."""

    parts: int = 1
    part: int = 0

    def of(self, account: Longs) -> NDArray[np.bool_]:
        """Which of the accounts are of this part."""
        return np.asarray((account & (self.parts - 1)) == self.part, np.bool_)


EVERY: Final = Accounts()


def read_days(
    store: Store,
    ranges: Iterable[Range],
    day_count: int,
    workers: int,
    accounts: Accounts = EVERY,
) -> Iterator[DayChanges]:
    """The days of the ranges in order, those below `day_count` only; a day without a transaction is left out.

    The first part of the accounts comes with the figures of all of them; the others with their changes alone.
    """

    def read(own: Store, part: Range) -> list[DayChanges]:
        return read_range(own, part, day_count, accounts)

    for days in store.over_ranges(read, ranges, workers):
        yield from days


def read_range(store: Store, part: Range, day_count: int, accounts: Accounts = EVERY) -> list[DayChanges]:
    """The days of one range; `store` is for this call alone."""
    debits, credits_ = (_in_chain_order(side) for side in read_rows(store, part))
    paying = credits_.value > 0
    if accounts.part > 0:
        paying &= accounts.of(credits_.account)
        spending = accounts.of(debits.account)
        debits = Rows(*(column[spending] for column in debits))
    gains = Rows(*(column[paying] for column in credits_))
    fees, transfers = _payments(debits, gains)
    cut = [_by_day(part, tx) for tx in (debits.tx, gains.tx, fees.tx, transfers.tx)]
    return [
        _day(
            int(day),
            Rows(*(column[cut[0](day)] for column in debits)),
            Rows(*(column[cut[1](day)] for column in gains)),
            fees.value[cut[2](day)],
            transfers.value[cut[3](day)],
        )
        for day in np.unique(part.days)
        if day < day_count
    ]


def _in_chain_order(batches: list[Rows]) -> Rows:
    empty = Rows(*np.empty((3, 0), np.int64))
    side = Rows(*(np.concatenate(column) for column in zip(empty, *batches, strict=True)))
    if bool(np.all(side.tx[1:] >= side.tx[:-1])):
        return side
    # An ingest writes rows in chain order, and nothing depends on it.
    order = np.argsort(side.tx)
    return Rows(*(column[order] for column in side))


def _payments(debits: Rows, gains: Rows) -> tuple[Sums, Sums]:
    """Each fee, and each transfer."""
    fees, transfers = (Sums(*np.empty((2, len(side.tx)), np.int64)) for side in (debits, gains))
    fee_count, transfer_count = day_kernels.pay(debits, gains, fees, transfers)
    return (
        Sums(*(column[:fee_count] for column in fees)),
        Sums(*(column[:transfer_count] for column in transfers)),
    )


def _by_day(part: Range, tx: Longs) -> Callable[[int], slice | NDArray[np.intp]]:
    """Gives the rows of a day: a slice where days do not run backwards."""
    days = part.days[tx - part.first_tx]
    if bool(np.all(days[1:] >= days[:-1])):
        return lambda day: slice(*np.searchsorted(days, [day, day + 1]))
    return lambda day: np.flatnonzero(days == day)


def _day(day: int, debits: Rows, gains: Rows, fees: Longs, transfers: Longs) -> DayChanges:
    accounts = np.concatenate([debits.account, gains.account])
    signed = np.concatenate([-debits.value, gains.value])
    found, changes = np.empty((2, len(accounts)), np.int64)
    order = np.argsort(accounts)
    active, sent, received = day_kernels.group(order, accounts, signed, len(debits.account), found, changes)
    figures = DayFigures(day, int(active), int(sent), int(received), 0, *_middle(fees), *_middle(transfers))
    return DayChanges(figures, found[:active].copy(), changes[:active].copy())


def _middle(values: Longs) -> tuple[int, int]:
    """The sum of the one or two values in the middle of the sorted ones, and how many they are."""
    if not len(values):
        return 0, 0
    low, high = (len(values) - 1) // 2, len(values) // 2
    sorted_so_far = np.partition(values, [low, high])
    return int(sorted_so_far[low : high + 1].sum()), high - low + 1
