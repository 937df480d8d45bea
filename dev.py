#!/usr/bin/env python3
"""One place for every chore: python3 dev.py demo | test | lint | fuzz | trust | bench | compare | wheel | setup.

Needs python3 (3.11 or newer) with pip, nothing else: the first call makes a virtual environment in .venv with
the project and the exact versions of constraints.txt; later calls find it ready and need no network.

    python3 dev.py demo            run the demo
    python3 dev.py test [ARGS]     lint, then all tests; ARGS go to pytest
    python3 dev.py lint            ruff and mypy
    python3 dev.py fuzz [TARGET …] [--seconds N]
                                   look for inputs that break a reader, led by coverage
    python3 dev.py trust [--hours H | --full]
                                   the slow run of docs/trust.md: crash points, corruptions, fuzzing
    python3 dev.py bench [ARGS]    the benchmarks, printed as a table; ARGS go to pytest
    python3 dev.py compare [ARGS]  reflow beside other tools, or --scaling; ARGS go to benchmarks/compare/compare.py
    python3 dev.py wheel           build the wheel into dist/
    python3 dev.py setup           only make .venv
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "reflow-setup"
NODE = ROOT / ".node"
CLIENT = ROOT / ".client"
DESCRIPTION = (ROOT / "pyproject.toml", ROOT / "constraints.txt")
OPTIONS = ("--quiet", "--disable-pip-version-check", "--no-input")
SOURCE_ONLY = ("embit", "python-bitcoinrpc")
"""The dependencies that come without a wheel, both pure Python and built with setuptools (docs/dependencies.md says why
each is worth it). Any other one without a wheel ends the installation: it must run where nothing but Python is."""


def run(command: Sequence[str | Path]) -> None:
    """Run a command in the project's folder; when it fails, so does this script, with its exit status."""
    print("+", " ".join(map(str, command)), flush=True)
    status = subprocess.run([str(part) for part in command], cwd=ROOT, stdin=subprocess.DEVNULL).returncode
    if status:
        sys.exit(f"dev.py: failed with status {status}: {' '.join(map(str, command))}")


def setup() -> None:
    """Make .venv, unless it is there already for this Python and this description of the project."""
    state = hashlib.sha256(sys.version.encode() + str(VENV).encode())
    for file in DESCRIPTION:
        state.update(file.read_bytes())
    if STAMP.exists() and STAMP.read_text() == state.hexdigest():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    _install(_make_venv(VENV))
    STAMP.write_text(state.hexdigest())


def _make_venv(venv: Path) -> list[str]:
    """Make a virtual environment; gives the pip command that installs into it."""
    made = subprocess.run([sys.executable, "-m", "venv", str(venv)], capture_output=True).returncode == 0
    python = venv / "bin" / "python"
    if made:
        return [str(python), "-m", "pip"]
    # Debian without python3-venv has no ensurepip, but its own pip can install elsewhere, and there its
    # rule about packages of the system (PEP 668) does not apply.
    shutil.rmtree(venv, ignore_errors=True)
    run([sys.executable, "-m", "venv", "--without-pip", venv])
    return [sys.executable, "-m", "pip", "--python", str(python)]


def _install(pip: list[str]) -> None:
    # The newest pip of constraints.txt first: older ones cannot pin what an isolated build is made with.
    wheels = ["--constraint", "constraints.txt", "--only-binary", ":all:"]
    run([*pip, "install", *OPTIONS, *wheels, "pip", "hatchling"])
    pinned = ["--constraint", "constraints.txt", "--build-constraint", "constraints.txt"]
    binary = ["--only-binary", ":all:", "--no-binary", ",".join(SOURCE_ONLY)]
    run([PYTHON, "-m", "pip", "install", *OPTIONS, *pinned, *binary, "--editable", ".[dev]"])


def demo(args: list[str]) -> None:
    """Run the demo from a fresh environment."""
    run([VENV / "bin" / "reflow", "demo", *args])


def lint(_: list[str]) -> None:
    """Style, format and types."""
    run([PYTHON, "-m", "ruff", "check"])
    run([PYTHON, "-m", "ruff", "format", "--check"])
    run([PYTHON, "-m", "mypy"])


def test(args: list[str]) -> None:
    """Lint, then all tests on two processes."""
    _get_node()
    _get_packages("browser for the tests that look at pages", ("REFLOW_CHROMIUM", "chromium"), "chromium")
    _get_compiler()
    _get_proof()
    with ThreadPoolExecutor(1) as meanwhile:
        client = meanwhile.submit(_get_client)
        lint([])
        client.result()
    # In the order of tests/conftest.py: by number of tests, files with few slow ones would come last, on one process.
    run([PYTHON, "-m", "pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", *args])


