"""Pool data: payout addresses and coinbase tags of pools (methodology 3, 9.13).

Payout addresses stand in label files, with category `pool` or `miner`; tags in CSV files with the columns
`tag,entity`. Both ship in labels/, from mempool/mining-pools.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from reflow.errors import LabelError
from reflow.network import MAIN, Network
from reflow.owners.label_files import LONGEST_NAME, label_text, read_rows
from reflow.owners.labels import Labels, read_labels
from reflow.store.resources import folder
from reflow.text import shown

CATEGORIES: Final = ("pool", "miner")
"""Categories of labels whose address is a payout address of their entity."""

UNKNOWN: Final = "unknown"
"""What tables for people print for the MinerEntity that no payout address or tag names; in data it is null."""

ALL: Final = "all"
"""All mining entities as one, in the matrix."""

_RESERVED: Final = (UNKNOWN, ALL)
_REQUIRED: Final = ("tag", "entity")
_KNOWN: Final = (*_REQUIRED, "name", "source")


class PoolData(NamedTuple):
    """The data that identify a block's pool."""

    payouts: pl.DataFrame
    """account, entity; each account once."""
    tags: list[tuple[str, str]]
    """(tag, entity): the tag as `readable` gives it, the longest first, those of one length by name."""

    def with_labels(self, labels: Labels) -> "PoolData":
        """With the payout addresses among `labels` too; where both name one, the pool data decide."""
        more = _payouts(labels).join(self.payouts, on="account", how="anti")
        return self._replace(payouts=pl.concat([self.payouts, more]))

    def entity_of(self, script_sig: bytes) -> str | None:
        """The entity of the longest tag in a coinbase's scriptSig, whatever the case; None without any."""
        text = readable(script_sig.decode("utf-8", "replace"))
        return next((entity for tag, entity in self.tags if tag in text), None)


def readable(text: str) -> str:
    """The text in the form in which tags are compared: without regard to case."""
    return text.casefold()


def read_pools(paths: Sequence[str | Path] | None, network: Network) -> PoolData:
    """Read pool data from files, each with payout addresses or with tags; None: the files of the package.

    The package's payout addresses are of the main network; on other networks only its tags are used.
    Raises LabelError, naming file and line, for what is wrong in a file: as `read_labels` does, and for an empty
    tag, a tag under two entities, an entity called `unknown` or `all`.
    """
    if paths is None:
        paths = [folder("labels") / name for name in _shipped(network)]
    tag_files = [path for path in map(Path, paths) if _has_tags(path)]
    label_files = [path for path in map(Path, paths) if path not in tag_files]
    payouts = _payouts(read_labels(label_files, network))
    for entity in payouts["entity"]:
        if fault := _fault(entity):
            raise LabelError(f"{', '.join(map(str, label_files))}: {fault}")
    return PoolData(payouts, _merge(row for path in tag_files for row in _read_tags(path)))


def _shipped(network: Network) -> tuple[str, ...]:
    return ("pools.csv", "pool-tags.csv") if network is MAIN else ("pool-tags.csv",)


def _payouts(labels: Labels) -> pl.DataFrame:
    return labels.frame.filter(pl.col("category").is_in(CATEGORIES)).select("account", "entity")


def _has_tags(path: Path) -> bool:
    """Whether the first line that is no remark names a column `tag`."""
    text = label_text(path)
    if isinstance(text, LabelError):
        raise text
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return "tag" in [column.strip() for column in next(lines, "").split(",")]


def _read_tags(path: Path) -> Iterator[tuple[str, str, str]]:
    """(place, tag, entity); raises the first LabelError."""
    text = label_text(path)
    for row in [text] if isinstance(text, LabelError) else read_rows(path, text, _REQUIRED, _KNOWN):
        if isinstance(row, LabelError):
            raise row
        place, fields = row
        entity = fields["entity"].strip()
        fault = _fault(entity) or ("empty tag" if not fields["tag"].strip() else None)
        if fault:
            raise LabelError(f"{place}: {fault}")
        yield place, fields["tag"], entity


def _fault(entity: str) -> str | None:
    if not entity:
        return "empty entity"
    if len(entity) > LONGEST_NAME or not entity.isprintable():
        return f"pool {shown(entity)}, expected at most {LONGEST_NAME} printable characters"
    return f"pool {entity!r}: this word is reserved" if entity.lower() in _RESERVED else None


def _merge(rows: Iterable[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """The tags, each once: the same fact twice is one fact."""
    tags: dict[str, tuple[str, str]] = {}
    for place, tag, entity in rows:
        first_place, first = tags.setdefault(readable(tag), (place, entity))
        if first != entity:
            raise LabelError(
                f"{place}: tag {shown(tag)} is of {entity} here, but of {first} in {first_place}"
            )
    return sorted(((tag, entity) for tag, (_, entity) in tags.items()), key=lambda row: (-len(row[0]), row))
