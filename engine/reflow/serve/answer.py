"""What a request is answered with: a media type, headers and a body made piece by piece; or a problem.

A problem has the vendor's form: a status, a type for programs, a message for people.

Long answers come in pages, in both directions, with tokens between them. A token holds the recomputation's id and the
place that the last page reached. There is no state in the server: any worker, and the same server started again, can go
on from a token as long as the files are the same.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

JSON: Final = "application/json"  # without a charset: the vendor's client compares the whole text
NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
TOKEN_NAME: Final = "next_page_token"
_HOST: Final = re.compile(r"[A-Za-z0-9.\-_\[\]:]{1,255}", re.ASCII)
_ECHOED: Final = 100
"""Letters of a bad value that a message repeats at most."""


class Answer(NamedTuple):
    """One answer of status 200; `body` is read once."""

    media: str
    body: Iterable[bytes]
    headers: Mapping[str, str] = {}


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


def unavailable(message: str) -> Problem:
    """Status 503, for what will pass: the same request may be answered a second later."""
    return Problem(503, "service_unavailable", message)


def not_found(path: str) -> Problem:
    """Status 404."""
    return Problem(404, "not_found", f"There is nothing at '{_short(path)}'; see /openapi.json.")


def _short(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else "?" for letter in text[:_ECHOED])
    return printable + ("…" if len(text) > _ECHOED else "")


def of_json(content: object, *, pretty: bool = False) -> Answer:
    """A JSON document."""
    return Answer(JSON, [dump(content, pretty=pretty)])


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


class Token(NamedTuple):
    """Where a page ended."""

    id: str
    """Of the recomputation that the page was read from."""
    place: str
    """Key of the row that the page ended with: a day or a metric."""


class Asked(NamedTuple):
    """What of a request the link to the next page repeats."""

    scheme: str
    host: str
    path: str
    query: str

    def following(self, token: str | None) -> dict[str, str]:
        """The fields that lead to the next page; none without a token."""
        if token is None:
            return {}
        kept = [part for part in self.query.split("&") if part and not part.startswith(f"{TOKEN_NAME}=")]
        host = self.host if _HOST.fullmatch(self.host) else "localhost"
        query = "&".join([*kept, f"{TOKEN_NAME}={quote(token)}"])
        return {TOKEN_NAME: token, "next_page_url": f"{self.scheme}://{host}{self.path}?{query}"}


def write_token(token: Token) -> str:
    """The opaque form."""
    return urlsafe_b64encode(f"1|{token.id}|{token.place}".encode()).decode().rstrip("=")


def read_token(name: str, text: str) -> Token:
    """Read what `write_token` wrote. Raises Problem (400) for anything else."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        version, id_, place = urlsafe_b64decode(padded).decode("ascii").split("|")
        if version != "1" or write_token(Token(id_, place)) != text:
            raise ValueError
        return Token(id_, place)
    except ValueError:
        raise bad_parameter(name, "This server did not give out that token.") from None


def replaced(name: str) -> Problem:
    """The problem of a token whose recomputation was replaced too long ago."""
    return bad_parameter(name, "Its recomputation has been replaced; start again without a token.")


def cut(keys: Sequence[Any], size: int, *, from_end: bool, after: Any | None) -> tuple[slice, Any | None]:
    """Where in ascending `keys` a page lies, and the key that it ends with if more follow.

    `after` is the key that the page before ended with. Pages are taken from the start, or from the end backwards;
    within a page keys ascend either way.
    """
    if from_end:
        stop = len(keys) if after is None else bisect_left(keys, after)
        start = max(0, stop - size)
        return slice(start, stop), keys[start] if start else None
    start = 0 if after is None else bisect_right(keys, after)
    stop = min(start + size, len(keys))
    return slice(start, stop), keys[stop - 1] if start < stop < len(keys) else None
