"""Harmed files of a ledger, of results and of a node: noticed in a line, or nothing changes."""

from pathlib import Path

from support.corruption import SUBJECTS, Corruptions
from support.shim import Lab

EACH = 4
"""Of each subject."""


def test_what_is_harmed_is_noticed_or_changes_nothing(
    crash_lab: Lab, crash_inputs: Path, tmp_path: Path
) -> None:
    corruptions = Corruptions(crash_lab, crash_inputs, tmp_path)
    numbers = range(EACH * len(SUBJECTS))
    assert [wrong for number in numbers for wrong in corruptions.harm(number, crash_lab)] == []
