"""Label files: CSV, and TagPacks of GraphSense's; both give one label a line, as the file states it.

Errors in the data are values with their place, so that one run over a file can name all of them; who wants
none raises the first (methodology 3 and 9.12).
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from reflow.errors import LabelError
from reflow.network import Network
from reflow.script import AddressError, script_of
from reflow.store.resources import folder
from reflow.text import BadTextError, listed, one_line, read_text, shown

EXCHANGE: Final = "exchange"
"""The category whose entities get metrics of their own; accounts of all others are merely not claimable."""

RESERVED: Final = frozenset({"ex", "exincl", "all"})
"""Words that metric ids use for sets of exchanges; in lower case, since ids must differ in more than case."""

REQUIRED: Final = ("address", "entity")
KNOWN: Final = (*REQUIRED, "category", "name", "source", "confidence")
"""Columns of a CSV."""

MOST_LEVELS: Final = 64
"""Lists and mappings within each other, in a TagPack."""
_LONGEST_ADDRESS: Final = 100
LONGEST_NAME: Final = 200
"""Characters of an entity or category."""
_TAG_FIELDS: Final = frozenset({"address", "currency", "category", "actor", "label", "abuse"})
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
"""What YAML takes for nothing, if it is not in quotes."""

_BASE58_SCRIPTS: Final = frozenset({0x76, 0xA9})
"""First bytes of P2PKH (OP_DUP) and P2SH (OP_HASH160): in their addresses case matters."""


class Label(NamedTuple):
    """One address and who owns it."""

    place: str
    """File and line, for messages."""
    script: bytes
    """The scriptPubKey that the address pays to."""
    address: str
    """The address in its canonical spelling: bech32 in lower case."""
    entity: str
    """Exchange code, or any name where the category is not exchange."""
    category: str
    """`exchange`, `pool`, `miner`, … in lower case."""


def read_label_file(path: Path, network: Network) -> Iterator[Label | LabelError]:
    """The labels of a file in its order, and a LabelError in place of each line or tag that is wrong."""
    text = label_text(path)
    if isinstance(text, LabelError):
        yield text
    elif path.suffix.lower() in (".yaml", ".yml"):
        yield from _read_tagpack(path, text, network)
    else:
        yield from _read_csv(path, text, network)


def label_text(path: Path) -> str | LabelError:
    """The file's text without a byte-order mark, or what keeps it from being read."""
    try:
        return read_text(path)
    except OSError as error:
        return LabelError(f"{path}: cannot read the label file: {error.strerror}")
    except BadTextError as error:
        return LabelError(f"{path}:{error.line}: {error}")


def _read_csv(path: Path, text: str, network: Network) -> Iterator[Label | LabelError]:
    """The labels of a CSV text in file order, and a LabelError in place of each line that is wrong.

    Blank lines and lines that begin with `#` are skipped. Without a `category`, or with an empty one, a label
    is an exchange's. The columns `name`, `source` and `confidence` are for people and are not read.
    """
    for row in read_rows(path, text, REQUIRED, KNOWN):
        if isinstance(row, LabelError):
            yield row
            continue
        place, fields = row
        kind = fields.get("category", "").strip().lower()
        yield make_label(
            place, fields["address"].strip(), fields["entity"].strip(), kind or EXCHANGE, network
        )


def read_rows(
    path: Path, text: str, required: Sequence[str], known: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]] | LabelError]:
    """(place, column to field) of each line of a CSV text with a header, a LabelError for one that is wrong.

    A header without a `required` column, or with one that is not `known`, is the only thing that is told.
    """
    records = _records(path, text)
    header = next(records, None)
    if header is None or isinstance(header, LabelError):
        form = ",".join(required) + ("[,category]" if "category" in known else "")
        yield header or LabelError(f"{path}: empty, expected a header line: {form}")
        return
    place, columns = header[0], [column.strip() for column in header[1]]
    if fault := _header_fault(columns, required, known):
        yield LabelError(f"{place}: {fault}")
        return
    for record in records:
        if isinstance(record, LabelError):
            yield record
        elif len(record[1]) != len(columns):
            found = f"{record[0]}: {len(record[1])} fields"
            yield LabelError(f"{found}, expected {len(columns)} ({','.join(columns)})")
        else:
            yield record[0], dict(zip(columns, record[1], strict=True))


