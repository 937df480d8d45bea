"""How far one series is from the vendor's, as one number between 0 and 1 that means the same for every metric."""

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from reflow.crosscheck.aligned import Aligned
from reflow.crosscheck.compare import Difference, Tolerance, days_off, layer_of
from reflow.flows.catalog import LAYERS, Layer


class Score(NamedTuple):
    """Two measures of the distance to the vendor, from 0 (equal) to 1, as exact fractions."""

    distance: Fraction
    """The mean of the share of days off and of the deviation."""
    shape: Fraction
    """The difference that is left when both series are scaled to one sum.

    Missing labels make our flows smaller: the distance punishes that, the shape does not.
    """


class Distance(NamedTuple):
    """One metric of one methodology against the vendor's."""

    days: int
    """Number of days on which both have a value."""
    off: int
    """Number of days on which the difference is beyond the tolerance."""
    deviation: Fraction
    """Sum of |difference| on days off over the sum of both |series|: the dissimilarity of Bray and Curtis (1957).
    0: no day is off; 1: nothing is shared."""
    shape: Fraction
    worst: Difference | None
    """The day off with the largest difference, the first of equal ones."""

    @property
    def score(self) -> Score:
        """The score of this metric alone."""
        return Score((Fraction(self.off, self.days) + self.deviation) / 2, self.shape)


def measure(metric: str, aligned: Aligned, tolerance: Tolerance) -> Distance:
    """Compare one metric on the days of `aligned`; there must be one."""
    off = set(days_off(metric, aligned, tolerance))
    gaps = {
        place: abs(a - b)
        for place, (day, a, b) in enumerate(zip(aligned.days, aligned.ours, aligned.vendor, strict=True))
        if day in off
    }
    size = sum(map(abs, aligned.ours)) + sum(map(abs, aligned.vendor))
    return Distance(
        days=len(aligned.days),
        off=len(off),
        deviation=Fraction(sum(gaps.values()), size or 1),
        shape=_shape(aligned),
        worst=_difference(metric, aligned, max(gaps, key=gaps.__getitem__)) if gaps else None,
    )


def together(scores: Mapping[str, Score]) -> tuple[Score, dict[Layer, Score]]:
    """The overall score and the score of each layer: means over a layer's metrics, then over the layers.

    So neither many exchanges nor many control metrics outvote the rest.
    """
    layers = {
        layer: _mean([score for metric, score in scores.items() if layer_of(metric) == layer])
        for layer in LAYERS
        if any(layer_of(metric) == layer for metric in scores)
    }
    return _mean(list(layers.values())), layers


def _mean(scores: list[Score]) -> Score:
    return Score(*(sum(column, Fraction(0)) / len(scores) for column in zip(*scores, strict=True)))


def _shape(aligned: Aligned) -> Fraction:
    """Half the sum of the differences between the days' shares of the two sums."""
    a, b = sum(map(abs, aligned.ours)), sum(map(abs, aligned.vendor))
    if not a or not b:
        return Fraction(bool(a or b))
    gap = sum(abs(x * b - y * a) for x, y in zip(aligned.ours, aligned.vendor, strict=True))
    return Fraction(gap, 2 * a * b)


def _difference(metric: str, aligned: Aligned, place: int) -> Difference:
    a, b = aligned.ours[place], aligned.vendor[place]
    ours, vendor, difference = map(aligned.decimal, (a, b, a - b))
    return Difference(metric, aligned.days[place], ours, vendor, difference, exact=False, off=True)
