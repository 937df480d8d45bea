"""One call of an endpoint: its parameters, the recomputation that it reads, and what many endpoints do with them."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, NamedTuple

from reflow.serve import parameters
from reflow.serve.answer import Answer, bad_parameter, not_supported, of_json, of_lines
from reflow.serve.library import Library
from reflow.serve.paging import NAME, Asked, Token, cut, read_token, replaced, write_token
from reflow.serve.parameters import MOST_ROWS, Parameter, Values
from reflow.serve.snapshot import Snapshot


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


def token(name: str) -> Parameter:
    """A token of an earlier page."""
    said = "The token of the page before; with it go the parameters of the first request."
    return Parameter(name, read_token, None, {"type": "string"}, said)


METHODOLOGY: Final = parameters.text(
    "methodology",
    "Which recomputation to read, by its methodology's name (see /methodology); `reference` if it is there, else the "
    "first by name. Not a parameter of the vendor's API; /methodology/NAME/v4/... says the same in the path.",
)
API_KEY: Final = Parameter(
    "api_key", lambda _, text: text, None, {"type": "string"}, "Must be the operator's key, if there is one."
)
PRETTY: Final = parameters.boolean("pretty", False, "Indent JSON over several lines.")
PAGE_SIZE: Final = parameters.number("page_size", 100, 1, MOST_ROWS, "Rows on a page.")
PAGING: Final = (PAGE_SIZE, token(NAME))
COMMON: Final = (METHODOLOGY, API_KEY, PRETTY)


def paging_from(default: str) -> Parameter:
    """From which end pages are taken."""
    return parameters.choice(
        "paging_from", ("start", "end"), default, "The end from which the first page is taken."
    )


def begin(endpoint: Endpoint, asked: Asked, library: Library, methodology: str | None) -> Call:
    """Read the parameters, and choose the recomputation: the named one, as a token saw it.

    Raises Problem (400) for a parameter that cannot be, an unknown name, and a token whose recomputation is gone.
    """
    values = parameters.read(asked.query, endpoint.parameters)
    named = values["methodology"]
    if methodology is not None and named not in (None, methodology):
        raise bad_parameter("methodology", "The path names another one.")
    snapshot, place = library.get(methodology or named), None
    given: Token | None = values.get(NAME)
    if given is not None:
        found = library.of_id(snapshot.name, given.id)
        if found is None:
            raise replaced(NAME)
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
