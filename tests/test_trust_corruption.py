"""Harmed files of a ledger, of results and of a node: noticed in a line, or nothing changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.corruption import SUBJECTS, Corruptions
from support.crashes import make_inputs
from support.shim import Lab

EACH = 4
"""Of each subject."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    make_inputs(folder)
    return folder


@pytest.fixture(scope="module")
def lab(inputs: Path) -> Iterator[Lab]:
    with Lab(inputs / "blocks") as started:
        yield started


def test_what_is_harmed_is_noticed_or_changes_nothing(lab: Lab, inputs: Path, tmp_path: Path) -> None:
    corruptions = Corruptions(lab, inputs, tmp_path)
    numbers = range(EACH * len(SUBJECTS))
    assert [wrong for number in numbers for wrong in corruptions.harm(number, lab)] == []
