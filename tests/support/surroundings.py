"""What the tests need from outside the repository."""

import os
import platform
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
PYTHONPATH = os.pathsep.join([str(ROOT / "engine"), str(ROOT / "tests")])
"""Where processes that tests begin find reflow and the helpers of the tests."""


def need(found: bool, what: str) -> None:
    """Skip the test if what it needs is not there; on CI, where it must be, fail instead."""
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(what)


def need_wheel(module: str) -> None:
    """Skip the test if a library of proof-requirements.txt is not there; on CI, where it has a wheel, fail instead."""
    if find_spec(module) is None and not (sys.version_info < (3, 14) and platform.machine() == "x86_64"):
        pytest.skip(f"{module} has no wheel for this machine")
    need(
        find_spec(module) is not None, f"no {module} (tests/proof-requirements.txt; dev.py test installs it)"
    )
