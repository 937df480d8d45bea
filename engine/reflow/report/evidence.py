"""Pools from the ledger, and the transactions of the worst days."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from reflow.amounts import plain
from reflow.flows.catalog import find
from reflow.owners.pools import PoolReport
from reflow.report.figures import percent
from reflow.results.frames import Frames

_SHOWN: Final = 3
"""Accounts shown on each side of a transaction."""
_WAYS: Final = {
    "exclude": "leaving it out",
    "include": "counting it",
    "other clock": "moving it to the day of the other clock",
}


class Part(NamedTuple):
    """One transaction, or block, of a worst day."""

    hash: str
    """The txid, or the hash of a block."""
    height: int
    adds: str
    """To the metric, in its unit."""
    senders: str
    """The accounts that it debits; empty for a block."""
    receivers: str
    closes: bool
    """Whether it would close the gap, perhaps with others."""


class WorstDay(NamedTuple):
    """A day on which a metric is far off; numbers are text in the metric's unit."""

    layer: int
    metric: str
    day: str
    ours: str
    vendor: str
    difference: str
    share: str
    """Of the vendor's value; empty where that is 0."""
    command: str
    """The command that takes the day apart."""
    summary: str
    """What the parts are, in a few words; empty without parts."""
    closing: str
    """How the gap would close; empty if nothing was found."""
    parts: list[Part]
    """First those that would close the gap, then the largest."""


class Evidence(NamedTuple):
    """The parts of a report that are not series."""

    days: list[WorstDay]
    pools: PoolReport | None
    missing: list[str]
    """What the report lacks, and how to get it, a sentence each."""


def gather(frames: Frames, pools: PoolReport | None = None) -> Evidence:
    """The worst days of the cross-check, and what is missing."""
    worst = (frames.crosscheck or {}).get("worst", [])
    return Evidence([_day(day) for day in worst], pools, list(_missing(frames, pools)))


def _missing(frames: Frames, pools: PoolReport | None) -> Iterator[str]:
    folder = frames.folder.name or "."
    if frames.crosscheck is None:
        yield (
            "The vendor's series, and so the verdict, differences and label coverage: run "
            f"reflow crosscheck --metrics {folder} --vendor FILE --out {folder}, then this report again."
        )
    elif not any(day.get("largest") for day in frames.crosscheck.get("worst", [])):
        yield "The transactions of the worst days: run reflow crosscheck with --ledger and --labels."
    if frames.sweep is None:
        yield "A ranking of methodologies: run reflow sweep, and name its folder with --sweep."
    if pools is None:
        yield "Pools: name the ledger with --ledger."


def _day(day: dict[str, Any]) -> WorstDay:
    metric, relative, closing = day["metric"], day.get("relative"), day.get("closing")
    closers = [_part(metric, part, closes=True) for part in (closing or {}).get("parts", [])]
    closing_hashes = {part.hash for part in closers}
    largest = [_part(metric, part, closes=False) for part in day.get("largest", [])]
    return WorstDay(
        layer=day["layer"],
        metric=metric,
        day=day["day"],
        ours=day["ours"],
        vendor=day["vendor"],
        difference=day["difference"],
        share="" if relative is None else percent(relative),
        command=day.get("command", ""),
        summary=_summary(metric, day.get("number"), len(largest)),
        closing=_closing(closing) if closing else "",
        parts=closers + [part for part in largest if part.hash not in closing_hashes],
    )


def _summary(metric: str, number: int | None, shown: int) -> str:
    if number is None:
        return ""
    entry = find(metric)
    things = "block" if entry and entry.adds == "blocks" else "transaction"
    all_of_them = f"{number:,} {things}{'' if number == 1 else 's'} behind our value"
    return f"{all_of_them}, the {shown} largest shown" if shown < number else all_of_them


def _closing(closing: dict[str, Any]) -> str:
    number, way = len(closing["parts"]), _WAYS.get(closing["way"], closing["way"])
    way = way if number == 1 else way.replace(" it", " them")
    rest = "closes the gap exactly" if closing["exact"] else f"leaves {closing['rest']} of the gap"
    chance = f"; {closing['ways']:,} choices do as well" if closing.get("ways", 1) > 1 else ""
    return f"{way[0].upper()}{way[1:]} {rest}{chance}."


def _part(metric: str, part: dict[str, Any], *, closes: bool) -> Part:
    return Part(
        hash=part.get("txid") or part["hash"],
        height=part["height"],
        adds=_adds(metric, int(part["adds"])),
        senders=_parties(part.get("debits", [])),
        receivers=_parties(part.get("credits", [])),
        closes=closes,
    )


def _adds(metric: str, amount: int) -> str:
    """Native units; for counts and sizes a number."""
    entry = find(metric)
    return str(amount) if entry and entry.unit in ("count", "bytes") else plain(amount)


def _parties(parties: list[dict[str, Any]]) -> str:
    """Those that matter to the flow first, then by amount."""
    order = sorted(parties, key=lambda party: (not party.get("role"), -int(party["value"])))
    names = [f"{party['address']} {plain(int(party['value']))}{_role(party)}" for party in order[:_SHOWN]]
    return "; ".join(names) + (f"; {len(order) - _SHOWN:,} more" if len(order) > _SHOWN else "")


def _role(party: dict[str, Any]) -> str:
    return f" ({party['role']})" if party.get("role") else ""
