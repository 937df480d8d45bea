"""What the tests need from outside the repository."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""


def need(found: bool, what: str) -> None:
    """Skip the test if what it needs is not there; on CI, where it must be, fail instead."""
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(what)
