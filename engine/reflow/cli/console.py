"""What a person sees in the terminal: tables on stdout, progress on stderr while it is a terminal."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from reflow.progress import Progress, silent
from reflow.text import escaped, escaped_json

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from reflow.ledger.ingest import IngestProgress

_WIDTH_OF_A_PIPE = 140


def say(*lines: str) -> None:
    """Lines for a person on stdout; names in them that come from files cannot break a line or steer the terminal."""
    for line in lines:
        print(escaped(line))


def complain(text: str) -> None:
    """One line on stderr, whatever line breaks the text has."""
    print("reflow:", escaped(" ".join(text.split())), file=sys.stderr)


def print_json(result: dict[str, Any]) -> None:
    """The result as one JSON object on stdout; what JSON has no form for (days, paths, decimals) as text."""
    print(escaped_json(json.dumps(result, default=str, ensure_ascii=False)))


def read_json(file: "Path") -> dict[str, Any]:
    """What a verb has written into its manifest, to print it."""
    return dict(json.loads(file.read_text(encoding="utf-8")))


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None, left: int = 1
) -> None:
    """A table on stdout; every column but the first, or the `left` first, is flush right, as numbers are read.

    Cells and names of columns are text and never markup, whatever brackets they have.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title and Text(escaped(title)), box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for place, column in enumerate(columns):
        justify: Literal["left", "right"] = "left" if place < left else "right"
        table.add_column(Text(escaped(column)), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(escaped(str(cell))) for cell in row))
    _console(stderr=False).print(table)


@contextmanager
def stage_progress(quiet: bool) -> Iterator[Progress]:
    """A bar for work in stages; gives the callback that moves it."""
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=_console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def move(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total or None)

        yield move


@contextmanager
def ingest_progress(quiet: bool) -> Iterator["Callable[[IngestProgress], None] | None"]:
    """A bar with height, date, MB/s and time left; gives the callback that moves it, or None."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[where]}", markup=False),
    )
    with Progress(*columns, TimeRemainingColumn(), console=_console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def move(now: "IngestProgress") -> None:
            if now.stage not in tasks:
                tasks[now.stage] = bar.add_task(now.stage, total=now.total, where="")
            bar.update(tasks[now.stage], completed=now.done, total=now.total, where=_where(now))

        yield move


def _where(now: "IngestProgress") -> str:
    if now.stage == "scan":
        return f"{now.done} of {now.total} files"
    if now.stage == "days":
        return f"{now.done:,} of {now.total:,} days"
    rate = now.byte_count / 1e6 / max(now.seconds, 1e-9)
    return f"height {now.height:,}  {now.day or ''}  {rate:,.0f} MB/s"


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _WIDTH_OF_A_PIPE, highlight=False)
