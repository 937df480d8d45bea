"""Series of metrics: GET /v4/timeseries/asset-metrics.

A day's row stands at its midnight, UTC. A bound on time is read in a time zone of the caller's choice, which wins
over a `Z` at its end.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from reflow.flows.catalog import ASSET, BLOCK_COUNT
from reflow.serve import endpoint
from reflow.serve.answer import (
    CSV,
    JSON,
    NDJSON,
    TOKEN_NAME,
    Answer,
    Problem,
    Token,
    bad_parameter,
    cut,
    page_of_rows,
    write_token,
)
from reflow.serve.endpoint import COMMON, PAGING, Call, Endpoint, Moment, expand, paging_from

CELLS: Final = 200_000
"""Values that are fetched at a time, about 10 MB as text, however long an answer is."""
_TIMES: Final = ("start_time", "end_time")
_HEIGHTS: Final = ("start_height", "end_height")
_HIGHEST: Final = 2**31 - 1


def respond(call: Call) -> Answer:
    """The days of the metrics asked for, as a page of JSON or CSV, or all of them as lines of JSON."""
    values = call.values
    metrics = _metrics(call)
    days = _within_bounds(call, call.snapshot.days(metrics)) if metrics else []
    form = values["format"]
    from_end = values["paging_from"] == "end" and form != "json_stream"
    days = _limited(days, values["limit_per_asset"], from_end=from_end)
    if form == "json_stream":
        return Answer(NDJSON, (f"{row}\n".encode() for row in _json_rows(call, metrics, days)))
    place, last = cut(days, values["page_size"], from_end=from_end, after=_place(call))
    following = call.asked.following(last and write_token(Token(call.snapshot.id, str(last))))
    if form == "csv":
        headers = {"x-next-page-url": following["next_page_url"]} if following else {}
        return Answer(CSV, _csv_lines(call, metrics, days[place]), headers)
    rows = _json_rows(call, metrics, days[place])
    return Answer(JSON, page_of_rows(rows, following, pretty=values["pretty"]))


def stamp(day: date) -> str:
    """A day as the vendor writes it: its midnight, UTC, with nine decimals."""
    return f"{day}T00:00:00.000000000Z"


def _metrics(call: Call) -> tuple[str, ...]:
    """The metrics of the answer in name order; raises Problem (400) if one is unknown, or none has any value."""
    values, known = call.values, call.snapshot.spans
    ignore = values["ignore_unsupported_errors"]
    assets = expand("assets", values["assets"], (ASSET,), ignore=ignore)
    asked = expand("metrics", values["metrics"], known, ignore=ignore)
    supported = call.snapshot.supported(asked) if assets else ()
    if not supported and not ignore:
        raise Problem(400, "bad_parameter", f"All requested metrics aren't supported for asset '{ASSET}'.")
    return supported


def _within_bounds(call: Call, days: list[date]) -> list[date]:
    values, zone = call.values, call.values["timezone"]
    inclusive = {side: values[f"{side}_inclusive"] for side in ("start", "end")}
    for name in ("start_hash", "end_hash"):
        if values[name] is not None:
            raise bad_parameter(name, "Not supported with frequency '1d'.")
    if any(values[name] is not None for name in _HEIGHTS):
        return _between_heights(call, days, inclusive)
    start, end = (values[name] for name in _TIMES)
    low = 0 if start is None else bisect_left(days, _first_day(start, zone, inclusive=inclusive["start"]))
    high = len(days) if end is None else bisect_right(days, _last_day(end, zone, inclusive=inclusive["end"]))
    return days[low : max(low, high)]


def _first_day(moment: Moment, zone: ZoneInfo, *, inclusive: bool) -> date:
    """The first day whose midnight, UTC, is not before a start bound."""
    day, exact = _utc(moment, zone)
    return day if exact and inclusive else _shift(day, 1)


def _last_day(moment: Moment, zone: ZoneInfo, *, inclusive: bool) -> date:
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


def _between_heights(call: Call, days: list[date], inclusive: dict[str, bool]) -> list[date]:
    start, end = (call.values[name] for name in _HEIGHTS)
    given = "start_height" if start is not None else "end_height"
    if any(call.values[name] is not None for name in _TIMES):
        raise bad_parameter(given, "Give bounds as heights or as times, not both.")
    try:
        found = call.snapshot.days_of_heights(
            start, end, start_inclusive=inclusive["start"], end_inclusive=inclusive["end"]
        )
    except KeyError:
        raise bad_parameter(given, f"Heights need the metric {BLOCK_COUNT}, which is missing here.") from None
    return days[bisect_left(days, found[0]) : bisect_right(days, found[1])] if found else []


def _limited(days: list[date], limit: int | None, *, from_end: bool) -> list[date]:
    if limit is None:
        return days
    return days[-limit:] if from_end else days[:limit]


def _place(call: Call) -> date | None:
    try:
        return None if call.after is None else date.fromisoformat(call.after)
    except ValueError:
        raise bad_parameter(TOKEN_NAME, "The token is from another endpoint.") from None


def _rows(
    call: Call, form: str, metrics: tuple[str, ...], days: Sequence[date], empty: str
) -> Iterator[tuple[date, str]]:
    """Each day's values as text, fetched a part at a time."""
    step = max(1, CELLS // max(1, len(metrics)))
    for start in range(0, len(days), step):
        part = days[start : start + step]
        wanted = set(part)  # without the days in between that have no value at all
        for day, fields in call.snapshot.fields(form, metrics, part[0], part[-1], empty):
            if day in wanted:
                yield day, fields


def _json_rows(call: Call, metrics: tuple[str, ...], days: Sequence[date]) -> Iterator[str]:
    empty = '"0"' if call.values["null_as_zero"] else "null"
    for day, fields in _rows(call, "json", metrics, days, empty):
        yield f'{{"asset":"{ASSET}","time":"{stamp(day)}",{fields}}}'


def _csv_lines(call: Call, metrics: tuple[str, ...], days: Sequence[date]) -> Iterator[bytes]:
    yield f"{','.join(('asset', 'time', *metrics))}\n".encode()
    for day, fields in _rows(call, "csv", metrics, days, "0" if call.values["null_as_zero"] else ""):
        yield f"{ASSET},{stamp(day)},{fields}\n".encode()


def _bounds() -> Iterator[endpoint.Parameter]:
    for side, word in (("start", "from"), ("end", "to")):
        yield endpoint.moment(f"{side}_time", f"Days {word} this time.")
        yield endpoint.number(
            f"{side}_height",
            None,
            0,
            _HIGHEST,
            f"Days {word} this height, a day standing at its first block; excludes bounds on time.",
        )
        yield endpoint.text(f"{side}_hash", "Not supported with daily frequency.")
        yield endpoint.boolean(f"{side}_inclusive", True, "Whether the bound itself is included.")


def _ignored(*names: str) -> Iterator[Any]:
    for name in names:
        yield endpoint.boolean(name, False, "Accepted, without effect.")


ENDPOINT: Final = Endpoint(
    "/v4/timeseries/asset-metrics",
    (
        endpoint.ids("assets", f"`{ASSET}`, or `*`.", required=True),
        endpoint.ids(
            "metrics", "Metric ids; one with `*` at its end names every id that begins so.", required=True
        ),
        endpoint.choice("frequency", ("1d",), "1d", "Days."),
        *_bounds(),
        endpoint.zone("timezone", "The time zone in which bounds are read; answers are in UTC."),
        endpoint.number("min_confirmations", None, 0, 99, "Accepted, without effect on days."),
        *PAGING,
        paging_from("end"),
        endpoint.choice("sort", ("asset", "height", "time"), "asset", "All of these mean ascending time."),
        endpoint.number(
            "limit_per_asset", None, 1, _HIGHEST, "Rows at most, from the end that paging_from names."
        ),
        endpoint.choice(
            "format", ("json", "json_stream", "csv"), "json", "json_stream gives everything in one answer."
        ),
        endpoint.boolean("null_as_zero", False, "Write 0 where a row has no value."),
        endpoint.choice("status", ("all", "flash", "reviewed", "revised"), "all", "Without effect."),
        endpoint.boolean("ignore_unsupported_errors", False, "Leave out what is not known."),
        *_ignored("ignore_forbidden_errors"),
        *COMMON,
    ),
    respond,
    "Daily values of metrics",
    "Row",
)
