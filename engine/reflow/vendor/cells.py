"""What stands in one cell of a table that somebody else wrote: a day, a number, or nothing."""

from datetime import date, datetime, time
from decimal import Decimal

from reflow.errors import VendorError
from reflow.flows.prices import NUMBER, day_of
from reflow.vendor.series import EXACT, Binary

_NOTHING = ("", "null")


def day(where: str, value: object) -> date:
    """The UTC day of a `time` cell: a date, or its midnight, with as many digits of a second as there are.

    Raises VendorError, beginning with `where`, for anything else.
    """
    found = day_of(_time_text(value))
    if found is None:
        raise VendorError(f"{where}: time {_time_text(value)!r}, expected a UTC day such as 2010-07-18")
    return found


def number(where: str, metric: str, value: object) -> Decimal | None:
    """The value of a metric with every digit it has, zeros at the end of text too; None for an empty cell.

    A decimal of a fixed number of places, as Parquet has them, counts without the zeros that fill it up; a float of 64
    bits is a `Binary`, one of 32 bits the shortest decimal that gives it back.
    Raises VendorError, beginning with `where`, for text, and for what is not a number or infinite.
    """
    text = _text(value)
    if text in _NOTHING:
        return None
    if not NUMBER.fullmatch(text):
        raise VendorError(f"{where}: {metric} {text!r}, expected a number")
    if isinstance(value, Decimal):
        return Decimal(f"{value.normalize(EXACT):f}")
    return Binary(text) if type(value) is float else Decimal(text)


def _time_text(value: object) -> str:
    if isinstance(value, datetime):
        midnight = value.time() == time() and not (value.utcoffset() or None)
        return str(value.date()) if midnight else value.isoformat()
    return "" if value is None else str(value).strip()


def _text(value: object) -> str:
    """A binary float counts as the shortest decimal that gives it back; true and false are no numbers."""
    return "" if value is None else str(value).strip()
