"""AdrActCnt: how many distinct accounts a day's debits and positive credits have (METHODOLOGY section 6)."""

from collections.abc import Callable, Iterable

import numpy as np

from reflow.flows.days import Range
from reflow.flows.kernels import Longs
from reflow.flows.members import Postings


def active_accounts(part: Range, spending: Postings, paying: Postings) -> dict[int, int]:
    """Day to its number of active accounts, for the days of `part`; a zero-value output makes nobody active.

    Sorting a day's account ids and counting the changes is several times faster than hashing them in SQL.
    """
    positive = paying.value > 0
    sides = [
        _by_day(part, spending.tx, spending.account),
        _by_day(part, paying.tx[positive], paying.account[positive]),
    ]
    days = [int(day) for day in np.unique(part.days)]
    return {day: _distinct([side(day) for side in sides]) for day in days}


def _by_day(part: Range, tx: Longs, account: Longs) -> Callable[[int], Longs]:
    """A function that gives the accounts of a day; rows come in chain order, in which days may overlap."""
    days = part.days[tx - part.first_tx]
    if np.any(days[1:] < days[:-1]):
        order = np.argsort(days, kind="stable")
        days, account = days[order], account[order]
    return lambda day: account[slice(*np.searchsorted(days, np.array([day, day + 1], days.dtype)))]


def _distinct(sides: Iterable[Longs]) -> int:
    accounts = np.concatenate(list(sides))
    accounts.sort()
    return int(np.count_nonzero(accounts[1:] != accounts[:-1])) + bool(len(accounts))
