"""The `reflow` command as a process of its own: a fork of one that has loaded reflow (see fork_server.py)."""

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from reflow.cli.main import app
from support.surroundings import ROOT

PATIENCE = 300
"""Seconds until a call counts as hanging."""


def run(*args: object, cwd: Path | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `reflow ARGS` without a terminal; what is not given of the environment is inherited.

    With a PYTHONPATH of its own it is a new process, which imports what it finds there.
    """
    whole = os.environ | {"COLUMNS": "200"} | environment
    if "PYTHONPATH" in environment:
        command = [sys.executable, "-m", "reflow.cli", *map(str, args)]
        return subprocess.run(
            command,
            cwd=cwd,
            env=whole,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    server = _server()
    request = {
        "calls": [[list(map(str, args)), 0]],
        "cwd": str(cwd or Path.cwd()),
        "patience": PATIENCE,
        "arm": None,
        "environment": whole,
    }
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    [called] = json.loads(server.stdout.readline())
    return subprocess.CompletedProcess(["reflow"], called["status"], called["out"], called["err"])


@cache
def _server() -> "subprocess.Popen[str]":
    """The process that forks, begun by the first call and ended with the tests."""
    paths = [str(ROOT / "engine"), str(ROOT / "tests")]
    server = subprocess.Popen(
        [sys.executable, "-m", "support.fork_server", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    atexit.register(server.kill)
    return server


def _leaves(command: Any, name: str) -> dict[str, Any]:
    if not isinstance(command, TyperGroup):
        return {name: command}
    return {
        verb: leaf
        for sub, child in command.commands.items()
        for verb, leaf in _leaves(child, f"{name} {sub}".strip()).items()
    }


_COMMANDS = _leaves(get_command(app), "")
VERBS = sorted(_COMMANDS)
"""Every verb as it is typed, such as `labels check`."""


def options(verb: str) -> list[str]:
    """The long names of a verb's options."""
    names = (name for parameter in _COMMANDS[verb].params for name in parameter.opts)
    return sorted(name for name in names if name.startswith("--"))
