"""Several result files at once: all of them, or none."""

import csv
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from reflow.errors import OutputError


def write_together(folder: str | Path, writers: Mapping[str, Callable[[Path], object]]) -> list[Path]:
    """Make the files `writers` (name to what writes it) in `folder`, which is made if need be; gives their paths.

    They replace older ones only when all of them are written. Raises OutputError when that cannot be done.
    """
    base = Path(folder)
    parts = {base / name: base / f".{name}.part" for name in writers}
    try:
        base.mkdir(parents=True, exist_ok=True)
        for writer, part in zip(writers.values(), parts.values(), strict=True):
            writer(part)
        for path, part in parts.items():
            part.replace(path)
    except OSError as error:
        raise OutputError(f"{base}: cannot write the results: {error.strerror or error}") from None
    finally:
        _remove(parts.values())
    return list(parts)


def check_folder(folder: str | Path) -> None:
    """Raise OutputError before long work if results cannot be written into `folder`; nothing is made yet."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise OutputError(
            f"{folder}: cannot write the results: {place} is not a folder that can be written to"
        )


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV file in UTF-8 with Unix line ends; None is an empty field."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _remove(parts: Iterable[Path]) -> None:
    for part in parts:
        try:
            part.unlink(missing_ok=True)
        except OSError:
            continue
