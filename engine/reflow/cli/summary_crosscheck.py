"""What `reflow crosscheck` tells a person: the metrics, the layers, what was recognized, where to look."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from reflow.amounts import SAT_PLACES
from reflow.cli.console import complain, say, say_table

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from reflow.crosscheck.check import CrossCheck
    from reflow.crosscheck.compare import Comparison
    from reflow.crosscheck.drill import Drilled
    from reflow.crosscheck.verdict import Diagnosis

_ROWS: Final = 30
"""Metrics in the table for a person; files have all."""
_FEW: Final = 5
"""Transactions told of a gap."""


def tell_cross_check(found: "CrossCheck", files: Sequence["Path"]) -> None:
    """Everything, the verdict last but for the files."""
    _tell_metrics(found.comparisons)
    _tell_coverage(found)
    tell_diagnosis(found.diagnosis)
    _tell_worst(found)
    if found.vendor.unread:
        say(f"not ours      {len(found.vendor.unread):,} metrics of the vendor: {_some(found.vendor.unread)}")
    if found.not_compared:
        say(f"not compared  {len(found.not_compared):,} metrics of ours: {_some(found.not_compared)}")
    for file in files:
        say(f"written       {file}")
    say(f"verdict       {found.diagnosis.text}")
    if found.failed:
        told = (
            f"{one.metric} on {one.off:,} of {one.days:,} days from {one.first_off}"
            for one in found.comparisons
            if one.metric in found.failed
        )
        complain(f"required to agree, but off: {', '.join(told)}")


def tell_diagnosis(diagnosis: "Diagnosis") -> None:
    """Layer by layer, then what was recognized."""
    for layer in diagnosis.layers:
        say(f"layer {layer.layer}       {layer.status}: {layer.text}")
    for finding in diagnosis.findings:
        say(f"found         {finding.kind}: {finding.text}")
        say(f"              {finding.advice}")


def _tell_metrics(comparisons: Sequence["Comparison"]) -> None:
    columns = (
        *("metric", "layer", "days", "exact", "off", "first off", "ours / vendor", "mean |diff|"),
        *("max |diff|", "on", "corr.", "verdict"),
    )
    ordered = sorted(comparisons, key=lambda one: (one.layer, one.verdict != "off"))
    shown = ordered[:_ROWS]
    rows = [
        (
            one.metric,
            one.layer,
            f"{one.days:,}",
            f"{one.exact:,}",
            f"{one.off:,}",
            one.first_off or "",
            _number(one.ratio, "{:.4f}"),
            _number(one.mean_absolute, "{:.6g}"),
            _short(one.max_absolute),
            one.max_absolute_day or "",
            _number(one.correlation, "{:.4f}"),
            one.verdict,
        )
        for one in shown
    ]
    say_table(columns, rows, title="Metrics that both have")
    if rest := ordered[_ROWS:]:
        off = sum(one.verdict == "off" for one in rest)
        say(f"{len(rest):,} metrics more, {off:,} of them off: --out or --json tells all\n")


def _tell_coverage(found: "CrossCheck") -> None:
    rows = [
        (one.exchange, one.metric, _short(one.ours), _short(one.vendor), _number(one.ratio, "{:.2%}"))
        for one in found.coverage
    ]
    if rows:
        say_table(("exchange", "flow", "ours", "vendor", "coverage"), rows, title="Label coverage", left=2)


def _tell_worst(found: "CrossCheck") -> None:
    from reflow.crosscheck.output import command

    behind = {id(one.worst): one for one in found.drilled}
    for one in found.worst:
        cell = one.difference
        say(f"look at       {cell.day} {cell.metric}: {cell.ours:f} here, {cell.vendor:f} there")
        if id(one) in behind:
            _tell_closer(behind[id(one)])
        say(f"              {command(found, one)}")


def _tell_closer(drilled: "Drilled") -> None:
    closer = drilled.closer
    if closer is None:
        return
    if closer.way == "other clock":
        heights = ", ".join(f"{part['height']:,}" for part in closer.parts)
        say(
            f"              by the other clock these blocks belong to another day, which closes the gap: {heights}"
        )
        return
    sides = {"exclude": "the vendor may lack", "include": "the vendor may also count"}
    for part in closer.parts[:_FEW]:
        block = f"(block {part['height']:,})"
        say(f"              {sides[closer.way]} this transaction {block}: {part['txid']}")
    more = f", and {len(closer.parts) - _FEW:,} more" if len(closer.parts) > _FEW else ""
    what = "that" if len(closer.parts) == 1 else "together that"
    effect = "closes the gap" if closer.exact else f"leaves {closer.rest}"
    chance = f", one of {closer.ways:,} ways" if closer.ways > 1 else ""
    say(f"              {what} {effect}{chance}{more}")


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _short(value: "Decimal") -> str:
    """All of it up to 8 places, else six digits: files have every one."""
    return f"{value:f}" if value == round(value, SAT_PLACES) else f"{float(value):.6g}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
