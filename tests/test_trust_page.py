"""docs/trust.md names tests that there are, and figures of a slow run."""

import re

import pytest

from support.crashes import SCENARIOS
from support.surroundings import ROOT

PAGE = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=["::".join(filter(None, named)) for named in NAMED])
def test_every_test_that_is_named_exists(file: str, test: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {test}\(" if test else r"^def test_", text, flags=re.MULTILINE)


def test_every_promise_has_a_test() -> None:
    rows = PAGE.split("\n## Promises\n")[1].split("\n## ")[0].strip().splitlines()[2:]
    assert len(rows) > 15
    assert [row for row in rows if not re.search(r"`tests/|the same test", row.split("|")[2])] == []


def test_the_slow_run_has_figures() -> None:
    figures = dict(re.findall(r"^\| ([a-z][^|]+?) \| ([\d,.]+) \|$", PAGE, flags=re.MULTILINE))
    assert {
        "killed before the call",
        "power lost",
        "inputs of the fuzzer",
        "silent differences",
    } <= figures.keys()
    assert figures["silent differences"] == "0"


def test_every_verb_under_attack_is_named() -> None:
    verbs = {scenario.args[0] for scenario in SCENARIOS.values()} - {"ingest-in-small-steps", "labels"}
    assert [verb for verb in verbs if verb not in PAGE] == []
