"""What a request is answered with: status, media type, further headers, and a body that is made piece by piece."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from reflow.serve.problem import Problem

JSON: Final = "application/json"  # without a charset: the vendor's client compares the whole text
NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"


class Answer(NamedTuple):
    """One answer; `body` is read once."""

    media: str
    body: Iterable[bytes]
    headers: Mapping[str, str] = {}
    status: int = 200


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
