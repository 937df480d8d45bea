"""Which files of the engine are entered, and which queries are asked, while something runs, in all of its threads."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import pytest

import reflow
from reflow.store import duckdb as store
from reflow.store.resources import query

ENGINE = Path(reflow.__file__).parent


class Walk(NamedTuple):
    """What was opened on the way."""

    files: set[str]
    """Below engine/reflow/; import does not count."""
    queries: set[str]


@contextmanager
def walked() -> Iterator[Walk]:
    """Note where the code inside goes."""
    entered: set[str] = set()
    walk = Walk(set(), set())

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            entered.add(frame.f_code.co_filename)

    def noted(name: str) -> str:
        walk.queries.add(name)
        return query(name)

    before = sys.getprofile()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "query", noted)
        threading.setprofile(note)
        sys.setprofile(note)
        try:
            yield walk
        finally:
            sys.setprofile(before)
            threading.setprofile(before)
    walk.files.update(
        str(Path(file).relative_to(ENGINE)) for file in entered if Path(file).is_relative_to(ENGINE)
    )
