"""The wheel, installed in an environment of its own and used in an empty folder, runs the demo.

Offline: the wheel is built without isolation and installed without dependencies; those are lent by a .pth file, which
takes no notice of the editable project itself.
"""

import csv
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from support.surroundings import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = out.glob("reflow-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that has the wheel."""
    venv = tmp_path_factory.mktemp("venv")
    _run(sys.executable, "-m", "venv", "--without-pip", venv)
    python = venv / "bin" / "python"
    options = ("--no-deps", "--no-index", "--disable-pip-version-check", "--quiet")
    _run(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel)
    [site] = venv.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv / "bin"


def test_labels_queries_and_grids_travel_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    folders = ("grids", "labels", "queries")
    here = [path for name in folders for path in sorted((ROOT / name).rglob("*")) if path.is_file()]
    assert len(here) > 20
    assert {f"reflow/{path.relative_to(ROOT)}" for path in here} <= names
    assert {"reflow/py.typed", "reflow/cli/main.py"} <= names
    assert not [name for name in names if name.startswith(("tests", "benchmarks")) or "__pycache__" in name]


def test_the_installed_command_runs_the_demo_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    place = _run(installed / "python", "-c", "import reflow; print(reflow.__file__)", cwd=tmp_path)
    assert place.startswith(str(installed.parent))
    told = json.loads(_run(installed / "reflow", "demo", "--json", cwd=tmp_path))
    assert told["disagreements"] == []
    assert (tmp_path / "reflow-demo" / "results" / "metrics.csv").exists()


def test_the_installed_command_knows_its_labels(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "pack.yaml").write_text(
        "category: exchange\ntags:\n- {address: 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa, label: huobi.com}\n"
    )
    told = json.loads(_run(installed / "reflow", "labels", "check", "pack.yaml", "--json", cwd=tmp_path))
    assert told["counts"] == {"exchange": {"HUO": 1}}
    assert told["unknown"] == told["errors"] == []


def test_the_installed_command_has_the_labels_that_ship(installed: Path, tmp_path: Path) -> None:
    expected: dict[str, Counter[str]] = {}
    for name, category in (("exchanges", "exchange"), ("pools", "pool")):
        with (ROOT / "labels" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            expected[category] = Counter(row["entity"] for row in csv.DictReader(file))
    check = (installed / "reflow", "labels", "check", "--json")
    told = json.loads(_run(*check, "shipped", cwd=tmp_path))
    assert (told["counts"], told["errors"]) == (expected, [])
    (tmp_path / "mine.csv").write_text("address,entity\n1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa,MINE\n")
    told = json.loads(_run(*check, "shipped:exchanges", "mine.csv", cwd=tmp_path))
    assert told["counts"] == {"exchange": expected["exchange"] | {"MINE": 1}}
    listed = _run(installed / "reflow", "metrics", "FlowInGEMNtv", "--labels", "shipped", cwd=tmp_path)
    assert "FlowInGEMNtv" in listed


def _run(*command: object, cwd: Path | None = None) -> str:
    """What a command that must succeed prints; it does not see this checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
