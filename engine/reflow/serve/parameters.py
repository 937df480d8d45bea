"""Parameters of requests as data: each with its reader, its default and what /openapi.json says of it.

Everything that an endpoint takes is in its list of parameters; all else is a 400, which catches typing errors.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from reflow.serve.answer import bad_parameter, not_supported
from reflow.serve.paging import FORMATS, read_time_bound, read_zone

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


def read(query: str, parameters: Sequence[Parameter]) -> Values:
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
