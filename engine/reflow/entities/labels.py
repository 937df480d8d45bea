"""Label files to one table of labelled accounts (METHODOLOGY section 3)."""

import gc
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from reflow.entities.label import EXCHANGE, Label, exchange_names
from reflow.entities.label_csv import read_csv
from reflow.errors import LabelError
from reflow.network import Network
from reflow.script import account_of

SCHEMA: Final = {
    "account": pl.Int64,
    "script": pl.Binary,
    "address": pl.String,
    "entity": pl.String,
    "category": pl.String,
}
"""Columns of `Labels.frame`."""


class Labels(NamedTuple):
    """Every labelled account, once."""

    frame: pl.DataFrame
    """account (id), script (scriptPubKey), address, entity, category; sorted by account."""
    digest: str
    """SHA-256 (hex) over account, entity and category of every row, whatever the order of files and lines."""

    def exchanges(self) -> list[str]:
        """Codes of the labelled exchanges, sorted."""
        return sorted(self.frame.filter(pl.col("category") == EXCHANGE)["entity"].unique())


class LabelReport(NamedTuple):
    """What `reflow labels check` tells about label files."""

    counts: dict[str, dict[str, int]]
    """Number of labelled accounts by category, then entity; both sorted by name."""
    unknown: list[str]
    """Exchanges that labels/exchange-names.csv does not know: new ones, or codes with a typing error."""
    errors: list[str]
    """All that is wrong, one line each; labels with an error are not counted."""


def read_labels(paths: Iterable[str | Path], network: Network) -> Labels:
    """Read label files, CSV or TagPack YAML (`.yaml`, `.yml`), into one table.

    Raises LabelError, naming file and line, for the first thing that is wrong: an address with a bad checksum
    or of another network, one address under two entities, an unknown or missing column, a wrong number of
    fields, an entity that cannot be part of a metric id.
    """
    labels, errors = _merge(_read_all(paths, network))
    if errors:
        raise errors[0]
    return _table(labels)


def check_labels(paths: Iterable[str | Path], network: Network) -> LabelReport:
    """Read label files as `read_labels` does, but tell all that is in them and all that is wrong."""
    labels, errors = _merge(_read_all(paths, network))
    counter = Counter((label.category, label.entity) for label in labels.values())
    counts: dict[str, dict[str, int]] = {}
    for (category, entity), count in sorted(counter.items()):
        counts.setdefault(category, {})[entity] = count
    unknown = sorted(set(counts.get(EXCHANGE, ())) - set(exchange_names().values()))
    return LabelReport(counts, unknown, [str(error) for error in errors])


def _read_all(paths: Iterable[str | Path], network: Network) -> Iterator[Label | LabelError]:
    for path in map(Path, paths):
        text = label_text(path)
        if isinstance(text, LabelError):
            yield text
        elif path.suffix.lower() in (".yaml", ".yml"):
            # Importing yaml takes longer than reading a small CSV file.
            from reflow.entities.tagpack import read_tagpack

            yield from read_tagpack(path, text, network)
        else:
            yield from read_csv(path, text, network)


def label_text(path: Path) -> str | LabelError:
    """The file's text without a byte-order mark, or what keeps it from being read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return LabelError(f"{path}: cannot read the label file: {error.strerror}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return LabelError(f"{path}:{line}: not UTF-8")


def _merge(read: Iterable[Label | LabelError]) -> tuple[dict[bytes, Label], list[LabelError]]:
    """Labels by scriptPubKey, and all that is wrong; the same label twice is one label."""
    labels: dict[bytes, Label] = {}
    spellings: dict[str, Label] = {}
    errors: list[LabelError] = []
    with _collector_paused():
        entries = list(read)
    for label in entries:
        if isinstance(label, LabelError):
            errors.append(label)
            continue
        first = labels.setdefault(label.script, label)
        if (first.entity, first.category) != (label.entity, label.category):
            found = f"{label.place}: {label.address} is {_owner(label)} here"
            errors.append(LabelError(f"{found}, but {_owner(first)} in {first.place}"))
        if label.category == EXCHANGE:
            first = spellings.setdefault(label.entity.lower(), label)
            if first.entity != label.entity:
                found = f"{label.place}: exchange {label.entity} is written {first.entity} in {first.place}"
                errors.append(LabelError(f"{found}; metric ids must differ in more than case"))
    return labels, errors


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the garbage collector from walking, again and again, the many objects that reading makes."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _owner(label: Label) -> str:
    return f"{label.entity} ({label.category})"


def _table(labels: dict[bytes, Label]) -> Labels:
    rows = [
        (account_of(script), script, label.address, label.entity, label.category)
        for script, label in labels.items()
    ]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("account")
    lines = frame.select(pl.format("{}\t{}\t{}\n", "account", "entity", "category"))
    digest = hashlib.sha256("".join(lines.to_series()).encode())
    return Labels(frame, digest.hexdigest())
