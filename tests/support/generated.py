"""A small mainnet-shaped chain, made by the benchmarks' generator as a user would call it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

GENERATOR = Path(__file__).parents[2] / "benchmarks" / "generate.py"


def generate(folder: Path, *options: str) -> dict[str, Any]:
    """Run the generator into `folder`: a day and some of small blocks; gives its totals."""
    small = ["--size", "9MB", "--users", "5000", "--weight", "500000"]
    subprocess.run(
        [sys.executable, str(GENERATOR), str(folder), *small, *options], check=True, capture_output=True
    )
    totals: dict[str, Any] = json.loads((folder / "totals.json").read_text())
    return totals
