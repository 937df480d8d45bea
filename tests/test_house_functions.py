"""Functions of the engine fit on a screen."""

import ast
from pathlib import Path

import pytest

import reflow

ENGINE = Path(reflow.__file__).parent
MODULES = sorted(ENGINE.rglob("*.py"))
MOST = 60
"""Lines of a function, its signature and docstring among them."""
MOST_OF_A_VERB = 50


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ENGINE)))
def test_functions_are_short(path: Path) -> None:
    most = MOST_OF_A_VERB if path.parent == ENGINE / "cli" else MOST
    lines = {
        node.name: (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: count for name, count in lines.items() if count > most} == {}
