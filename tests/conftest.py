"""Fixtures for things that lie outside the repository: present on CI, perhaps not on a developer's machine."""

import os
from pathlib import Path

import pytest

from surroundings import ROOT, need


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real mainnet blocks: REFLOW_SHARED_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("REFLOW_SHARED_DATA") or ROOT.parent / "shared" / "data")
    need(folder.is_dir(), f"no real mainnet blocks: no folder {folder} (or REFLOW_SHARED_DATA)")
    return folder
