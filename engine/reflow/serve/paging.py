"""What part of a series is asked for: bounds on time, and pages in both directions with tokens between them.

A token holds the recomputation's id and the place that the last page reached. There is no state in the server: any
worker, and the same server started again, can go on from a token as long as the files are the same.

A day's row stands at its midnight, UTC. A bound on time is read in a time zone of the caller's choice, which wins
over a `Z` at its end.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from reflow.serve.answer import Problem, bad_parameter, not_supported

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


def first_day(moment: Moment, zone: ZoneInfo, *, inclusive: bool) -> date:
    """The first day whose midnight, UTC, is not before a start bound."""
    day, exact = _utc(moment, zone)
    return day if exact and inclusive else _shift(day, 1)


def last_day(moment: Moment, zone: ZoneInfo, *, inclusive: bool) -> date:
    """The last day whose midnight, UTC, is not after an end bound."""
    day, exact = _utc(moment, zone)
    return _shift(day, -1) if exact and not inclusive else day


def _utc(moment: Moment, zone: ZoneInfo) -> tuple[date, bool]:
    """The UTC day of a moment, and whether the moment is that day's very midnight."""
    try:
        second = moment.second.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:  # the first or last hours that a calendar has
        second = moment.second.replace(tzinfo=UTC)
    return second.date(), second.timetz().replace(tzinfo=None) == datetime.min.time() and not moment.beyond


def _shift(day: date, days: int) -> date:
    try:
        return day + timedelta(days)
    except OverflowError:
        return day