def _records(path: Path, text: str) -> Iterator[tuple[str, list[str]] | LabelError]:
    """(place, fields) of each record; a quoted field may run over several lines and have `#` in it."""
    number, first = 0, 0  # the line read last, and the one that the record began with

    def lines() -> Iterator[str]:
        nonlocal number, first
        for number, line in enumerate(io.StringIO(text, newline=""), start=1):
            if first or not (line.isspace() or line.startswith("#")):
                first = first or number
                yield line

    reader = csv.reader(lines(), strict=True)
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            yield LabelError(f"{path}:{first}: not CSV: {error}")
            fields = []
        if fields is None:
            return
        if fields:
            yield f"{path}:{first}", fields
        first = 0


def _header_fault(columns: list[str], required: Sequence[str], known: Sequence[str]) -> str | None:
    unknown = [column for column in columns if column not in known]
    if unknown:
        return f"unknown column {shown(unknown[0])}, expected {', '.join(known)}"
    missing = [column for column in required if column not in columns]
    if missing:
        return f"no column {missing[0]!r}, found {listed(columns)}"
    repeated = [column for column, times in Counter(columns).items() if times > 1]
    return f"column {repeated[0]!r} twice" if repeated else None


class _Mapping(NamedTuple):
    """A mapping of a YAML file, as far as it matters."""

    line: int
    """Where it begins."""
    values: dict[str, Any]
    """Text by key; lists and mappings only beside them."""
    faults: list[str]


def _read_tagpack(path: Path, text: str, network: Network) -> Iterator[Label | LabelError]:
    """The labels of a TagPack: YAML with header fields and a list `tags` (methodology 9.12).

    A field of the header holds for every tag that does not have it itself. What is read of a tag: `address`,
    `currency`, `category`, `actor`, `label` and `abuse`; all else is for people. Tags of a currency other than BTC, and
    tags that mark misuse (`abuse`), are skipped. A tag of category exchange belongs to the exchange that its actor,
    else its label, names; a tag without a category is of category `other`.
    """
    try:
        root = _compose(text)
    except _YamlError as error:
        yield LabelError(f"{path}:{error}" if error.line else f"{path}: {error}")
        return
    if not isinstance(root, _Mapping):
        yield LabelError(f"{path}: not a TagPack: expected a mapping with a list of tags")
        return
    tags = root.values.get("tags")
    if not isinstance(tags, list):
        yield LabelError(f"{path}: not a TagPack: expected a list of tags under the key 'tags'")
        return
    yield from (LabelError(f"{path}:{root.line}: {fault}") for fault in root.faults)
    header = _fields(root)
    for line, tag in tags:
        label = _read_tag(f"{path}:{line}", header, tag, network)
        if label is not None:
            yield label


def _read_tag(place: str, header: dict[str, str], tag: Any, network: Network) -> Label | LabelError | None:
    if not isinstance(tag, _Mapping):
        return LabelError(f"{place}: a tag must be a mapping with at least an address")
    if tag.faults:
        return LabelError(f"{place}: {tag.faults[0]}")
    fields = header | _fields(tag)
    if fields.get("currency", "BTC").upper() != "BTC" or fields.get("abuse"):
        return None
    if not fields.get("address"):
        return LabelError(f"{place}: a tag without an address")
    category = fields.get("category", "").lower() or "other"
    names = (fields.get("actor", ""), fields.get("label", ""))
    entity = exchange_entity(*names) if category == EXCHANGE else names[0] or names[1]
    return make_label(place, fields["address"], entity, category, network)


def _fields(mapping: _Mapping) -> dict[str, str]:
    """The fields that matter, as written; YAML's null is empty, which overrides the header."""
    values = mapping.values
    return {key: values[key].strip() for key in _TAG_FIELDS & values.keys() if isinstance(values[key], str)}


