"""The files that travel with the package: SQL in queries/, label facts in labels/, grids for sweeps in grids/.

In an installed wheel they lie inside the package; in a checkout they lie beside the source root, where people read
and edit them.
"""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def folder(name: str) -> Path:
    """The folder `name` (`queries`, `labels` or `grids`), of the wheel or of the checkout."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parents[1] / name


@cache
def query_files() -> dict[str, Path]:
    """Name of each query to its file; a folder of queries/ has those of one room, and no name is there twice."""
    files = sorted(folder("queries").rglob("*.sql"))
    return {file.stem: file for file in files}


@cache
def query(name: str) -> str:
    """The SQL text of the query `name`; its header comment is the contract for parameters, columns and units."""
    return query_files()[name].read_text(encoding="utf-8")
