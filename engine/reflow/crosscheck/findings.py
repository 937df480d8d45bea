"""A difference that is recognized, and the sentences that say what it means."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from reflow.crosscheck.compare import Layer

Kind = Literal[
    "clock", "day_shift", "start_value", "unit", "ledger", "labels", "transaction", "prices", "definition"
]
"""What is recognized; docs/crosscheck.md has how, and what to do about it."""


class Finding(NamedTuple):
    """One thing that explains differences."""

    kind: Kind
    layer: Layer
    entity: str
    """The exchange that it is about, `Ex` for all as one, or empty."""
    metrics: list[str]
    days: list[date]
    """Those on which it shows, in order."""
    ratio: float | None
    """Ours over the vendor's, where that is what was found: the label coverage, or a unit."""
    gap: Decimal | None
    """Ours minus the vendor's of the first metric, where a single day differs."""
    text: str
    """What was found, in a sentence or two."""
    advice: str
    """What to do about it."""


def plural(number: int, thing: str) -> str:
    """`1 day`, `2 days`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def listed(names: Sequence[str], most: int = 4) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def percent(ratio: float) -> str:
    """A share for people."""
    return f"{100 * ratio:.1f} %"
