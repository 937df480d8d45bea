"""The catalogue is the one place that spells ids of metrics: elsewhere stand families, and what it gives by name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import reflow
from reflow.flows.catalog import VENDOR_EXCHANGES, Family, catalog

ENGINE = Path(reflow.__file__).parent
IDS = {metric.id for metric in catalog(VENDOR_EXCHANGES)} - set(get_args(Family))
PART = re.compile(r"HopAll|ExIncl|(?:Flow|Tfr)(?:In|Out|Net|To|From)|FlowMiner(?:In|Out|Net)|\w(?:Ntv|USD)\b")
WORD = re.compile(r"\w+")

OTHER_WORDS = {"PriceUSD"}
"""The column of a price file: no metric."""
ALLOWED = {
    "flows/catalog.py": "the one place",
    "cli/main.py": "examples in help",
    "cli/options.py": "examples in help",
}


def spelled(text: str) -> set[str]:
    """The words of a text that are ids of metrics, or parts of some."""
    words = set(WORD.findall(text)) - OTHER_WORDS - set(get_args(Family))
    return {word for word in words if word in IDS or PART.search(word)}


def texts(path: Path) -> Iterator[ast.Constant]:
    """The texts of a module, those of f-strings too, docstrings left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bodies = (body for node in ast.walk(tree) if isinstance(body := getattr(node, "body", None), list))
    docs = {statement.value for body in bodies for statement in body if isinstance(statement, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docs:
            yield node


MODULES = sorted(
    path
    for path in ENGINE.rglob("*.py")
    # The simulator is the second opinion: it shares no code with what it judges.
    if path.relative_to(ENGINE).parts[0] != "simulate" and str(path.relative_to(ENGINE)) not in ALLOWED
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ENGINE)))
def test_no_id_is_spelled_outside_the_catalogue(path: Path) -> None:
    found = {f"{path.name}:{text.lineno}": ids for text in texts(path) if (ids := spelled(str(text.value)))}
    assert found == {}
    assert not re.search(r"startswith\(\(?\"(Flow|Sply)", path.read_text(encoding="utf-8"))


def test_the_allow_list_is_needed() -> None:
    for name in ALLOWED:
        assert any(spelled(str(text.value)) for text in texts(ENGINE / name)), name


@pytest.mark.parametrize(
    "text", ["BlkCnt", "expected ids such as FlowInBNBNtv", "FlowIn", "SplyMiner{hop}HopAll"]
)
def test_ids_and_parts_of_them_are_recognized(text: str) -> None:
    assert spelled(text)


def test_a_family_is_no_id() -> None:
    assert not spelled("Flow FlowMiner MOMR a Control metric in USD, PriceUSD")
