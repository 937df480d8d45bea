"""Fixtures for things that lie outside the repository: present on CI, perhaps not on a developer's machine."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.surroundings import ROOT, need

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from support.shim import Lab


SLOW = (
    *(
        "test_benchmarks",
        "test_cli_verbs",
        "test_docs_report",
        "test_docs_sweep",
        "test_identity",
        "test_packaging",
        "test_trust",
    ),
    *(
        "tests/node/",
        "test_serve",
        "test_report",
        "test_flows_model",
        "test_blocks_bounds",
        "test_crosscheck_sweep",
    ),
)
"""Parts of the names of files that take long: begun first, so that two processes end at about the same time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first, otherwise in the order of their names."""
    items.sort(key=lambda item: not any(part in item.path.as_posix() for part in SLOW))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real mainnet blocks: REFLOW_SHARED_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("REFLOW_SHARED_DATA") or ROOT.parent / "shared" / "data")
    need(folder.is_dir(), f"no real mainnet blocks: no folder {folder} (or REFLOW_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def crash_inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tests begin with that kill, fail and harm; see support/crashes.py."""
    from support.crashes import make_inputs

    folder = tmp_path_factory.mktemp("inputs")
    make_inputs(folder)
    return folder


@pytest.fixture(scope="session")
def crash_lab(crash_inputs: Path) -> "Iterator[Lab]":
    """Forks of reflow with the shim; see support/shim.py."""
    from support.shim import Lab

    with Lab(crash_inputs / "blocks") as lab:
        yield lab


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    """A real browser, for pages; see support/browser.py."""
    from support.browser import find_chromium, run_chromium

    need(find_chromium() is not None, "no browser: chromium is not installed (or REFLOW_CHROMIUM)")
    with run_chromium() as browser:
        yield browser
