"""The example of docs/report.md runs on the demo as it stands there, and prints what stands there."""

import contextlib
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reflow.simulate.demo import run_demo
from support.surroundings import ROOT

PAGE = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")


def run_example(folder: Path) -> tuple[list[str], str]:
    """What each block of code prints, and the picture that it draws; `folder` is the working directory."""
    run_demo("demo")
    names: dict[str, object] = {}
    printed = []
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream):
            exec(block, names)
        printed.append(stream.getvalue())
    return printed, (folder / "pictures" / "FlowInBMXNtv.svg").read_text(encoding="utf-8")


def test_the_example_prints_and_draws_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    printed, picture = run_example(tmp_path)
    shown = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
    assert [text for text in printed if text] == shown
    assert picture == (ROOT / "docs" / "FlowInBMXNtv.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(picture)
