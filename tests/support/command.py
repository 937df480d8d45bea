"""The `reflow` command as a process of its own: a fork of one that has loaded reflow (see fork_server.py)."""

import atexit
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from reflow.cli.main import app
from support.shim import Lab

_PATIENCE = 300
"""Seconds until a call counts as hanging: a demo on a busy machine takes a while."""


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
    called = _lab().call(tuple(map(str, args)), cwd or Path.cwd(), environment=whole)
    return subprocess.CompletedProcess(["reflow"], called.status, called.out, called.err)


@cache
def _lab() -> Lab:
    """Begun by the first call, ended with the tests."""
    lab = Lab(armed=False, patience=_PATIENCE)
    atexit.register(lab.close)
    return lab


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
