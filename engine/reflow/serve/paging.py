"""Pages in both directions, and the tokens that lead from one to the next.

A token holds the recomputation's id and the place that the last page reached. There is no state in the server: any
worker, and the same server started again, can go on from a token as long as the files are the same.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from reflow.serve.problem import Problem, bad_parameter

NAME: Final = "next_page_token"
_HOST: Final = re.compile(r"[A-Za-z0-9.\-_\[\]:]{1,255}", re.ASCII)


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
        kept = [part for part in self.query.split("&") if part and not part.startswith(f"{NAME}=")]
        host = self.host if _HOST.fullmatch(self.host) else "localhost"
        query = "&".join([*kept, f"{NAME}={quote(token)}"])
        return {NAME: token, "next_page_url": f"{self.scheme}://{host}{self.path}?{query}"}


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
        raise bad_parameter(name, "It is no token that this server gave out.") from None


def replaced(name: str) -> Problem:
    """The problem of a token whose recomputation was replaced too long ago."""
    return bad_parameter(
        name, "The recomputation that it belongs to has been replaced meanwhile; start again without it."
    )


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
