"""The example of docs/sweep.md runs on the demo as it stands there, and prints what stands there."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from reflow.simulate.demo import run_demo
from surroundings import ROOT

PAGE = (ROOT / "docs" / "sweep.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_demo("demo")
    names: dict[str, object] = {}
    printed = []
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        with contextlib.redirect_stdout(io.StringIO()) as stream:
            exec(block, names)
        printed.append(stream.getvalue())
    assert printed == re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
