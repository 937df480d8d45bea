"""Methodologies in the order of their distance, the effect of single changes, and groups with equal series."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from reflow.flows.catalog import Layer
from reflow.flows.methodology import ALLOWED, Methodology
from reflow.sweeps.distance import Distance, Score, together
from reflow.sweeps.grid import changed, changes, meaning

By = Literal["distance", "shape"]
"""Which score decides the order."""


class Measured(NamedTuple):
    """One methodology against the vendor's series."""

    methodology: Methodology
    exchange_accounts: str
    """Digest of its exchange accounts."""
    metrics: dict[str, Distance]
    series: dict[str, str]
    """Metric to a digest of our values on the days compared."""


class Variant(NamedTuple):
    """One methodology with its rank."""

    rank: int
    """From 1 on; equal scores have equal ranks."""
    methodology: Methodology
    score: Score
    layers: dict[Layer, Score]
    metrics: dict[str, Distance]
    series: dict[str, str]
    exchange_accounts: str
    group: int
    """Number of the group with equal series in all compared metrics, in the order of the ranking."""

    @property
    def name(self) -> str:
        """The changes from the reference methodology, such as `clock=header, netting=gross`."""
        return name_of(self.methodology)


class SingleChange(NamedTuple):
    """The effect of one changed parameter: scores after the change minus scores before."""

    base: Methodology
    key: str
    value: str
    after: Methodology
    """Where the change has no meaning, the base itself."""
    change: Score
    metrics: dict[str, Score]
    moved: list[str]
    """Metrics of which any compared day is another."""


def name_of(methodology: Methodology) -> str:
    """The changes from the reference methodology."""
    return ", ".join(f"{key}={value}" for key, value in changes(methodology).items()) or "reference"


def rank(measured: Sequence[Measured], by: By = "distance") -> list[Variant]:
    """Closest first; among equals fewer changes from the reference, then the grid's order."""
    scored = [
        (each, *together({name: distance.score for name, distance in each.metrics.items()}))
        for each in measured
    ]
    scored.sort(key=lambda entry: (getattr(entry[1], by), len(changes(entry[0].methodology))))
    marks = [getattr(score, by) for _, score, _ in scored]
    groups: dict[Hashable, int] = {}
    return [
        Variant(
            rank=1 + marks.index(getattr(score, by)),
            methodology=each.methodology,
            score=score,
            layers=layers,
            metrics=each.metrics,
            series=each.series,
            exchange_accounts=each.exchange_accounts,
            group=groups.setdefault(tuple(each.series.items()), len(groups) + 1),
        )
        for each, score, layers in scored
    ]


def single_changes(variants: Iterable[Variant], bases: Iterable[Methodology]) -> list[SingleChange]:
    """Every single change from each base, if the changed methodology is among the variants."""
    by_methodology = {variant.methodology: variant for variant in variants}
    return [
        _change(by_methodology[base], by_methodology[after], key, value)
        for base in dict.fromkeys(bases)
        for key, values in ALLOWED.items()
        for value in values
        if value != base.parameters()[key] and (after := meaning(changed(base, key, value))) in by_methodology
    ]


def _change(before: Variant, after: Variant, key: str, value: str) -> SingleChange:
    return SingleChange(
        base=before.methodology,
        key=key,
        value=value,
        after=after.methodology,
        change=_minus(after.score, before.score),
        metrics={
            name: _minus(distance.score, before.metrics[name].score)
            for name, distance in after.metrics.items()
        },
        moved=[name for name, digest in after.series.items() if digest != before.series[name]],
    )


def _minus(a: Score, b: Score) -> Score:
    return Score(a.distance - b.distance, a.shape - b.shape)


def alike(variants: Iterable[Variant]) -> list[list[Variant]]:
    """Groups of methodologies with equal series, of two or more."""
    groups: defaultdict[int, list[Variant]] = defaultdict(list)
    for variant in variants:
        groups[variant.group].append(variant)
    return [group for group in groups.values() if len(group) > 1]


def tied(variants: Iterable[Variant], by: By = "distance") -> list[list[Variant]]:
    """Methodologies with equal scores although their series differ."""
    scores: defaultdict[Fraction, list[Variant]] = defaultdict(list)
    for variant in variants:
        scores[getattr(variant.score, by)].append(variant)
    return [same for same in scores.values() if len({variant.group for variant in same}) > 1]
