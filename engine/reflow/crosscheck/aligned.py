"""Two series day by day, as integers of one unit: nothing is rounded. Every statistic is computed from these."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_HALF_UP, Context, Decimal, Inexact
from itertools import pairwise
from math import copysign, sqrt
from operator import mul
from typing import Final, NamedTuple

from reflow.amounts import VALUE_PLACES
from reflow.series import EXACT, Binary, Series, decimals

_HALF_UP: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, rounding=ROUND_HALF_UP, traps=[])


class Aligned(NamedTuple):
    """The days on which both have a value, in order, as integers of one unit."""

    days: list[date]
    ours: list[int]
    """In 10**-`places` units of the metric."""
    vendor: list[int]
    printed: list[Decimal]
    """The vendor's values as they stand in the source: their number of places counts."""
    places: int

    def decimal(self, number: int) -> Decimal:
        """The integer in the metric's unit, without zeros at the end of a fraction."""
        value = EXACT.normalize(EXACT.scaleb(Decimal(number), -self.places))
        return value if decimals(value) else EXACT.quantize(value, Decimal(1))

    def gaps(self) -> list[int]:
        """Ours minus the vendor's, day by day."""
        return [a - b for a, b in zip(self.ours, self.vendor, strict=True)]

    def equal(self, *, is_quotient: bool) -> list[bool]:
        """Whether ours equals the vendor's value, day by day, as far as the vendor's has digits.

        Amounts and counts must be equal as they are. For a quotient (ratio, mean, median), ours is rounded half away
        from zero to the places of the vendor's value of that day, or the vendor's to ours if it has more places. A
        binary float is equal if it is the float nearest to ours.
        """
        return [
            a == b or _is_met(a, b, printed, self.places, is_quotient=is_quotient)
            for a, b, printed in zip(self.ours, self.vendor, self.printed, strict=True)
        ]

    def changes(self) -> tuple[list[int], list[int]]:
        """The changes of both sides between neighbouring days."""
        after = [place for place, (x, y) in enumerate(pairwise(self.days), start=1) if y - x == timedelta(1)]
        ours, vendor = ([side[n] - side[n - 1] for n in after] for side in (self.ours, self.vendor))
        return ours, vendor


def align(ours: Series, vendor: Series) -> Aligned:
    """Bring two series to the days and the unit that they share."""
    both = {day: (ours[day], vendor[day]) for day in sorted(ours.keys() & vendor.keys())}
    values = {day: (a, b) for day, (a, b) in both.items() if a is not None and b is not None}
    try:
        return _scaled(values, VALUE_PLACES)
    except Inexact:
        return _scaled(values, max(decimals(value) for pair in values.values() for value in pair))


def _scaled(values: dict[date, tuple[Decimal, Decimal]], places: int) -> Aligned:
    ours, vendor = (
        [int(pair[side].scaleb(places, EXACT).to_integral_exact(context=EXACT)) for pair in values.values()]
        for side in (0, 1)
    )
    return Aligned(list(values), ours, vendor, [theirs for _, theirs in values.values()], places)


def _is_met(ours: int, vendor: int, printed: Decimal, places: int, *, is_quotient: bool) -> bool:
    if not (is_quotient or isinstance(printed, Binary)):
        return False
    a, b = (EXACT.scaleb(Decimal(number), -places) for number in (ours, vendor))
    if isinstance(printed, Binary):
        return float(a) == float(printed)
    last_digit = Decimal(1).scaleb(-min(decimals(printed), VALUE_PLACES))
    return _HALF_UP.quantize(a, last_digit) == _HALF_UP.quantize(b, last_digit)


def correlation(a: Sequence[int], b: Sequence[int]) -> float | None:
    """Pearson's correlation; None for less than two values, and where one side is constant."""
    both, spread = _covariance(a, b), _covariance(a, a) * _covariance(b, b)
    squared = quotient(both * both, spread)
    return None if squared is None else copysign(sqrt(squared), both)


def _covariance(a: Sequence[int], b: Sequence[int]) -> int:
    """The covariance times the square of the number of values: no division."""
    return len(a) * products(a, b) - sum(a) * sum(b)


def products(a: Sequence[int], b: Sequence[int]) -> int:
    """The sum of the products of neighbours in the two lists."""
    return sum(map(mul, a, b))


def quotient(part: int, whole: int) -> float | None:
    """The quotient, rounded once; None where it does not exist or no float can hold it."""
    try:
        return part / whole
    except (ZeroDivisionError, OverflowError):
        return None


def share(part: Decimal, whole: Decimal) -> float | None:
    """`part` over `whole`, rounded once; None where `whole` is 0."""
    (a, b), (c, d) = part.as_integer_ratio(), whole.as_integer_ratio()
    return quotient(a * d, b * c)
