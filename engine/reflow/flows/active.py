"""AdrActCnt: how many distinct accounts a day's debits and positive credits have (METHODOLOGY section 6)."""

from collections.abc import Mapping

import numpy as np

from reflow.flows.kernels import Longs


def active_accounts(accounts: Mapping[int, list[Longs]]) -> dict[int, int]:
    """Day to its number of distinct accounts; the pieces of a day are of no more use after that.

    Sorting a day's account ids and counting the changes is several times faster than hashing them in SQL.
    """
    return {day: _distinct(pieces) for day, pieces in accounts.items()}


def _distinct(pieces: list[Longs]) -> int:
    accounts = np.concatenate(pieces)
    pieces.clear()
    accounts.sort()
    return int(np.count_nonzero(accounts[1:] != accounts[:-1])) + bool(len(accounts))
