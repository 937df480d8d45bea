"""What `reflow sweep` tells a person: which methodologies are closest to the vendor, and what each parameter moves."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reflow.cli.console import say, say_table
from reflow.crosscheck.compare import layer_of
from reflow.sweeps.ranking import name_of
from reflow.sweeps.targets import REASONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from reflow.crosscheck.compare import Difference
    from reflow.sweeps.ranking import SingleChange
    from reflow.sweeps.sweep import SweepResult

_LAYERS: Final = {1: "control", 2: "exchanges", 3: "miners"}
_SHOWN: Final = 20
"""Methodologies in the table for a person, one of each that are equal; files have all."""
_MOVED: Final = 3
"""Metrics that a person is told of a single change."""
_NAMES: Final = 8
"""Names of one group, or of metrics left out."""


def tell_sweep(result: "SweepResult", files: list[Path]) -> None:
    """The ranking, single changes, control metrics by clock, worst days, what cannot be told apart, and the files."""
    say(
        f"{len(result.variants):,} methodologies, {len(result.metrics):,} metrics, "
        f"{result.days[0]} to {result.days[-1]}, in {result.seconds:,.1f} s"
    )
    _tell_ranking(result)
    for base in dict.fromkeys(change.base for change in result.changes):
        _tell_changes([change for change in result.changes if change.base == base])
    _tell_days("Control metrics that are off, by clock", _control_off(result))
    best = [("best", found.worst) for found in result.best.metrics.values() if found.worst]
    _tell_days(f"Worst days of the best, {result.best.name}", best)
    for group in result.alike:
        say(f"no telling apart, equal series: {_short([variant.name for variant in group], '; ')}")
    for group in result.tied:
        say(f"equally far, with other series: {_short([variant.name for variant in group], '; ')}")
    for file in files:
        say(f"written       {file}")
    for reason, metrics in result.left_out.items():
        if metrics:
            say(f"not compared  {REASONS[reason]}: {_short(metrics)}")


def _tell_ranking(result: "SweepResult") -> None:
    layers = list(result.best.layers)
    columns = ("", "methodology", "distance", "shape", *(_LAYERS[layer] for layer in layers), "equal")
    first = {variant.group: variant for variant in reversed(result.variants)}
    sizes = Counter(variant.group for variant in result.variants)
    rows = [
        (
            variant.rank,
            variant.name,
            _number(variant.score.distance),
            _number(variant.score.shape),
            *(_number(variant.layers[layer].distance) for layer in layers),
            sizes[group] - 1 or "",
        )
        for group, variant in sorted(first.items())[:_SHOWN]
    ]
    say_table(columns, rows, title=f"Closest to the vendor, by {result.by}", left=2)
    if len(first) > _SHOWN:
        say(f"{len(first) - _SHOWN:,} more in the files\n")


def _tell_changes(changes: "Sequence[SingleChange]") -> None:
    rows = [
        (
            f"{change.key}={change.value}",
            _most_moved(change),
            _signed(change.change.distance),
            _signed(change.change.shape),
        )
        for change in changes
    ]
    columns = ("single change", "metrics moved, by distance", "distance", "shape")
    say_table(columns, rows, title=f"What one change moves, from {name_of(changes[0].base)}", left=2)


def _most_moved(change: "SingleChange") -> str:
    """The metrics whose distance changes most, and how many move in all."""
    if not change.moved:
        return "none"
    largest = sorted(change.moved, key=lambda metric: -abs(change.metrics[metric].distance))[:_MOVED]
    told = ", ".join(f"{metric} {_signed(change.metrics[metric].distance)}" for metric in largest)
    more = len(change.moved) - len(largest)
    return told + (f", {more:,} more" if more else "")


def _control_off(result: "SweepResult") -> "list[tuple[str, Difference]]":
    """The worst day of each control metric under each clock; no other parameter changes them."""
    closest = {variant.methodology.clock: variant for variant in reversed(result.variants)}
    return [
        (clock, found.worst)
        for clock, variant in sorted(closest.items())
        for metric, found in variant.metrics.items()
        if layer_of(metric) == 1 and found.worst
    ]


def _tell_days(title: str, days: "Sequence[tuple[str, Difference]]") -> None:
    if not days:
        return
    rows = [(whose, one.metric, one.day, f"{one.ours:f}", f"{one.vendor:f}") for whose, one in days]
    say_table(("", "metric", "worst day", "ours", "vendor's"), rows, title=title, left=3)


def _number(value: "Fraction") -> str:
    """Four places; a plain 0 means equal, not nearly so."""
    return f"{float(value):.4f}" if value else "0"


def _signed(value: "Fraction") -> str:
    return f"{float(value):+.4f}" if value else "0"


def _short(names: "Sequence[str]", between: str = ", ") -> str:
    more = len(names) - _NAMES
    return between.join(names[:_NAMES]) + (f"{between}{more:,} more" if more > 0 else "")
