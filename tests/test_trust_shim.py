"""The shim does what the other tests trust it to do: kills, tears, fails and loses exactly where it is told to."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.power import lose_power
from support.shim import CHANGE, COUNT, FAIL, KILL, TEAR, Arm, Called, Lab

OLD, NEW = "old " * 500, "new " * 500
CALLS = ["open", "write", "rename", "open", "write"]
"""What an unflushed replacement makes: of the part, and of the file `done`."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "watched").mkdir()
    (tmp_path / "watched" / "file").write_text(OLD)
    return tmp_path / "watched"


def replace(lab: Lab, folder: Path, arm: Arm, *flushes: str) -> Called:
    return lab.call(("replace", "file", NEW, *flushes), folder, arm)


def test_it_counts_the_calls_that_change_the_folder(lab: Lab, folder: Path) -> None:
    assert replace(lab, folder, Arm(CHANGE, COUNT)).calls == len(CALLS)
    assert replace(lab, folder, Arm(CHANGE, COUNT), "file", "folder").calls == len(CALLS) + 2


@pytest.mark.parametrize(("nth", "call"), list(enumerate(CALLS, start=1)))
def test_it_kills_before_the_nth_call(lab: Lab, folder: Path, nth: int, call: str) -> None:
    done = replace(lab, folder, Arm(CHANGE, KILL, nth))
    assert (done.status, done.what.split()[0]) == (-9, call)
    assert (folder / "file").read_text() == (NEW if nth > 3 else OLD)
    assert (folder / "file.part").exists() == (nth in (2, 3))
    assert (folder / "done").exists() == (nth == 5)


def test_it_tears_a_write(lab: Lab, folder: Path) -> None:
    assert replace(lab, folder, Arm(CHANGE, TEAR, 2)).status == -9
    assert (folder / "file.part").read_text() == NEW[: len(NEW) // 2]


def test_a_call_that_fails_says_why(lab: Lab, folder: Path) -> None:
    done = replace(lab, folder, Arm(CHANGE, FAIL, 3))
    assert (done.status, "No space left on device" in done.err) == (1, True)
    assert (folder / "file").read_text() == OLD


@pytest.mark.parametrize(
    ("flushes", "never", "sometimes"),
    [
        ((), set(), {"old", "new", "torn"}),
        (("file",), {"torn"}, {"old", "new"}),
        (("file", "folder"), {"torn", "old"}, {"new"}),
    ],
    ids=["no flush", "file flushed", "file and folder flushed"],
)
def test_what_was_not_flushed_may_be_lost(
    lab: Lab, tmp_path: Path, flushes: tuple[str, ...], never: set[str], sometimes: set[str]
) -> None:
    """Killed after the replacement, at the write of `done`."""
    seen = set()
    for number in range(25):
        folder = tmp_path / f"watched{number}"
        folder.mkdir()
        (folder / "file").write_text(OLD)
        journal = tmp_path / f"journal{number}"
        arm = Arm(CHANGE, KILL, len(CALLS) + len(flushes), journal=journal)
        assert replace(lab, folder, arm, *flushes).status == -9
        lose_power(journal, folder, random.Random(number))
        seen.add({OLD: "old", NEW: "new"}.get((folder / "file").read_text(), "torn"))
    assert seen & never == set()
    assert sometimes <= seen
