"""The verdict: three layers in their order, which of them breaks first, and what explains it."""

from collections.abc import Set
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple

from reflow.crosscheck.board import Board
from reflow.crosscheck.compare import Difference
from reflow.crosscheck.findings import Finding, listed, plural
from reflow.crosscheck.flow_faults import (
    find_exchange_faults,
    find_miner_faults,
    find_price_faults,
    knock_on,
)
from reflow.crosscheck.ledger_faults import find_ledger_faults
from reflow.flows.catalog import Layer, Metric
from reflow.series import Table

Status = Literal["holds", "breaks", "not judged", "not compared"]
"""`not judged`: no day is left on which the layers below agree."""

TITLES: Final[dict[Layer, str]] = {1: "control metrics", 2: "exchange flows", 3: "miner flows"}
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
    """Metrics that it is judged by (see `judged_by`)."""
    agreeing: int
    """Those with no day off, judged or not."""
    days: int
    """Days that can be judged: all layers below agree on them."""
    days_off: int
    """Those of them on which a metric of this layer is off by itself (see `Board.anew`)."""
    first_off: date | None
    text: str


class Diagnosis(NamedTuple):
    """All layers, and what was recognized."""

    breaks_first: Layer | None
    """The lowest layer that breaks; None where none does."""
    text: str
    layers: list[LayerVerdict]
    findings: list[Finding]
    """In the order of layers."""


def diagnose(board: Board, other_clock: tuple[str, Table] | None = None) -> Diagnosis:
    """Judge layer by layer; a layer is judged on the days on which those below it agree.

    `other_clock`: see `find_ledger_faults`.
    """
    ledger = find_ledger_faults(board, other_clock)
    shaky = {day for finding in ledger if finding.kind != "start_value" for day in finding.days}
    prices = find_price_faults(board)
    exchanges = find_exchange_faults(board, shaky)
    unknown = shaky | knock_on(board)
    miners = find_miner_faults(board, unknown)
    layers = [_layer(board, 1, set()), _layer(board, 2, shaky), _layer(board, 3, unknown)]
    breaks = next((one.layer for one in layers if one.status == "breaks"), None)
    findings = [*ledger, *exchanges, *prices, *miners]
    return Diagnosis(breaks, _verdict(layers, breaks, but_for_prices=bool(prices)), layers, findings)


def judged_by(board: Board, layer: Layer) -> list[Metric]:
    """The metrics that say whether a layer holds: those that need no prices, so that wrong prices make none break.

    Flows in US dollars stand in where their native units are not compared; of the ledger they prove nothing.
    """
    known = [metric for metric in board.metrics.values() if metric.layer == layer and board.days[metric.id]]
    plain = [metric for metric in known if not metric.needs_prices]
    stems = {metric.stem for metric in plain}
    return plain + [
        metric
        for metric in known
        if layer > 1 and metric.unit == "USD" and metric.stem not in stems and metric.derived is None
    ]


def _layer(board: Board, layer: Layer, unjudged: Set[date]) -> LayerVerdict:
    metrics = judged_by(board, layer)
    ids = [metric.id for metric in metrics]
    judged = {one.day for id_ in ids for one in board.days[id_]} - unjudged
    off = {metric.id: [one.day for one in _off_by_itself(board, metric, unjudged)] for metric in metrics}
    days = sorted({day for found in off.values() for day in found})
    status: Status = "holds"
    if not ids:
        status = "not compared"
    elif not judged:
        status = "not judged"
    elif days:
        status = "breaks"
    agreeing = sum(not board.off(id_) for id_ in ids)
    text = _sentence(layer, status, [id_ for id_ in off if off[id_]], len(judged), days)
    return LayerVerdict(
        layer=layer,
        title=TITLES[layer],
        question=_QUESTIONS[layer],
        status=status,
        metrics=len(ids),
        agreeing=agreeing,
        days=len(judged),
        days_off=len(days),
        first_off=days[0] if days else None,
        text=text,
    )


def _off_by_itself(board: Board, metric: Metric, unjudged: Set[date]) -> list[Difference]:
    """The days off for which nothing below is to blame: of a ratio over several days, all of them must be judged."""
    window = range(metric.ratio.days if metric.ratio else 1)
    return [
        one
        for one in board.anew(metric.id)
        if not any(one.day - timedelta(back) in unjudged for back in window)
    ]


def _sentence(layer: Layer, status: Status, off: list[str], judged: int, days: list[date]) -> str:
    if status == "not compared":
        return f"There are no {TITLES[layer]} of the vendor's to judge by: {_UNKNOWN[layer]}."
    if status == "not judged":
        return f"No day is left on which the layers below agree: {TITLES[layer]} tell nothing yet."
    if status == "holds":
        return f"All {TITLES[layer]} agree on {plural(judged, 'day')}: {_HOLDS[layer]}."
    return (
        f"{plural(len(off), 'metric')} of the {TITLES[layer]} differ on {len(days):,} of {plural(judged, 'day')}, "
        f"first on {days[0]} ({listed(off)}): {_BREAKS[layer]}."
    )


_HOLDS: Final[dict[Layer, str]] = {
    1: "the ledger is the vendor's",
    2: "the labels show what the vendor's do",
    3: "the definition is the vendor's, as far as these days can tell",
}
_BREAKS: Final[dict[Layer, str]] = {
    1: "ledger or clock are not the vendor's on these days, so judge no flow of them",
    2: "the accounts counted as the exchanges' are not the vendor's, or a transaction is missing on one side",
    3: "ledger and labels agree, so the definition is not the vendor's, or a transaction is missing on one side",
}
_UNKNOWN: Final[dict[Layer, str]] = {
    1: "whether the ledger is the vendor's is not known",
    2: "labels and definition cannot be told apart",
    3: "nothing is known of the definition",
}


def _verdict(layers: list[LayerVerdict], breaks: Layer | None, *, but_for_prices: bool) -> str:
    if breaks is None:
        held = [one.title for one in layers if one.status == "holds"]
        none = "But for prices, no" if but_for_prices else "No"
        return f"{none} difference where both can be compared: {' and '.join(held) or 'nothing'}."
    return f"Layer {breaks} ({TITLES[breaks]}) breaks first: {_BREAKS[breaks]}."
