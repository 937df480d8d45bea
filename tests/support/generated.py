"""A small mainnet-shaped chain, made by the benchmarks' generator as a user would call it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.surroundings import ROOT


def run_benchmark(
    module: str, *options: object, cwd: Path, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a program of benchmarks/, in this folder and with these variables of the environment."""
    paths = os.pathsep.join(filter(None, (str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, options)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": paths} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def generate(folder: Path, *options: str) -> dict[str, Any]:
    """Run the generator into `folder`: a day and some of small blocks; gives its totals."""
    small = ("--size", "9MB", "--users", "5000", "--weight", "500000")
    done = run_benchmark("chain.generate", folder.absolute(), *small, *options, cwd=ROOT)
    done.check_returncode()
    totals: dict[str, Any] = json.loads((folder / "totals.json").read_text())
    return totals
