"""Corpus and findings of the fuzzer, replayed; and a minute of fuzzing in all (`python3 dev.py fuzz` does more)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import TARGET_NAMES
from fuzz.targets import CORPUS, TARGETS, corpus
from support.surroundings import PYTHONPATH, need_wheel

SECONDS = 3
"""Of fuzzing, for each target."""


def test_every_target_has_a_name_and_modules() -> None:
    assert tuple(TARGETS) == TARGET_NAMES


@pytest.mark.parametrize(
    "path",
    [path for name in TARGET_NAMES for path in corpus(name)],
    ids=lambda path: f"{path.parent.name} {path.name}",
)
def test_what_was_found_is_put_right(path: Path) -> None:
    TARGETS[path.parent.name].check(path.read_bytes())


@pytest.mark.parametrize("name", TARGET_NAMES)
def test_the_fuzzer_begins_with_what_is_accepted(name: str) -> None:
    """From refusals alone it would not reach far."""
    assert any(TARGETS[name].check(path.read_bytes()) for path in corpus(name))


def test_the_corpus_is_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 200_000


@pytest.mark.parametrize("name", TARGET_NAMES)
def test_a_few_seconds_find_nothing(name: str, tmp_path: Path) -> None:
    need_wheel("atheris")
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.fuzz", name, "--seconds", str(SECONDS), "--findings", tmp_path],
        env=os.environ | {"PYTHONPATH": PYTHONPATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
    )
    found = {path.name: path.read_bytes()[:2000] for path in tmp_path.iterdir()}
    assert (done.returncode, found) == (0, {}), done.stderr[-3000:]
