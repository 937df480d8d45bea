"""The verdict: three layers in order, the first that breaks, and what explains it."""

from collections.abc import Callable, Set
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple

from reflow.crosscheck.compare import Compared, Difference
from reflow.crosscheck.findings import Finding, listed, plural
from reflow.crosscheck.flow_faults import (
    find_exchange_faults,
    find_miner_faults,
    find_price_faults,
    knock_on,
)
from reflow.crosscheck.ledger_faults import find_ledger_faults
from reflow.flows.catalog import LAYERS, Layer, Metric

Status = Literal["holds", "breaks", "not judged", "not compared"]
"""`not judged`: no day is left on which the layers below agree."""

_QUESTIONS: Final[dict[Layer, str]] = {
    1: "is the ledger the vendor's ledger?",
    2: "how complete are the labels?",
    3: "is the definition the vendor's?",
}


class LayerVerdict(NamedTuple):
    """One layer."""

    layer: Layer
    title: str
    question: str
    status: Status
    metrics: int
    """Number of metrics that decide (see `judged_by`)."""
    agreeing: int
    """Number of these with no day off, judged or not."""
    days: int
    """Number of days that can be judged: all layers below agree."""
    days_off: int
    """Number of these on which a metric of this layer is off by itself (see `Compared.anew`)."""
    first_off: date | None
    text: str


class Diagnosis(NamedTuple):
    """All layers and all findings."""

    breaks_first: Layer | None
    """The lowest layer that breaks; None where none does."""
    text: str
    layers: list[LayerVerdict]
    findings: list[Finding]
    """In the order of layers."""


FINDERS: Final[tuple[tuple[Layer, Callable[[Compared, Set[date]], list[Finding]]], ...]] = (
    (1, find_ledger_faults),
    (2, find_exchange_faults),
    (2, find_price_faults),
    (3, find_miner_faults),
)
"""Functions that find findings, in their order; each gets the days on which its layer cannot be judged."""


def diagnose(compared: Compared) -> Diagnosis:
    """Judge layer by layer, each on the days on which the layers below it agree."""
    findings: list[Finding] = []
    for layer, find in FINDERS:
        findings += find(compared, _unjudged(compared, layer, findings))
    layers = [_layer(compared, layer, _unjudged(compared, layer, findings)) for layer in LAYERS]
    breaks = next((verdict.layer for verdict in layers if verdict.status == "breaks"), None)
    but_for_prices = any(finding.kind == "prices" for finding in findings)
    return Diagnosis(breaks, _verdict(layers, breaks, but_for_prices=but_for_prices), layers, findings)


def _unjudged(compared: Compared, layer: Layer, findings: list[Finding]) -> Set[date]:
    """The days on which a layer below differs."""
    if layer == 1:
        return set()
    of_ledger = [finding for finding in findings if finding.layer == 1 and finding.kind != "start_value"]
    shaky = {day for finding in of_ledger for day in finding.days}
    return shaky if layer == 2 else shaky | knock_on(compared)


def judged_by(compared: Compared, layer: Layer) -> list[Metric]:
    """The metrics that decide whether a layer holds: those that need no prices, so that wrong prices break no layer.

    Flows in US dollars stand in where their native units are not compared. They prove nothing about the ledger.
    """
    metrics = [
        metric for metric in compared.metrics.values() if metric.layer == layer and compared.days[metric.id]
    ]
    without_prices = [metric for metric in metrics if not metric.needs_prices]
    stems = {metric.stem for metric in without_prices}
    return without_prices + [
        metric
        for metric in metrics
        if layer > 1 and metric.unit == "USD" and metric.stem not in stems and metric.derived is None
    ]


def _layer(compared: Compared, layer: Layer, unjudged: Set[date]) -> LayerVerdict:
    metrics = judged_by(compared, layer)
    ids = [metric.id for metric in metrics]
    judged = {day.day for id_ in ids for day in compared.days[id_]} - unjudged
    off = {metric.id: [day.day for day in _off_by_itself(compared, metric, unjudged)] for metric in metrics}
    days = sorted({day for of_metric in off.values() for day in of_metric})
    status: Status = "holds"
    if not ids:
        status = "not compared"
    elif not judged:
        status = "not judged"
    elif days:
        status = "breaks"
    agreeing = sum(not compared.off(id_) for id_ in ids)
    text = _sentence(layer, status, [id_ for id_ in off if off[id_]], len(judged), days)
    return LayerVerdict(
        layer=layer,
        title=LAYERS[layer],
        question=_QUESTIONS[layer],
        status=status,
        metrics=len(ids),
        agreeing=agreeing,
        days=len(judged),
        days_off=len(days),
        first_off=days[0] if days else None,
        text=text,
    )


def _off_by_itself(compared: Compared, metric: Metric, unjudged: Set[date]) -> list[Difference]:
    """The days off that no layer below explains; for a ratio over several days, all of these must be judged."""
    window = range(metric.ratio.days if metric.ratio else 1)
    return [
        difference
        for difference in compared.anew(metric.id)
        if not any(difference.day - timedelta(back) in unjudged for back in window)
    ]


def _sentence(layer: Layer, status: Status, off: list[str], judged: int, days: list[date]) -> str:
    title = LAYERS[layer]
    if status == "not compared":
        return f"The vendor has no {title} to judge by: {_UNKNOWN[layer]}."
    if status == "not judged":
        return f"There is no day on which the layers below agree: {title} say nothing yet."
    if status == "holds":
        return f"All {title} agree on {plural(judged, 'day')}: {_HOLDS[layer]}."
    differ = f"{len(off):,} {title} differ" if len(off) > 1 else f"1 of the {title} differs"
    when = f"on {len(days):,} of {plural(judged, 'day')}, first on {days[0]}"
    return f"{differ} {when} ({listed(off)}): {_BREAKS[layer]}."


_HOLDS: Final[dict[Layer, str]] = {
    1: "the ledger is the vendor's",
    2: "our labels cover what the vendor's cover",
    3: "the definition is the vendor's, as far as these days can tell",
}
_BREAKS: Final[dict[Layer, str]] = {
    1: "the ledger or the clock is not the vendor's; ignore flows on those days",
    2: "the vendor gives other accounts to exchanges, or one side lacks a transaction",
    3: "ledger and labels agree, so the vendor's definition differs, or one side lacks a transaction",
}
_UNKNOWN: Final[dict[Layer, str]] = {
    1: "we cannot say whether the ledger is the vendor's",
    2: "wrong labels and a different definition look the same",
    3: "we cannot say anything about the definition",
}


def _verdict(layers: list[LayerVerdict], breaks: Layer | None, *, but_for_prices: bool) -> str:
    if breaks is None:
        held = [layer.title for layer in layers if layer.status == "holds"]
        none = "Except for prices, no" if but_for_prices else "No"
        return f"{none} difference in what can be compared: {' and '.join(held) or 'nothing'}."
    return f"Layer {breaks} ({LAYERS[breaks]}) breaks first: {_BREAKS[breaks]}."
