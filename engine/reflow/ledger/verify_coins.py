"""Every debit spends a credit of an earlier transaction: one of the same account and value for each, in chain order.

The ledger does not say which output an input spends, so outputs of one account with one value are told apart by their
number alone: at no place of the chain may an account have spent more of them than it got. So no account is ever below
zero, and no more is spent than was issued. The unspent ones are a hash table in memory; where they do not fit, they
are cut into parts, and the ledger is read once for each.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from reflow.ledger.faults import KEPT, Fault
from reflow.ledger.verify_blocks import longs
from reflow.ledger.verify_kernels import COIN_COLUMNS, Noted, Postings, follow_coins
from reflow.progress import Progress
from reflow.store.store import Store

_SLOT_BYTES: Final = 8 * COIN_COLUMNS
_SMALLEST: Final = 1 << 12
_TRANSACTIONS: Final = 200_000
"""Transactions that are read at once where the ledger is read again; they have about a million debits and credits."""


class _Part:
    """The unspent coins of one part, and the debits that should spend one of them and find none."""

    def __init__(self, slots: int, parts: int, part: int) -> None:
        self._coins = np.zeros((slots, COIN_COLUMNS), np.int64)
        self._parts, self._part = parts, part
        self._used = 0
        self.is_full = False
        self.count = 0
        self.first: list[tuple[int, int, int]] = []
        """(tx, account, sat) of the first such debits."""

    def follow(self, first_tx: int, debits: Postings, credited: Postings) -> None:
        """The next rows; their `tx` count from `first_tx`. Once the table is full, nothing more is looked at."""
        if self.is_full:
            return
        noted = Noted(np.zeros((KEPT, 4), np.int64), np.zeros(1, np.int64))
        used = follow_coins(self._coins, self._used, debits, credited, self._parts, self._part, noted)
        self._used, self.is_full = int(used), used < 0
        self.count += int(noted.total[0])
        listed = noted.faults[: noted.total[0], 1:].tolist()
        self.first += [(first_tx + tx, account, value) for tx, account, value in listed]
        self.first = self.first[:KEPT]


class CoinCheck:
    """The check of one ledger. The first part of the coins is followed while the rows are read for other checks."""

    def __init__(self, memory: int, credit_count: int, debit_count: int) -> None:
        """`memory` is in bytes; the counts are those of the ledger's rows."""
        self._memory = memory
        self._unspent = max(credit_count - debit_count, 0)
        self._first = self._part(0)

    @property
    def _slots(self) -> int:
        """Slots of the table, a power of two: twice as many as coins if memory allows, not more than it allows."""
        most = max(_SMALLEST, 1 << max(self._memory // _SLOT_BYTES, 1).bit_length() - 1)
        return min(most, max(_SMALLEST, 1 << (2 * self._unspent).bit_length()))

    @property
    def _parts(self) -> int:
        """Parts of the coins, a power of two, so that each fills up to half of the table."""
        tables = -(-2 * self._unspent // self._slots)
        return 1 << max(tables - 1, 0).bit_length()

    def _part(self, number: int) -> _Part:
        return _Part(self._slots, self._parts, number)

    def follow(self, first_tx: int, debits: Postings, credited: Postings) -> None:
        """The rows that come next in chain order; their `tx` count from `first_tx`."""
        self._first.follow(first_tx, debits, credited)

    def faults(
        self, store: Store, tx_count: int, threads: int, progress: Progress
    ) -> tuple[list[Fault], int]:
        """The first debits without a credit, in chain order, and how many there are; other parts are read for that."""
        done = [self._first]
        del self._first
        while done[-1].is_full or len(done) < self._parts:
            if done[-1].is_full:  # more coins at once than there are at the end
                self._unspent = max(2 * self._unspent, self._slots)
                done = []
            part = self._part(len(done))
            for first_tx, debits, credited in self._read(store, tx_count, threads):
                part.follow(first_tx, debits, credited)
                if part.is_full:
                    break
                progress("coins", len(done) * tx_count + first_tx, self._parts * tx_count)
            done.append(part)
        listed = sorted(debit for part in done for debit in part.first)[:KEPT]
        return [_fault(store, *debit) for debit in listed], sum(part.count for part in done)

    def _read(self, store: Store, tx_count: int, threads: int) -> Iterable[tuple[int, Postings, Postings]]:
        def read(own: Store, first: int) -> tuple[int, Postings, Postings]:
            span = {"first": first, "last": first + _TRANSACTIONS - 1}
            debits, credited = (_postings(own, side, span) for side in ("debits", "credits"))
            return first, debits, credited

        return store.over_ranges(read, range(0, tx_count, _TRANSACTIONS), threads)


def _postings(store: Store, side: str, span: dict[str, int]) -> Postings:
    table = store.reader(side, **span).read_all()
    columns = [longs(table, name) for name in Postings._fields]
    return Postings(columns[0] - span["first"], *columns[1:])


def _fault(store: Store, tx: int, account: int, value: int) -> Fault:
    [row] = store.rows("height_of", tx=tx)
    what = f"credits of {value} sat to account {account} before, of which none is left for a debit"
    return Fault(what, 0, "1 or more", row["height"], tx)
