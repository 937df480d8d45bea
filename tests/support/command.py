"""The `reflow` command as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from reflow.cli.main import app


def run(*args: object, cwd: Path | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `reflow ARGS` without a terminal; what is not given of the environment is inherited."""
    return subprocess.run(
        [sys.executable, "-m", "reflow.cli", *map(str, args)],
        cwd=cwd,
        env=os.environ | {"COLUMNS": "200"} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


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
