"""Endpoints as data: a path, its parameters, what answers it; and one call of an endpoint.

Each parameter has its reader, its default and what /openapi.json says of it. Everything that an endpoint takes is in
its list of parameters; all else is a 400, which catches typing errors.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from reflow.serve.answer import (
    TOKEN_NAME,
    Answer,
    Asked,
    Problem,
    Token,
    bad_parameter,
    cut,
    not_supported,
    of_json,
    of_lines,
    read_token,
    replaced,
    write_token,
)
from reflow.serve.library import Library, Snapshot

Values = Mapping[str, Any]
"""Parameter name to its value, read; the default for one that was not given."""

MOST_ROWS: Final = 10_000
"""Rows on a page at most."""
_MOST_ITEMS: Final = 2_000
"""Ids in one list at most; a URL has room for a few hundred."""


class Parameter(NamedTuple):
    """One parameter of a query string."""

    name: str
    read: Callable[[str, str], Any]
    """From the parameter's name and text to its value; raises Problem (400)."""
    default: Any
    schema: Mapping[str, Any]
    """The JSON schema of its text."""
    description: str
    required: bool = False


class Call(NamedTuple):
    """What an endpoint needs to know."""

    values: Values
    snapshot: Snapshot
    after: str | None
    """The key that the page before ended with."""
    asked: Asked
    library: Library


class Endpoint(NamedTuple):
    """A path, what it takes, and what answers it."""

    path: str
    parameters: tuple[Parameter, ...]
    respond: Callable[[Call], Answer]
    summary: str
    row: str
    """The name of what its answer holds, in /openapi.json."""
    is_kept: bool = True
    """Whether its answer depends on the one recomputation that it reads, and nothing else."""


FORMATS: Final = "yyyy-MM-dd, yyyyMMdd, either with T and HH:mm:ss or HHmmss, up to nine decimals, Z"
_MOMENT: Final = re.compile(
    r"(\d{4})(?:-(\d\d)-(\d\d)|(\d\d)(\d\d))"
    r"(?:T(\d\d)(?::(\d\d):(\d\d)|(\d\d)(\d\d))(?:\.(\d{1,9}))?Z?)?",
    re.ASCII,
)


class Moment(NamedTuple):
    """A point of time without a zone; `beyond` tells that it lies a fraction of a second later than `second`."""

    second: datetime
    beyond: bool


def read_time_bound(name: str, text: str) -> Moment:
    """Read a bound. Raises Problem (400) for what is none of the vendor's formats or no such day."""
    found = _MOMENT.fullmatch(text)
    try:
        if not found:
            raise ValueError
        year, *rest, fraction = found.groups()
        month, day, month_, day_, hour, minute, second, minute_, second_ = (int(part or 0) for part in rest)
        at = datetime(int(year), month or month_, day or day_, hour, minute or minute_, second or second_)
        return Moment(at, bool(fraction and fraction.strip("0")))
    except ValueError:
        raise _wrong_format(name, text) from None


def _wrong_format(name: str, text: str) -> Problem:
    problem = not_supported(name, text)
    quoted = problem.message.split("Value ", 1)[1].removesuffix(" is not supported.")
    return bad_parameter(name, f"Incorrect time format {quoted}. Supported formats are {FORMATS}.")


