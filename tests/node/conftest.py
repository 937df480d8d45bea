"""A real node for the tests in this folder."""

import os
import shutil
from pathlib import Path

import pytest

from support.surroundings import ROOT, need


@pytest.fixture(scope="session")
def bitcoind_path() -> Path:
    """The program bitcoind, with bitcoin-cli beside it: REFLOW_BITCOIND, .node/bin/bitcoind, or on the PATH."""
    own = ROOT / ".node" / "bin" / "bitcoind"
    found = os.environ.get("REFLOW_BITCOIND") or (own if own.exists() else shutil.which("bitcoind"))
    need(
        bool(found),
        f"no bitcoind: neither REFLOW_BITCOIND nor {own} nor on the PATH (tools/get-bitcoind .node)",
    )
    return Path(str(found))
