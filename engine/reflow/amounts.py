"""Amounts as people read them: satoshis inside, plain decimals of native units outside, never a float."""

from typing import Final

SCALE: Final = 10**8
"""Satoshis in a native unit; USD and ratios are kept to as many places."""


def plain(value: int) -> str:
    """A value of 10**-8 units as a plain decimal: no exponent, no zeros at the end."""
    whole, rest = divmod(abs(value), SCALE)
    fraction = f".{rest:08d}".rstrip("0").rstrip(".") if rest else ""
    return f"{'-' if value < 0 else ''}{whole}{fraction}"
