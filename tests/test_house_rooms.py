"""The rooms of the engine: imports go one way only, in the order of reflow.STAGES."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import reflow

ENGINE = Path(reflow.__file__).parent
MODULES = sorted(path for path in ENGINE.rglob("*.py") if path != ENGINE / "__init__.py")


def room_of(module: str) -> int:
    """Number of the room of `reflow.ROOM.MODULE`; -1 for what stands beside the rooms, which all may import."""
    name = module.split(".")[1]
    return reflow.STAGES.index(name) if name in reflow.STAGES else -1


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "reflow":
            yield from (f"reflow.{name.name}" for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ENGINE)))
def test_imports_only_go_left(path: Path) -> None:
    own = room_of(".".join(["reflow", *path.relative_to(ENGINE).with_suffix("").parts]))
    wrong = [name for name in imports(path) if name.startswith("reflow.") and room_of(name) > own]
    assert wrong == []


def test_every_folder_is_a_room() -> None:
    folders = {path.name for path in ENGINE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert folders == set(reflow.STAGES)
