"""The files that travel with the package: SQL in queries/, label facts in labels/, grids for sweeps in grids/.

In an installed wheel they lie inside the package; in a checkout they lie beside the source root, where people read
and edit them.
"""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder `name` (`queries`, `labels` or `grids`), of the wheel or of the checkout."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parents[1] / name


@cache
def query(name: str) -> str:
    """The SQL text of queries/`name`.sql; its header comment is the contract for parameters, columns and units."""
    return (folder("queries") / f"{name}.sql").read_text(encoding="utf-8")
