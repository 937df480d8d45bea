"""Daily series as they are compared: exact decimals by UTC day, whoever they come from."""

from datetime import date
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact
from typing import Final

Series = dict[date, Decimal | None]
"""UTC day to value, in the metric's unit (native, USD, count, bytes, ratio); None where there is none."""

Table = dict[str, Series]
"""Metric id to its series."""

EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])
"""Adds and multiplies decimals of any length without rounding; not for division."""


class Binary(Decimal):
    """A binary float of 64 bits as the shortest decimal that gives it back: its last digits are the float's doing."""


def decimals(value: Decimal) -> int:
    """Digits after the point as it was printed: 2 for 1.50, 0 for 150 and for 1.5E+2."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "not a number"
    return max(0, -exponent)