def _get_node() -> None:
    """Try to have a real node for tests; without one those tests are skipped, and on CI they fail."""
    if os.environ.get("REFLOW_BITCOIND") or (NODE / "bin" / "bitcoind").exists() or shutil.which("bitcoind"):
        return
    command = [str(ROOT / "tools" / "get-bitcoind"), str(NODE)]
    print("+", *command, flush=True)
    if subprocess.run(command, stdin=subprocess.DEVNULL).returncode:
        print("dev.py: no node for the tests that talk to a real one", file=sys.stderr)


def _get_packages(what: str, present: tuple[str, str], *packages: str) -> None:
    """Try to have a program from Debian's packages; without it those tests are skipped, and on CI they fail.

    It is there if the first of `present`, a variable, names it, or the second is a command.
    """
    variable, command = present
    if os.environ.get(variable) or shutil.which(command):
        return
    rights = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        call = [*rights, "apt-get", "-qq", *words]
        print("+", *call, flush=True)
        if not shutil.which(call[0]) or subprocess.run(call, stdin=subprocess.DEVNULL).returncode:
            print(f"dev.py: no {what}", file=sys.stderr)
            return


def _get_compiler() -> None:
    """Try to have a C compiler, for the shim that kills a process at its Nth call."""
    _get_packages("compiler for the tests that kill at every call", ("CC", "cc"), "gcc", "libc6-dev")


def _get_proof() -> None:
    """Try to have the fuzzer and Core's library, which have wheels for few systems only."""
    wanted, got = ROOT / "tests" / "proof-requirements.txt", VENV / "proof-requirements.txt"
    if got.exists() and got.read_bytes() == wanted.read_bytes():
        return
    wheels = ["--only-binary", ":all:", "--no-deps", "--requirement", str(wanted)]
    command = [str(PYTHON), "-m", "pip", "install", *OPTIONS, *wheels]
    print("+", *command, flush=True)
    if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode:
        print("dev.py: no fuzzer, and no second opinion of Core's library", file=sys.stderr)
    else:
        shutil.copyfile(wanted, got)


def _get_client() -> None:
    """Have the vendor's client for tests of the server, apart from all else: it asks for older libraries than ours."""
    wanted, got = ROOT / "tests" / "client-requirements.txt", CLIENT / "requirements.txt"
    if os.environ.get("REFLOW_CLIENT") or (got.exists() and got.read_bytes() == wanted.read_bytes()):
        return
    shutil.rmtree(CLIENT, ignore_errors=True)
    run([*_make_venv(CLIENT), "install", *OPTIONS, "--only-binary", ":all:", "--requirement", str(wanted)])
    shutil.copyfile(wanted, got)


def fuzz(args: list[str]) -> None:
    """Fuzz the given targets, or all."""
    _get_proof()
    _use_tests()
    run([PYTHON, "-m", "fuzz.fuzz", *args])


def trust(args: list[str]) -> None:
    """The slow run: tests/support/trust_run.py."""
    _get_compiler()
    _get_proof()
    _use_tests()
    run([PYTHON, "-m", "support.trust_run", *args])


def _use_tests() -> None:
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "engine"), str(ROOT / "tests")])


def bench(args: list[str]) -> None:
    """The benchmarks."""
    patterns = ["-o", "python_files=bench_*.py", "-o", "pythonpath=benchmarks"]
    run([PYTHON, "-m", "pytest", "benchmarks", *patterns, "--benchmark-only", *args])


def compare(args: list[str]) -> None:
    """The comparison with other tools, with a real node where there is one."""
    _get_node()
    if (NODE / "bin" / "bitcoind").exists():
        os.environ.setdefault("REFLOW_BITCOIND", str(NODE / "bin" / "bitcoind"))
    os.environ["PYTHONPATH"] = str(ROOT / "benchmarks")
    run([PYTHON, "-m", "compare.compare", *args])


def wheel(_: list[str]) -> None:
    """Build the wheel into dist/."""
    run([PYTHON, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", "."])


CHORES: dict[str, Callable[[list[str]], None]] = {
    "demo": demo,
    "test": test,
    "lint": lint,
    "fuzz": fuzz,
    "trust": trust,
    "bench": bench,
    "compare": compare,
    "wheel": wheel,
    "setup": lambda _: None,
}


def main() -> None:
    """Set up, then do the chore that was asked for."""
    chore, args = sys.argv[1:2], sys.argv[2:]
    if not chore or chore[0] not in CHORES:
        sys.exit(__doc__)
    setup()
    CHORES[chore[0]](args)


if __name__ == "__main__":
    main()
