"""Amounts as people read them: integers inside, plain decimals outside, never a float."""

from typing import Final

SAT_PLACES: Final = 8
"""Decimal places of a native unit: it has 10**8 satoshis."""
SCALE: Final = 10**SAT_PLACES
"""Satoshis in a native unit."""
VALUE_PLACES: Final = 18
"""Decimal places of a metric's value (methodology 5)."""
VALUE_SCALE: Final = 10**VALUE_PLACES
"""What a metric's value is counted in: so many make one native unit, one US dollar, or 1 of a count or a ratio."""
VALUES_PER_SAT: Final = VALUE_SCALE // SCALE


def plain(value: int, places: int = SAT_PLACES) -> str:
    """A value of 10**-`places` units as a plain decimal, without exponent or zeros at the end; default: sat."""
    whole, rest = divmod(abs(value), 10**places)
    fraction = f".{rest:0{places}d}".rstrip("0") if rest else ""
    return f"{'-' if value < 0 else ''}{whole}{fraction}"
