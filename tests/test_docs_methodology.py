"""The worked examples of docs/methodology.md: the page's transactions give the page's numbers, for every value."""

import re

import pytest

from reflow.flows.methodology import ALLOWED, Methodology
from reflow.flows.recompute import recompute
from support.economy import (
    DAY,
    START,
    Block,
    Posting,
    Transaction,
    coinbase,
    in_sat,
    labels_of,
    ledger_of,
    pay,
    settled,
)
from support.surroundings import ROOT

EXAMPLES = (
    (ROOT / "docs" / "methodology.md")
    .read_text(encoding="utf-8")
    .split("\n## Examples\n")[1]
    .split("\n## ")[0]
)
ACCOUNTS = {letter: number for number, letter in enumerate("MABUV", start=1)}
LABELS = labels_of({ACCOUNTS["A"]: "A", ACCOUNTS["B"]: "B"})
LINE = re.compile(r"^    day (\d+)(?: (\d\d):(\d\d))?: (.+) -> (.+)$", re.MULTILINE)
ROW = re.compile(r"^\| (\w+) \| (\w+) \| ([\d |]+) \|$", re.MULTILINE)


def parts() -> list[tuple[str, str]]:
    """(parameter, transactions with the table that follows them)."""
    sections = [part.split("\n", 1) for part in EXAMPLES.split("\n### ")[1:]]
    return [
        (name, example)
        for name, text in sections
        for example in re.findall(r"(?:^    .+\n)+\n(?:^\|.+\n)+", text, re.MULTILINE)
    ]


def postings(text: str) -> list[Posting]:
    return [(ACCOUNTS[letter], int(sat)) for letter, sat in re.findall(r"([A-Z]) (\d+)", text)]


def block(line: re.Match[str]) -> Block:
    day, hour, minute, inputs, outputs = line.groups()
    time = START + int(day) * DAY + int(hour or 12) * 3600 + int(minute or 0) * 60
    if inputs == "coinbase":
        return Block(time, [coinbase(*postings(outputs))])
    transaction: Transaction = pay(postings(inputs), postings(outputs))
    return Block(time, [coinbase(), transaction])


@pytest.mark.parametrize(("parameter", "example"), parts(), ids=[name for name, _ in parts()])
def test_example(parameter: str, example: str) -> None:
    economy = settled(*map(block, LINE.finditer(example)))
    rows = ROW.findall(example)
    assert len(rows) == len(re.findall(r"^\| \w+ \| [A-Z]", example, re.MULTILINE)) > 0
    for value, metric, numbers in rows:
        chosen = {"clock": "header", parameter: value}
        with ledger_of(economy) as ledger:
            result = recompute(ledger, LABELS, methodology=Methodology(**chosen))
        expected = [int(number) for number in numbers.split("|")]
        assert in_sat(result, metric)[: len(expected)] == expected, (value, metric)


def test_every_value_of_every_parameter_has_a_number() -> None:
    found: dict[str, list[str]] = {}
    for name, example in parts():
        found.setdefault(name, []).extend(value for value, *_ in ROW.findall(example))
    assert {name: set(values) for name, values in found.items()} == {
        name: set(values) for name, values in ALLOWED.items()
    }
