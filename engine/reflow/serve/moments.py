"""Bounds on time as the vendor's API writes them, and what they mean for days.

A day's row stands at its midnight, UTC. A bound is read in a time zone of the caller's choice, which wins over a
`Z` at its end.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from reflow.serve.problem import Problem, bad_parameter, not_supported

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


def read_moment(name: str, text: str) -> Moment:
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
