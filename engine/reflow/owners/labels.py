"""Label files to one table of labelled accounts (methodology 3)."""

import gc
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from reflow.errors import LabelError
from reflow.network import MAIN, Network
from reflow.owners.label_files import EXCHANGE, Label, exchange_names, read_label_file
from reflow.script import account_of
from reflow.store.relations import LABEL_ACCOUNT
from reflow.store.resources import folder

if TYPE_CHECKING:
    from reflow.ledger.ledger import Ledger

SCHEMA: Final = {
    "account": pl.Int64,
    "script": pl.Binary,
    "address": pl.String,
    "entity": pl.String,
    "category": pl.String,
}
"""Columns of `Labels.frame`."""

SHIPPED: Final = "shipped"
"""The name of the label files in the package."""

_SHIPPED: Final = {
    SHIPPED: ("exchanges.csv", "pools.csv"),
    f"{SHIPPED}:exchanges": ("exchanges.csv",),
    f"{SHIPPED}:pools": ("pools.csv",),
}


class Labels(NamedTuple):
    """Every labelled account, once."""

    frame: pl.DataFrame
    """account (id), script (scriptPubKey), address, entity, category; sorted by account."""
    digest: str
    """SHA-256 (hex) over account, entity and category of every row, whatever the order of files and lines."""
    shipped_only: frozenset[str] = frozenset()
    """Exchanges that no file of one's own names, only files of the package."""

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
    overridden: list[str]
    """Labels that a later file replaced, one line each: none unless later files are preferred."""
    unseen: dict[str, dict[str, list[str]]] | None
    """Labelled addresses that no output of a ledger pays, by category and entity; None without a ledger."""


def read_labels(paths: Iterable[str | Path], network: Network, *, prefer_later: bool = False) -> Labels:
    """Read label files, CSV or TagPack YAML (`.yaml`, `.yml`), into one table.

    The strings `shipped`, `shipped:exchanges` and `shipped:pools` name the files in the package; a Path, or
    `./shipped`, is always a file.
    The same fact in several places is one fact. Where two files give an address to different owners, that is an
    error, or with `prefer_later` the file that comes later decides; a file that contradicts itself is always an
    error (methodology 9.12).
    Raises LabelError, naming file and line, for the first thing that is wrong: an address with a bad checksum
    or of another network, one address under two entities, an unknown or missing column, a wrong number of
    fields, an entity that cannot be part of a metric id, shipped labels that do not exist or are of another network.
    """
    files = list(_read_all(paths, network))
    labels, errors, _ = _merge(files, prefer_later)
    if errors:
        raise errors[0]
    return _table(labels)._replace(shipped_only=_shipped_only(files))


def check_labels(
    paths: Iterable[str | Path],
    network: Network,
    *,
    prefer_later: bool = False,
    ledger: "Ledger | None" = None,
) -> LabelReport:
    """Read label files as `read_labels` does, but tell all that is in them and all that is wrong.

    With a `ledger` also which of the addresses never appear in it.
    """
    labels, errors, overridden = _merge(_read_all(paths, network), prefer_later)
    counter = Counter((label.category, label.entity) for label in labels.values())
    counts: dict[str, dict[str, int]] = {}
    for (category, entity), count in sorted(counter.items()):
        counts.setdefault(category, {})[entity] = count
    unknown = sorted(set(counts.get(EXCHANGE, ())) - set(exchange_names().values()))
    unseen = None if ledger is None else _unseen(ledger, _table(labels))
    return LabelReport(counts, unknown, [str(error) for error in errors], overridden, unseen)


def label_files(name: str | Path, network: Network) -> list[Path]:
    """The files that a path or a name of shipped labels stands for.

    Raises LabelError for a name that no shipped file has, and for shipped labels on a network other than main.
    """
    if isinstance(name, Path) or name.partition(":")[0] != SHIPPED:
        return [Path(name)]
    if name not in _SHIPPED:
        raise LabelError(f"{name}: no such labels in the package, expected one of {', '.join(_SHIPPED)}")
    if network != MAIN:
        raise LabelError(f"{name}: the shipped labels are for main, expected labels of {network.name}")
    return [folder("labels") / file for file in _SHIPPED[name]]


def _shipped_only(files: Iterable["_File"]) -> frozenset[str]:
    exchanges: dict[bool, set[str]] = {True: set(), False: set()}
    for file in files:
        labels = (label for label in file.labels if isinstance(label, Label))
        exchanges[file.shipped] |= {label.entity for label in labels if label.category == EXCHANGE}
    return frozenset(exchanges[True] - exchanges[False])


def unseen_labels(ledger: "Ledger", labels: pl.DataFrame) -> pl.DataFrame:
    """Of labels (account, address, entity, category) those that no output of the ledger pays, sorted by address."""
    with ledger.store("compare with labels") as store:
        store.keep(LABEL_ACCOUNT, labels.select("account").to_arrow())
        unseen = [row["account"] for row in store.rows("unseen_labels")]
    found = labels.filter(pl.col("account").is_in(pl.Series(unseen, dtype=pl.Int64).implode()))
    return found.select("address", "entity", "category").sort("address")


def _unseen(ledger: "Ledger", labels: Labels) -> dict[str, dict[str, list[str]]]:
    entities: dict[str, dict[str, list[str]]] = {}
    for address, entity, category in unseen_labels(ledger, labels.frame).iter_rows():
        entities.setdefault(category, {}).setdefault(entity, []).append(address)
    return entities


class _File(NamedTuple):
    """What is in a label file."""

    labels: list[Label | LabelError]
    shipped: bool


def _read_all(paths: Iterable[str | Path], network: Network) -> Iterator[_File]:
    """What is in each file, one after the other."""
    for name in paths:
        try:
            files = label_files(name, network)
        except LabelError as error:
            yield _File([error], shipped=False)
            continue
        for path in files:
            with _collector_paused():
                labels = list(read_label_file(path, network))
            yield _File(labels, shipped=path.resolve().parent == folder("labels").resolve())


def _merge(
    files: Iterable[_File], prefer_later: bool
) -> tuple[dict[bytes, Label], list[LabelError], list[str]]:
    """Labels by scriptPubKey, all that is wrong, and what a later file replaced; the same label twice is one label."""
    labels: dict[bytes, Label] = {}
    errors: list[LabelError] = []
    overridden: list[str] = []
    for file in files:
        own: dict[bytes, Label] = {}
        for label in file.labels:
            if isinstance(label, LabelError):
                errors.append(label)
                continue
            first = own.setdefault(label.script, label)
            if first is label:
                first = labels.setdefault(label.script, label)
            if (first.entity, first.category) == (label.entity, label.category):
                continue
            found = f"{label.place}: {label.address} is {_owner(label)} here"
            if prefer_later and own[label.script] is label:
                del labels[label.script]
                labels[label.script] = label
                overridden.append(f"{found}, which replaces {_owner(first)} in {first.place}")
            else:
                errors.append(LabelError(f"{found}, but {_owner(first)} in {first.place}"))
    return labels, [*errors, *_spelling_errors(labels.values())], overridden


def _spelling_errors(labels: Iterable[Label]) -> Iterator[LabelError]:
    spellings: dict[str, Label] = {}
    for label in labels:
        if label.category == EXCHANGE:
            first = spellings.setdefault(label.entity.lower(), label)
            if first.entity != label.entity:
                found = f"{label.place}: exchange {label.entity} is written {first.entity} in {first.place}"
                yield LabelError(f"{found}; metric ids must differ in more than case")


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
