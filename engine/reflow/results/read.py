"""Read back what recompute wrote: the metrics of a folder, and what they were made from."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from reflow.errors import ResultsError
from reflow.vendor.files import read_vendor
from reflow.vendor.series import Table


class Results(NamedTuple):
    """A folder with metrics.csv and run.json."""

    folder: Path
    name: str
    """Of the methodology: a preset's, or `custom`."""
    run: dict[str, Any]
    """run.json."""
    metrics: Table


def read_results(folder: str | Path, metrics: Collection[str] | None = None) -> Results:
    """The results that recompute wrote into `folder`; only `metrics`, if given.

    Raises ResultsError where there are none, or more than one (a folder for each methodology), and VendorError
    where metrics.csv is damaged.
    """
    run = read_run(folder)
    return Results(
        Path(folder), run["methodology"]["name"], run, read_vendor(Path(folder) / "metrics.csv", metrics)
    )


def read_run(folder: str | Path) -> dict[str, Any]:
    """run.json of a folder that recompute wrote.

    Raises ResultsError where there is none, or more than one (a folder for each methodology).
    """
    base = Path(folder)
    try:
        run = json.loads((base / "run.json").read_text(encoding="utf-8"))
        run["methodology"]["name"] = str(run["methodology"]["name"])
    except FileNotFoundError:
        raise ResultsError(f"{base}: no run.json there, {_expected(base)}") from None
    except OSError as error:
        raise ResultsError(f"{base}: cannot read run.json: {error.strerror or error}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ResultsError(f"{base / 'run.json'}: not what recompute writes: {error}") from None
    return dict(run)


def _expected(base: Path) -> str:
    inside = sorted(path.parent.name for path in base.glob("*/run.json"))
    if inside:
        return f"expected one of the folders in it: {', '.join(inside)}"
    return "expected a folder that `reflow recompute --out` wrote"
