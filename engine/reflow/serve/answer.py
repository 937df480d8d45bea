"""What a request is answered with: a status, a media type, headers and a body made piece by piece; or a problem.

A problem has the vendor's form: a status, a type for programs, a message for people.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

JSON: Final = "application/json"  # without a charset: the vendor's client compares the whole text
NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
_ECHOED: Final = 100
"""Letters of a bad value that a message repeats at most."""


class Answer(NamedTuple):
    """One answer; `body` is read once."""

    media: str
    body: Iterable[bytes]
    headers: Mapping[str, str] = {}
    status: int = 200


class Problem(Exception):  # noqa: N818  # it is an answer, not a fault of the server
    """A request that cannot be answered as asked; becomes `{"error": {"type": ..., "message": ...}}`."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message

    def body(self) -> dict[str, dict[str, str]]:
        """The error object as the vendor has it."""
        return {"error": {"type": self.kind, "message": self.message}}


def bad_parameter(name: str, what: str) -> Problem:
    """Status 400, naming the parameter."""
    return Problem(400, "bad_parameter", f"Bad parameter '{_short(name)}'. {what}")


def not_supported(name: str, value: str) -> Problem:
    """Status 400 for a value that is none of the known ones, in the vendor's words."""
    return bad_parameter(name, f"Value '{_short(value)}' is not supported.")


def not_found(path: str) -> Problem:
    """Status 404."""
    return Problem(404, "not_found", f"There is nothing at '{_short(path)}'; see /openapi.json.")


def _short(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else "?" for letter in text[:_ECHOED])
    return printable + ("…" if len(text) > _ECHOED else "")


def of_json(content: object, *, pretty: bool = False, status: int = 200) -> Answer:
    """A JSON document."""
    return Answer(JSON, [dump(content, pretty=pretty)], status=status)


def of_problem(problem: Problem) -> Answer:
    """An error in the vendor's form."""
    return of_json(problem.body(), status=problem.status)


def of_lines(items: Iterable[Any]) -> Answer:
    """One JSON object a line, no empty line."""
    return Answer(NDJSON, (dump(item) + b"\n" for item in items))


def dump(content: object, *, pretty: bool = False) -> bytes:
    """JSON in UTF-8, without spaces or, if `pretty`, indented over several lines."""
    separators = None if pretty else (",", ":")
    return json.dumps(
        content, indent=2 if pretty else None, separators=separators, ensure_ascii=False, default=str
    ).encode()


def page_of_rows(rows: Iterable[str], following: Mapping[str, str], *, pretty: bool) -> Iterator[bytes]:
    """A page of rows that are JSON texts already: `data`, and the fields that lead to the page that follows."""
    tail = "".join(f',"{name}":{json.dumps(value)}' for name, value in following.items())
    if pretty:
        yield _indented(rows, following)
        return
    yield b'{"data":['
    comma = ""
    for row in rows:
        yield f"{comma}{row}".encode()
        comma = ","
    yield f"]{tail}}}".encode()


def _indented(rows: Iterable[str], following: Mapping[str, str]) -> bytes:
    return dump({"data": [json.loads(row) for row in rows], **following}, pretty=True) + b"\n"
