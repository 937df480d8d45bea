"""The faults that a check of a ledger finds: all are counted, the first few are listed."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

KEPT: Final = 20
"""Faults that are listed; all are counted."""


class Fault(NamedTuple):
    """One thing that is wrong in a ledger."""

    what: str
    """What differs: a column of a table, or a sum."""
    found: object
    expected: object
    height: int | None = None
    """Of the block, None if it is about a whole table."""
    tx: int | None = None
    """The transaction's number in the ledger, None if it is about the block."""

    def __str__(self) -> str:
        """The fault in one line."""
        where = [
            *([] if self.height is None else [f"block at height {self.height}"]),
            *([] if self.tx is None else [f"transaction {self.tx}"]),
        ]
        return ": ".join([*where, f"{self.what}: found {self.found}, expected {self.expected}"])


class Faults:
    """A count of faults, and the first `KEPT` of them, or of each check."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """One more."""
        self.extend([fault], 1)

    def add_each(self, wrong: NDArray[np.bool_], fault: Callable[[int], Fault]) -> None:
        """One for each place that is true; `fault` makes the fault of a place."""
        places = np.flatnonzero(wrong)
        self.first += [fault(int(place)) for place in places[:KEPT]]
        self.count += len(places)

    def extend(self, first: list[Fault], count: int) -> None:
        """`count` more, of which `first` come first."""
        self.count += count
        self.first += first[: max(KEPT - len(self.first), 0)]

    def extend_in_order(self, parts: Sequence["Faults"]) -> None:
        """Those of several checks of the same blocks, in chain order: what is about transactions, then about blocks."""
        every = [fault for part in parts for fault in part.first]
        every.sort(key=lambda fault: (fault.height or 0, fault.tx is None, fault.tx or 0))
        self.extend(every, sum(part.count for part in parts))
