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


def decimals(value: Decimal) -> int:
    """Digits after the point as it was printed: 2 for 1.50, 0 for 150."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "not a number"
    return max(0, -exponent)