class _YamlError(ValueError):
    """Text is not YAML, or not such as is read here."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(f"{line}: not YAML: {fault}" if line else f"not YAML: {fault}")
        self.line: Final = line


def _compose(text: str) -> Any:
    """The document as text, as lists of (line, value), and as `_Mapping`s, aliases followed; None if it is empty.

    Scalars are taken as they are written, so that no address is read as a number. The parser's events are put together
    here, because its own composer calls itself for each level, and the stack has an end.
    """
    # Importing yaml takes longer than reading a small CSV file.
    import yaml

    if text.count("\n%") >= MOST_LEVELS:  # libyaml compares each directive with all before it
        raise _YamlError(0, f"more than {MOST_LEVELS} lines that begin with %")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where there is one, is ten times faster
    composer = _Composer()
    try:
        for event in yaml.parse(text, Loader=loader):
            composer.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or one_line(error)
        raise _YamlError(mark.line + 1 if mark else 0, problem) from None
    return composer.root


class _Composer:
    """Puts events together, without a limit but MOST_LEVELS."""

    def __init__(self) -> None:
        import yaml

        self.root: Any = None
        self._events = yaml.events
        self._is_whole = False
        self._open: list[Any] = []
        self._keys: list[Any] = []
        """For each open value: the key that waits for its value, or _NO_KEY."""
        self._anchors: dict[str, Any] = {}

    def take(self, event: Any) -> None:
        """The next event. Raises _YamlError."""
        events = self._events
        kind = type(event)
        if kind is events.ScalarEvent:
            is_null = event.implicit[0] and event.value in _NULL and not event.style
            self._add(event, "" if is_null else event.value)
        elif kind is events.SequenceStartEvent:
            self._begin(event, [])
        elif kind is events.MappingStartEvent:
            self._begin(event, _Mapping(event.start_mark.line + 1, {}, []))
        elif kind is events.SequenceEndEvent or kind is events.MappingEndEvent:
            self._open.pop()
            self._keys.pop()
        elif kind is events.AliasEvent:
            if event.anchor not in self._anchors:
                raise _YamlError(event.start_mark.line + 1, f"found undefined alias {shown(event.anchor)}")
            self._add(event, self._anchors[event.anchor])
        elif kind is events.DocumentStartEvent:
            if self._is_whole:
                raise _YamlError(event.start_mark.line + 1, "expected one document, found another")
            self._is_whole = True

    def _begin(self, event: Any, value: Any) -> None:
        if len(self._open) >= MOST_LEVELS:
            fault = f"more than {MOST_LEVELS} lists and mappings within each other"
            raise _YamlError(event.start_mark.line + 1, fault)
        self._add(event, value)
        self._open.append(value)
        self._keys.append(_NO_KEY)

    def _add(self, event: Any, value: Any) -> None:
        if event.anchor and type(event) is not self._events.AliasEvent:
            self._anchors[event.anchor] = value
        if not self._open:
            self.root = value
            return
        parent = self._open[-1]
        if isinstance(parent, list):
            parent.append((event.start_mark.line + 1, value))
        elif self._keys[-1] is _NO_KEY:
            self._keys[-1] = value
        else:
            key, self._keys[-1] = self._keys[-1], _NO_KEY
            if isinstance(key, str):
                if key in parent.values and (key in _TAG_FIELDS or key == "tags"):
                    parent.faults.append(f"{key} twice")
                parent.values[key] = value


_NO_KEY: Final = object()


def make_label(place: str, address: str, entity: str, category: str, network: Network) -> Label | LabelError:
    """A checked label; a LabelError (not raised) when address, entity or category cannot be right."""
    if fault := _entity_fault(entity, category):
        return LabelError(f"{place}: {fault}")
    if len(address) > _LONGEST_ADDRESS:
        return LabelError(f"{place}: {shown(address)} is no address")
    try:
        script = script_of(address, network)
    except AddressError as error:
        return LabelError(f"{place}: {error}")
    is_base58 = script[0] in _BASE58_SCRIPTS
    return Label(place, script, address if is_base58 else address.lower(), entity, category)


@cache
def _entity_fault(entity: str, category: str) -> str | None:
    if not entity:
        return "empty entity"
    if len(entity) > LONGEST_NAME or len(category) > LONGEST_NAME:
        name = entity if len(entity) > LONGEST_NAME else category
        return f"{shown(name)}, expected at most {LONGEST_NAME} characters"
    if not (entity.isprintable() and category.isprintable()):
        return f"entity {entity!r} of category {category!r} has unprintable characters"
    if category != EXCHANGE:
        return None
    if re.fullmatch("[A-Za-z0-9]+", entity) is None:
        return f"exchange {entity!r}: expected letters and digits only, since it becomes part of metric ids"
    if entity.lower() in RESERVED:
        return f"exchange {entity!r}: this word is reserved in metric ids"
    return None


@cache
def exchange_names() -> dict[str, str]:
    """Exchange code of every known code and name; keys are in the form that `plain` gives.

    Read from labels/exchange-names.csv, a table of `code,name` with one row for every way in which packs of
    labels write an exchange.
    """
    names: dict[str, str] = {}
    with (folder("labels") / "exchange-names.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["code"], row["name"]) for row in csv.DictReader(file)]
    for code, name in [(code, code) for code, _ in rows] + rows:
        names.setdefault(plain(name), code)
    return names


def exchange_entity(*names: str) -> str:
    """The exchange that `names` mean, most trusted first: a known one, else the first as an entity."""
    known = exchange_names()
    for name in names:
        if plain(name) in known:
            return known[plain(name)]
    return next((re.sub("[^A-Za-z0-9]", "", name) for name in names if name), "")


def plain(name: str) -> str:
    """A name without what people write in different ways: lower case, letters and digits only."""
    return "".join(character for character in name.casefold() if character.isalnum())
