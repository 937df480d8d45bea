"""The verdict in words and by layer, from crosscheck.json; without a cross-check, what is missing."""

import shlex
from typing import Any, Final, Literal, NamedTuple

from reflow.flows import catalog
from reflow.results.frames import Frames

State = Literal["pass", "fail", "none"]

LAYERS: Final[tuple[tuple[catalog.Layer, str, str], ...]] = (
    (1, "Ledger", "Is our ledger the vendor's ledger? Control metrics must be exact."),
    (2, "Labels", "How complete are our labels? Exchange flows."),
    (3, "Definition", "Is the definition the vendor's? Miner flows."),
)
"""Number, name and question of each, in reading order."""


class Layer(NamedTuple):
    """One of the three layers."""

    name: str
    question: str
    state: State
    word: str
    """The state in a word or two, beside its colour."""
    agreement: str
    """How many metrics agree, how many days are off."""
    text: str


class Finding(NamedTuple):
    """An explanation of differences."""

    title: str
    text: str
    metric: str
    """Where to see it; may be empty."""
    day: str


class Verdict(NamedTuple):
    """The top of the report."""

    state: State
    headline: str
    detail: str
    command: str
    """The cross-check to run, if there was none."""
    layers: list[Layer]
    findings: list[Finding]


_STATES: Final[dict[str, State]] = {"holds": "pass", "breaks": "fail"}
_TITLES: Final = {
    "clock": "Another clock",
    "day_shift": "Days moved",
    "start_value": "Another start",
    "unit": "Another unit",
    "ledger": "Another ledger",
    "labels": "Labels",
    "transaction": "One transaction",
    "prices": "Prices",
    "definition": "Definition",
}
_AGREED: Final = {
    1: "The ledger differs from the vendor's",
    2: "The ledger is the vendor's; exchange flows differ",
    3: "Ledger and labels agree; miner flows differ",
}
"""Headline by the layer that breaks first."""


def verdict(frames: Frames) -> Verdict:
    """The verdict of a cross-check, or the command that makes one."""
    if frames.crosscheck is None:
        return _not_compared(frames)
    check = frames.crosscheck
    layers = [_layer(number, name, question, check["layers"]) for number, name, question in LAYERS]
    breaks = check["verdict"].get("breaks_first")
    whole: State = "fail" if breaks else "pass" if all(layer.state == "pass" for layer in layers) else "none"
    findings = [_finding(finding) for finding in check.get("findings", [])]
    return Verdict(whole, _headline(breaks, layers, check), _detail(check, findings), "", layers, findings)


def _not_compared(frames: Frames) -> Verdict:
    layers = [Layer(name, question, "none", "not checked", "", "") for _, name, question in LAYERS]
    folder = shlex.quote(str(frames.folder.name or "."))
    command = f"reflow crosscheck --metrics {folder} --vendor FILE --out {folder}"
    return Verdict("none", "Our series alone, not compared with the vendor's", "", command, layers, [])


def _layer(number: int, name: str, question: str, layers: list[dict[str, Any]]) -> Layer:
    described = next((layer for layer in layers if layer.get("layer") == number), {})
    status = str(described.get("status", "not compared"))
    count = (
        f"{described['agreeing']:,} of {described['metrics']:,} metrics agree"
        if described.get("metrics")
        else ""
    )
    if described.get("days"):
        count += f", {described['days_off']:,} of {described['days']:,} days off"
    return Layer(name, question, _STATES.get(status, "none"), status, count, str(described.get("text", "")))


def _headline(breaks: int | None, layers: list[Layer], check: dict[str, Any]) -> str:
    if breaks is None:
        agree = all(layer.state == "pass" for layer in layers)
        return "Ours and the vendor's series agree" if agree else "No difference in what could be compared"
    lowest = next(layer for layer in check["layers"] if layer["layer"] == breaks)
    return f"{_AGREED[breaks]} on {lowest['days_off']:,} of {lowest['days']:,} days"


def _detail(check: dict[str, Any], findings: list[Finding]) -> str:
    failed = check["verdict"].get("failed", [])
    number = len(findings)
    things = "One thing explains" if number == 1 else f"{number} things explain"
    sentences = [f"{things} the differences; see below." if number else ""]
    if failed:
        sentences.append(
            f"Required to agree, but off: {', '.join(failed[:6])}{' and more' if len(failed) > 6 else ''}."
        )
    return " ".join(filter(None, sentences))


def _finding(finding: dict[str, Any]) -> Finding:
    title = _TITLES.get(finding["kind"], finding["kind"]) + (
        f" ({finding['entity']})" if finding["entity"] else ""
    )
    metric = finding["metrics"][0] if finding["metrics"] else ""
    day = finding["days"][0] if finding["days"] else ""
    return Finding(f"{title}.", f"{finding['text']} {finding['advice']}", metric, day)
