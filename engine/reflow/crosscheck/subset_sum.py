"""Find a few amounts that add up to a gap: transactions that one side may count and the other not."""

from collections.abc import Mapping
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np

MOST: Final = 3
"""At most this many amounts: with more, some sum fits by chance."""
_OF_THREE: Final = 300
"""Threes are searched among this many of the largest amounts; the work grows with its square."""


class Subset(NamedTuple):
    """A choice of amounts."""

    chosen: tuple[int, ...]
    """Their keys, largest amount first."""
    rest: int
    """The gap minus their sum: 0 where they close it."""
    ways: int
    """How many choices of this size leave as little; with more than one, chance may be at work."""


def find_subset(amounts: Mapping[int, int], gap: int) -> Subset | None:
    """The fewest amounts, up to three, whose sum is `gap`; else those that come nearest.

    Amounts are integers (sat) by key. Only amounts with the gap's sign count. None if no amount makes the gap smaller.
    Of several choices, the one with the smallest keys.
    """
    sign = -1 if gap < 0 else 1
    usable = {key: sign * amount for key, amount in amounts.items() if sign * amount > 0}
    order = sorted(usable, key=lambda key: (-usable[key], key))
    best: Subset | None = None
    for number in range(1, MOST + 1):
        subset = _nearest(order, usable, abs(gap), number)
        if subset is not None and (best is None or abs(subset.rest) < abs(best.rest)):
            best = subset
        if best is not None and best.rest == 0:
            break
    if best is None or abs(best.rest) >= abs(gap):
        return None
    return best._replace(rest=sign * best.rest)


def _nearest(order: list[int], amounts: Mapping[int, int], gap: int, number: int) -> Subset | None:
    """The choice of `number` amounts with the smallest rest."""
    heads: list[tuple[int, ...]] = [()]
    if number > 1:
        heads = list(combinations(order[:_OF_THREE] if number > 2 else order, number - 1))
    rising = sorted(order, key=lambda key: (amounts[key], key))
    values = np.array([amounts[key] for key in rising], np.int64)
    rests: dict[tuple[int, ...], int] = {}
    if number > len(values):
        return None
    missing = np.array([gap - sum(amounts[key] for key in head) for head in heads], np.int64)
    places = np.searchsorted(values, missing)
    least = None
    for head, lack, place in zip(heads, missing.tolist(), places.tolist(), strict=True):
        for key in _around(rising, amounts, place, lack, head):
            rest = lack - amounts[key]
            if least is None or abs(rest) <= least:
                if least is None or abs(rest) < least:
                    rests, least = {}, abs(rest)
                rests[tuple(sorted((*head, key)))] = rest
    if not rests:
        return None
    chosen = min(rests)
    return Subset(tuple(sorted(chosen, key=lambda key: (-amounts[key], key))), rests[chosen], len(rests))


def _around(
    rising: list[int], amounts: Mapping[int, int], place: int, lack: int, head: tuple[int, ...]
) -> list[int]:
    """Keys of the nearest amounts below and above the rest of the gap, without the chosen ones."""
    keys = []
    below = place - 1
    while below >= 0 and rising[below] in head:
        below -= 1
    if below >= 0:
        keys.append(rising[below])
    while place < len(rising):
        key = rising[place]
        if key not in head:
            keys.append(key)
            if amounts[key] != lack:
                break
        place += 1
    return keys
