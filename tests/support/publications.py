"""Publications of every verb that writes several files, recorded and replayed, with a machine that dies on the way."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from reflow import files
from reflow.files import Manifest, Writer, settle, write_together

STEPS: Final = ("open", "write", "fsync", "replace", "unlink", "rmdir", "mkdir")
"""Calls of `os` after each of which a machine may be dead; `write` stands for the bytes of a file."""


class Publication(NamedTuple):
    """What one call of `write_together` wrote: bytes by name, None for what it removes, and its manifest."""

    content: dict[str, bytes | None]
    manifest: Manifest | None

    def publish(self, folder: Path) -> None:
        """Write the same again, into another folder."""
        writers: dict[str, Writer | None] = {
            name: None if raw is None else partial(_write_slowly, raw) for name, raw in self.content.items()
        }
        write_together(folder, writers, self.manifest)


def _write_slowly(raw: bytes, path: Path) -> None:
    """In two halves, each by a call of `os`, so that a file may be left half-written."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        for half in (raw[: len(raw) // 2], raw[len(raw) // 2 :]):
            while half:
                half = half[os.write(handle, half) :]
    finally:
        os.close(handle)


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch, module: Any) -> Iterator[list[Publication]]:
    """Record what `module` writes by `write_together`, which is carried out too."""
    calls: list[Publication] = []

    def write(
        folder: Path, writers: dict[str, Writer | None], manifest: Manifest | None = None
    ) -> list[Path]:
        paths = write_together(folder, writers, manifest)
        content = {
            name: (Path(folder) / name).read_bytes() if made else None for name, made in writers.items()
        }
        calls.append(Publication(content, manifest))
        return paths

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_together", write)
        yield calls


class DeadError(OSError):
    """The machine is dead: nothing that a process asks of it happens any more."""


@contextmanager
def dying(
    monkeypatch: pytest.MonkeyPatch, after: int | None, *, error: int | None = None
) -> Iterator[list[str]]:
    """Let `after` steps happen, then none, as if the process had been killed; None lets all happen. Gives the steps.

    With `error`, an errno, only the step after them fails, and the process lives on.
    """
    done: list[str] = []

    def step(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if name == "open" and not args[1] & (os.O_CREAT | os.O_DIRECTORY):
                return real(*args, **options)
            if after is not None and (len(done) == after or (len(done) > after and error is None)):
                done.append(f"no {name}")
                raise DeadError(error or 5, os.strerror(error or 5))
            done.append(name)
            return real(*args, **options)

        return call

    with monkeypatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, step(name, getattr(os, name)))
        yield done


def whole(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@contextmanager
def nobody_settles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Readers find what a killed run left as it is, as they do where they may not write."""
    with monkeypatch.context() as patch:
        patch.setattr(files, "tidy", lambda _: None)
        yield


def settled(folder: Path) -> dict[str, bytes]:
    """Every file after what a killed run left was finished or removed."""
    assert settle(folder)
    return whole(folder)


def resealed(path: Path, **changes: Any) -> None:
    """Change a manifest, and seal it anew."""
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(content | {files.SEAL: files.seal_of(content)}), encoding="utf-8")
