"""Daily series as exact decimals by UTC day, and how to read a day or a number from a cell."""

import re
from datetime import date, datetime, time
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact
from typing import Final

Series = dict[date, Decimal | None]
"""UTC day to value, in the metric's unit (native, USD, count, bytes, ratio); None where there is none."""

Table = dict[str, Series]
"""Metric id to its series."""

EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])
"""Adds and multiplies decimals of any length without rounding; not for division."""
NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
"""A decimal number as text; not a number and infinity are none."""
_DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|\+00:?00)?)?")
_EMPTY: Final = ("", "null")


class Binary(Decimal):
    """A binary float of 64 bits, as the shortest decimal that gives it back; its last digits are not exact."""


def decimals(value: Decimal) -> int:
    """Number of digits after the point as printed: 2 for 1.50, 0 for 150 and for 1.5E+2."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "not a number"
    return max(0, -exponent)


def day_of(text: str) -> date | None:
    """The UTC day that a time stands for: a date, or a date and its midnight; None for any other text."""
    match = _DAY.fullmatch(text)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def parse_day(value: object) -> date:
    """The UTC day of a `time` cell: a date, or its midnight, with as many digits of a second as there are.

    Raises ValueError, with what was found and expected, for anything else.
    """
    text = "" if value is None else str(value).strip()
    if isinstance(value, datetime):
        is_midnight = value.time() == time() and not (value.utcoffset() or None)
        text = str(value.date()) if is_midnight else value.isoformat()
    day = day_of(text)
    if day is None:
        raise ValueError(f"{text!r}, expected a UTC day such as 2010-07-18")
    return day


def parse_number(value: object) -> Decimal | None:
    """The number in a cell with every digit it has, zeros at the end of text too; None for an empty cell.

    A decimal of a fixed number of places, as Parquet has them, counts without the zeros that fill it up; a float of 64
    bits is a `Binary`, one of 32 bits the shortest decimal that gives it back.
    Raises ValueError, with what was found and expected, for text, true and false, and for what is infinite.
    """
    text = "" if value is None else str(value).strip()
    if text in _EMPTY:
        return None
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{text!r}, expected a number")
    if isinstance(value, Decimal):
        return Decimal(f"{value.normalize(EXACT):f}")
    return Binary(text) if type(value) is float else Decimal(text)
