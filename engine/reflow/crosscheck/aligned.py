"""Two series day by day as integers of one unit, and the statistics of what lies between them."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal, Inexact
from itertools import pairwise
from math import copysign, sqrt
from operator import mul
from typing import NamedTuple

from reflow.amounts import VALUE_PLACES
from reflow.flows.values import divide
from reflow.series import EXACT, Binary, Series, decimals


class Tolerance(NamedTuple):
    """A day is off when its difference is more than each of these allows."""

    absolute: Decimal = Decimal(0)
    """In the metric's unit."""
    relative: Decimal = Decimal(0)
    """A share of the vendor's value: 0.01 is one per cent."""
    control: bool = False
    """Whether control metrics get it too; else they must be exact."""


class Pairs(NamedTuple):
    """The days on which both have a value, in order, as integers of one unit: nothing is rounded."""

    days: list[date]
    ours: list[int]
    """In 10**-`places` units of the metric."""
    vendor: list[int]
    printed: list[Decimal]
    """The vendor's values as they stand in the source: their number of places counts."""
    places: int

    def decimal(self, number: int) -> Decimal:
        """An integer of that unit in the metric's own, without zeros at the end of a fraction."""
        value = EXACT.normalize(EXACT.scaleb(Decimal(number), -self.places))
        return value if decimals(value) else EXACT.quantize(value, Decimal(1))


def align(ours: Series, vendor: Series) -> Pairs:
    """Bring two series to the days and the unit that they share."""
    both = {day: (ours[day], vendor[day]) for day in sorted(ours.keys() & vendor.keys())}
    known = {day: (a, b) for day, (a, b) in both.items() if a is not None and b is not None}
    try:
        return _scaled(known, VALUE_PLACES)
    except Inexact:
        return _scaled(known, max(decimals(value) for pair in known.values() for value in pair))


def _scaled(known: dict[date, tuple[Decimal, Decimal]], places: int) -> Pairs:
    ours, vendor = (
        [int(pair[side].scaleb(places, EXACT).to_integral_exact(context=EXACT)) for pair in known.values()]
        for side in (0, 1)
    )
    return Pairs(list(known), ours, vendor, [theirs for _, theirs in known.values()], places)


def equal(pairs: Pairs, *, is_quotient: bool) -> list[bool]:
    """Day by day, whether ours is the vendor's value, as far as that has digits.

    Amounts and counts must be equal as they are. A quotient (ratio, mean, median) is met when ours, rounded half away
    from zero to the places of that very value, is the vendor's; where that has more places than ours, it is rounded to
    ours. A binary float is met when it is the float nearest to ours.
    """
    return [
        a == b or _is_met(a, b, printed, pairs.places, is_quotient=is_quotient)
        for a, b, printed in zip(pairs.ours, pairs.vendor, pairs.printed, strict=True)
    ]


def _is_met(ours: int, vendor: int, printed: Decimal, places: int, *, is_quotient: bool) -> bool:
    if isinstance(printed, Binary):
        return float(EXACT.scaleb(Decimal(ours), -places)) == float(printed)
    if not is_quotient:
        return False
    unit = 10 ** (places - min(decimals(printed), VALUE_PLACES))
    return divide(ours, unit) == divide(vendor, unit)


def correlation(a: Sequence[int], b: Sequence[int]) -> float | None:
    """Pearson's correlation; None for less than two values, and where one side is constant."""
    both, spread = _covariance(a, b), _covariance(a, a) * _covariance(b, b)
    squared = quotient(both * both, spread)
    return None if squared is None else copysign(sqrt(squared), both)


def _covariance(a: Sequence[int], b: Sequence[int]) -> int:
    """Times the square of their number, so that nothing is divided."""
    return len(a) * products(a, b) - sum(a) * sum(b)


def products(a: Sequence[int], b: Sequence[int]) -> int:
    """The sum of the products of what stands side by side."""
    return sum(map(mul, a, b))


def quotient(part: int, whole: int) -> float | None:
    """Rounded once; None where there is none, or none that a float can hold."""
    try:
        return part / whole
    except (ZeroDivisionError, OverflowError):
        return None


def tolerable(pairs: Pairs, tolerance: Tolerance) -> list[bool]:
    """Day by day, whether the difference is no more than the tolerance allows."""
    unit = 10**pairs.places
    part, parts = tolerance.absolute.as_integer_ratio()
    least = part * unit // parts
    share, whole = tolerance.relative.as_integer_ratio()
    return [
        abs(a - b) <= least or abs(a - b) * whole <= share * abs(b)
        for a, b in zip(pairs.ours, pairs.vendor, strict=True)
    ]


def changes(pairs: Pairs) -> tuple[list[int], list[int]]:
    """The changes of both sides between neighbouring days."""
    after = [place for place, (x, y) in enumerate(pairwise(pairs.days), start=1) if y - x == timedelta(1)]
    ours, vendor = ([side[n] - side[n - 1] for n in after] for side in (pairs.ours, pairs.vendor))
    return ours, vendor
