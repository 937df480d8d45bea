"""Builds tests/support/shim.c and says how to arm it: what it counts, and what happens at the Nth call.

The shim is preloaded into a server of forks (fork_server.py); `Lab` is the handle of that server in a test.
"""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from support.surroundings import PYTHONPATH, need

SOURCE: Final = Path(__file__).with_suffix(".c")

CHANGE, READ, OPEN, ALLOCATION, SYNC = 1, 2, 4, 8, 16
"""Kinds of calls: what changes the folder (writes, names, sizes, fsync), reads, opens, memory, and fsync alone."""
COUNT, KILL, FAIL, FAIL_FROM, TEAR = range(5)
"""At the Nth call: nothing; SIGKILL before it; it fails; it and all later ones fail; half of a write, then SIGKILL."""

PATIENCE: Final = 120
"""Seconds until a call counts as hanging."""


class Arm(NamedTuple):
    """What the shim does to one call."""

    kinds: int = CHANGE
    action: int = COUNT
    nth: int = 0
    error: int = errno.ENOSPC
    least_bytes: int = 0
    """The smallest allocation that counts."""
    journal: Path | None = None
    """Where a journal of all changes goes, with a folder beside it for files that lose their name."""


class Called(NamedTuple):
    """What became of one call of reflow."""

    status: int
    """Exit status; minus the signal that ended it; None of both for a hang, which is -999."""
    out: str
    err: str
    calls: int
    """Calls of the asked kinds."""
    what: str
    """The Nth call, empty if there were fewer."""

    @property
    def refused(self) -> bool:
        """Whether it ended with status 1 and one line for a person."""
        return self.status == 1 and self.err.startswith("reflow: ") and self.err.count("\n") == 1

    @property
    def crashed(self) -> bool:
        """Whether it ended in a traceback, by a signal or not at all."""
        return self.status < 0 or "Traceback" in self.err


def build_shim() -> Path:
    """The shim as a shared library, built once for this source. Skips the test where there is no C compiler."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    need(
        bool(compiler),
        "no C compiler for the shim that kills at the Nth call (apt-get install gcc libc6-dev)",
    )
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    made = Path(tempfile.gettempdir()) / f"reflow-shim-{os.getuid()}-{digest}.so"
    if not made.exists():
        part = made.with_suffix(f".{os.getpid()}")
        command = [str(compiler), "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        subprocess.run([*command, "-o", part, SOURCE, "-lpthread"], check=True)
        part.rename(made)
    return made


class Lab:
    """A process that has loaded reflow with the shim, and forks for every call; use it as a context manager.

    It ingests `blocks` once, if they are given, so that forks find the kernels loaded. Without `armed` there is no
    shim, which needs a compiler, and no call can be armed.
    """

    def __init__(self, blocks: Path | None = None, *, armed: bool = True, patience: float = PATIENCE) -> None:
        shim = build_shim() if armed else None
        self._patience: Final = patience
        preload = {} if shim is None else {"LD_PRELOAD": str(shim), "PYTHONDONTWRITEBYTECODE": "1"}
        own = {"COLUMNS": "200", "PYTHONPATH": PYTHONPATH}
        self._environment: Final = dict(os.environ) | own | preload
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.fork_server", shim or "-", *([blocks] if blocks else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
        )

    def call(
        self,
        args: tuple[str, ...],
        cwd: Path,
        arm: Arm | None = None,
        environment: dict[str, str] | None = None,
    ) -> Called:
        """Run `reflow ARGS` in a fork, in the folder `cwd`, which is also the folder that the shim watches."""
        [called] = self.together([(args, 0.0)], cwd, arm, environment)
        return called

    def together(
        self,
        calls: list[tuple[tuple[str, ...], float]],
        cwd: Path,
        arm: Arm | None = None,
        environment: dict[str, str] | None = None,
    ) -> list[Called]:
        """Run several at once, each after some seconds, in this environment; gives what became of each."""
        request: dict[str, Any] = {
            "calls": calls,
            "cwd": str(cwd.resolve()),
            "patience": self._patience,
            "environment": self._environment if environment is None else environment,
            "arm": None,
        }
        if arm is not None:
            saves = ""
            if arm.journal is not None:
                saves = f"{arm.journal}.saves"
                Path(saves).mkdir()
            request["arm"] = [*arm[:5], str(arm.journal or ""), saves]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return [Called(**result) for result in json.loads(self._process.stdout.readline())]

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