def read_zone(name: str, text: str) -> ZoneInfo:
    """Read a time zone's name. Raises Problem (400) for one that is not known."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # OSError: a folder of the zone database, such as America
        raise not_supported(name, text) from None


def _ids(name: str, text: str) -> tuple[str, ...]:
    ids = tuple(dict.fromkeys(text.split(",")))
    if not all(ids):
        raise bad_parameter(name, "Empty value, expected ids with commas between them.")
    if len(ids) > _MOST_ITEMS:
        raise bad_parameter(name, f"Must have at most {_MOST_ITEMS} items.")
    return ids


def _text(name: str, text: str) -> str:
    if not text:
        raise bad_parameter(name, "Empty value.")
    return text


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise not_supported(name, text)
    return text.lower() == "true"


def _number(name: str, text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise not_supported(name, text)
    if int(text) < least:
        raise bad_parameter(name, f"Must be at least {least}.")
    if int(text) > most:
        raise bad_parameter(name, f"Must be at most {most}.")
    return int(text)


def _choice(name: str, text: str, allowed: Sequence[str]) -> str:
    if text not in allowed:
        raise not_supported(name, text)
    return text


def ids(name: str, description: str, *, required: bool = False) -> Parameter:
    """A list of ids; None if it may be left out and is."""
    schema = {"type": "array", "items": {"type": "string", "pattern": "^[^,]+$"}, "minItems": 1}
    return Parameter(name, _ids, None, schema, description, required)


def text(name: str, description: str, *, required: bool = False) -> Parameter:
    """Any text but none."""
    return Parameter(name, _text, None, {"type": "string", "minLength": 1}, description, required)


def boolean(name: str, default: bool | None, description: str) -> Parameter:
    """`true` or `false`, in letters of any case."""
    schema = {"type": "boolean"} | ({} if default is None else {"default": default})
    return Parameter(name, _boolean, default, schema, description)


def number(name: str, default: int | None, least: int, most: int, description: str) -> Parameter:
    """An integer from `least` to `most`."""
    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Parameter(
        name,
        lambda name, text: _number(name, text, least, most),
        default,
        schema | ({} if default is None else {"default": default}),
        description,
    )


def choice(name: str, allowed: Sequence[str], default: str | None, description: str) -> Parameter:
    """One of a few words."""
    schema = {"type": "string", "enum": list(allowed)} | ({} if default is None else {"default": default})
    return Parameter(name, lambda name, text: _choice(name, text, allowed), default, schema, description)


def moment(name: str, description: str) -> Parameter:
    """A bound on time."""
    return Parameter(name, read_time_bound, None, {"type": "string"}, f"{description} Formats: {FORMATS}.")


def zone(name: str, description: str) -> Parameter:
    """The name of a time zone."""
    return Parameter(name, read_zone, read_zone(name, "UTC"), {"type": "string"}, description)


def token(name: str) -> Parameter:
    """A token of an earlier page."""
    said = "The token of the page before; with it go the parameters of the first request."
    return Parameter(name, read_token, None, {"type": "string"}, said)


METHODOLOGY: Final = text(
    "methodology",
    "Which recomputation to read, by its methodology's name (see /methodology); `reference` if it is there, else the "
    "first by name. Not a parameter of the vendor's API; /methodology/NAME/v4/... says the same in the path.",
)
API_KEY: Final = Parameter(
    "api_key", lambda _, text: text, None, {"type": "string"}, "Must be the operator's key, if there is one."
)
PRETTY: Final = boolean("pretty", False, "Indent JSON over several lines.")
PAGE_SIZE: Final = number("page_size", 100, 1, MOST_ROWS, "Rows on a page.")
PAGING: Final = (PAGE_SIZE, token(TOKEN_NAME))
COMMON: Final = (METHODOLOGY, API_KEY, PRETTY)


def paging_from(default: str) -> Parameter:
    """From which end pages are taken."""
    return choice("paging_from", ("start", "end"), default, "The end from which the first page is taken.")


def _read(query: str, parameters: Sequence[Parameter]) -> Values:
    """Read a query string, which may begin with `&`; every parameter of the list is in the answer.

    Raises Problem (400) for a parameter that is unknown, missing, given twice, or has a value it cannot have.
    """
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {parameter.name: parameter.default for parameter in parameters}
    given: set[str] = set()
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise bad_parameter(name, "There is no parameter of that name.")
        if name in given:
            raise bad_parameter(name, "Given more than once.")
        given.add(name)
        values[name] = known[name].read(name, value)
    for parameter in parameters:
        if parameter.required and parameter.name not in given:
            raise bad_parameter(parameter.name, "Missing, but required.")
    return MappingProxyType(values)


def begin(endpoint: Endpoint, asked: Asked, library: Library, methodology: str | None) -> Call:
    """Read the parameters, and choose the recomputation: the named one, as a token saw it.

    Raises Problem (400) for a parameter that cannot be, an unknown name, and a token whose recomputation is gone.
    """
    values = _read(asked.query, endpoint.parameters)
    named = values["methodology"]
    if methodology is not None and named not in (None, methodology):
        raise bad_parameter("methodology", "The path names another one.")
    snapshot, place = library.get(methodology or named), None
    given: Token | None = values.get(TOKEN_NAME)
    if given is not None:
        found = library.of_id(snapshot.name, given.id)
        if found is None:
            raise replaced(TOKEN_NAME)
        snapshot, place = found, given.place
    return Call(values, snapshot, place, asked, library)


def expand(
    name: str, asked: Sequence[str] | None, known: Collection[str], *, ignore: bool = False
) -> tuple[str, ...]:
    """The ids that a list names, each once: itself, or with `*` at its end all that begin so; all of them without one.

    Raises Problem (400) for an item that names none, unless `ignore`.
    """
    found: dict[str, None] = {}
    for item in known if asked is None else asked:
        if item in known:
            found[item] = None
            continue
        matching = [id_ for id_ in known if id_.startswith(item[:-1])] if item.endswith("*") else []
        if not matching and not ignore:
            raise not_supported(name, item)
        found |= dict.fromkeys(matching)
    return tuple(found)


def of_items(call: Call, items: Sequence[dict[str, Any]], key: str) -> Answer:
    """A page, or a stream, of the items of a catalogue, which ascend by `key`."""
    values = call.values
    if values.get("format") == "json_stream":
        return of_lines(items)
    keys = [item[key] for item in items]
    place, last = cut(keys, values["page_size"], from_end=values["paging_from"] == "end", after=call.after)
    following = call.asked.following(last and write_token(Token(call.snapshot.id, last)))
    return of_json({"data": items[place], **following}, pretty=values["pretty"])
