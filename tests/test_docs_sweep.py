"""The example of docs/sweep.md runs on the demo as it stands there; it prints and draws what stands there."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from reflow.simulate.demo import run_demo
from support.surroundings import ROOT

PAGE = (ROOT / "docs" / "sweep.md").read_text(encoding="utf-8")


def test_the_example_prints_and_draws_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_demo("demo")
    names: dict[str, object] = {}
    printed: list[str] = []
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        with contextlib.redirect_stdout(io.StringIO()) as stream:
            exec(block, names)
        printed += filter(None, [stream.getvalue()])
    assert printed == re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
    drawn = (tmp_path / "pictures" / "sweep.svg").read_text(encoding="utf-8")
    assert drawn == (ROOT / "docs" / "sweep.svg").read_text(encoding="utf-8")
