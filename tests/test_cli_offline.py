"""Every verb works without any network, in a folder whose name would mean something to a shell, a URL or a glob."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from support import without_network
from support.command import VERBS
from support.surroundings import PYTHONPATH

ODD = "a b 'q' \"d\" %41 #h *[1] {x,y} ;$HOME & ü字"


@cache
def namespace() -> list[str] | None:
    """The command that runs another in a network namespace of its own; None where that is not permitted."""
    for command in (["unshare", "-rn"], ["unshare", "-n"]):
        try:
            if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
                return command
        except FileNotFoundError:
            return None
    return None


def test_every_verb_works_without_a_network_in_an_odd_folder(tmp_path: Path) -> None:
    """Beside it lies a folder that the odd name fits as a pattern."""
    within = namespace()
    if within is None:
        pytest.skip("no network namespace of one's own is permitted here (unshare -rn)")
    folder, home = tmp_path / ODD, tmp_path / "home"
    for each in (folder, home, tmp_path / "a b 'q' \"d\" %41 #h x1 x ;$HOME & ü字"):
        each.mkdir()
    done = subprocess.run(
        [*within, sys.executable, without_network.__file__, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"HOME": str(home), "PYTHONPATH": PYTHONPATH},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop("reached") is False
    assert told.pop("serve") == [200, ""]
    assert sorted(told) == sorted(set(VERBS) - {"serve"})
    # The simulated vendor has faults, which a cross-check ends with status 1 for.
    assert told.pop("crosscheck")[0] in (0, 1)
    assert {verb: outcome for verb, outcome in told.items() if outcome != [0, ""]} == {}
    assert not (home / ".duckdb").exists()
    assert {path.name for path in folder.iterdir()} >= {"md:ledger", "out", "report.html"}
