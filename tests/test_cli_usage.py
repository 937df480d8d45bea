"""The command line as a user meets it: help, wrong usage, and the library behind it.

Every call is a process of its own. Results and errors are tested in test_cli_verbs.py.
"""

import subprocess
import sys

import pytest

import reflow
from support.command import VERBS, options, run


def test_help_of_the_program_names_every_verb() -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(verb.split()[0] in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example_and_all_its_options(verb: str) -> None:
    done = run(*verb.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Example: reflow {verb}" in " ".join(done.stdout.split())
    assert [option for option in options(verb) if option not in done.stdout] == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "Commands:"),
        (["nonsense"], "No such command 'nonsense'"),
        (["ingest"], "Missing argument"),
        (["ingest", "x.duckdb"], "expected one of --datadir DIR and --rpc URL"),
        (
            ["ingest", "x.duckdb", "--datadir", "d", "--rpc", "http://h:1"],
            "expected one of --datadir DIR and",
        ),
        (["ingest", "x.duckdb", "--datadir", "d", "--rpc-cookie", "c"], "--rpc-cookie goes with --rpc"),
        (
            ["ingest", "x.duckdb", "--datadir", "d", "--network", "moon"],
            "'moon' is none of main, test, testnet4",
        ),
        (["ingest", "x.duckdb", "--datadir", "d", "--to-height", "many"], "Invalid value for '--to-height'"),
        (["ingest", "x.duckdb", "--datadir", "d", "--threads", "0"], "Invalid value for '--threads'"),
        (["recompute", "x.duckdb", "--out", "o"], "Missing option '--labels'"),
        (["recompute", "x.duckdb", "--labels", "l.csv"], "Missing option '--out'"),
        (["labels", "check"], "Missing argument"),
        (["demo", "a", "b"], "unexpected extra argument"),
    ],
)
def test_wrong_usage_is_status_2(args: list[str], message: str) -> None:
    done = run(*args)
    assert done.returncode == 2
    assert message in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr


def test_version() -> None:
    assert run("--version").stdout == f"reflow {reflow.__version__}\n"


def test_help_loads_no_heavy_library() -> None:
    heavy = ("numpy", "numba", "duckdb", "polars", "pyarrow", "networkx", "yaml", "rich", "embit")
    code = f"import sys, reflow.cli.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", [name for name in reflow.__all__ if name != "__version__"])
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(reflow, name).__name__ == name if name != "NETWORKS" else reflow.NETWORKS
    assert name in dir(reflow)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        reflow.nonsense  # noqa: B018
