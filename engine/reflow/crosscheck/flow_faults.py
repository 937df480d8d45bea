"""Layers 2 and 3: what it means when flows differ on days on which the layers below agree.

Labels show in the flows of an exchange, mostly to one side and on many days; a transaction that one side lacks
shows on one day; a definition shows in the miner flows although the exchanges' own flows agree. What else is known of
an exchange (net flow, balance, counts) follows from its flows: it is a finding only where it is off and they are not.
"""

from collections import defaultdict
from collections.abc import Iterable, Set
from datetime import date
from decimal import Decimal
from typing import Final

from reflow.crosscheck.board import Board
from reflow.crosscheck.compare import Difference
from reflow.crosscheck.findings import Finding, listed, percent, plural
from reflow.crosscheck.ledger_faults import unit_fault
from reflow.flows.catalog import EX, INCL, Layer, Metric, find
from reflow.series import EXACT

SINGLE_DAYS: Final = 3
"""So many days off, at most, are single days; more show what holds for long ..."""
SINGLE_SHARE: Final = 0.15
"""... or such a share of the days on which something flowed."""
ONE_SIDED: Final = 0.95
"""Labels that one side lacks make its flow the smaller one on so many of the days off, at least."""


def find_price_faults(board: Board) -> list[Finding]:
    """USD metrics that differ, or are missing, where their native ones agree; and what is made of US dollars.

    Wrong prices say nothing about ledger, labels or definition: of no layer it is this that breaks it.
    """
    off: dict[str, set[date]] = {}
    for metric in board.metrics.values():
        native = f"{metric.stem}Ntv"
        if metric.unit != "USD" or native not in board.metrics:
            continue
        known = {one.day for one in board.days[native] if not one.off}
        lost = {
            day
            for day in known
            if board.ours[metric.id].get(day) is None and board.vendor[metric.id].get(day) is not None
        }
        if days := lost | ({one.day for one in board.off(metric.id)} & known):
            off[metric.id] = days
    off |= _made_of_dollars(board)
    if not off:
        return []
    all_days = sorted(set[date]().union(*off.values()))
    text = (
        f"What prices decide differs or is missing on {plural(len(all_days), 'day')}, first on {all_days[0]}, "
        f"where native units agree: the prices are not the vendor's ({listed(list(off))})."
    )
    advice = "Give recompute the vendor's PriceUSD (--prices), with all its digits, for every day."
    return [Finding("prices", 2, "", list(off), all_days, None, None, text, advice)]


def _made_of_dollars(board: Board) -> dict[str, set[date]]:
    """Of sums, ratios and means of US dollars that are off though no native unit behind them is: the first day.

    They reach back over many days, so that one wrong price is seen on all later ones.
    """
    found = {}
    for metric in board.metrics.values():
        if metric.derived is None or not (days := board.off(metric.id)):
            continue
        parts = [find(id_) for id_ in (*metric.derived.parts, "RevUSD")]
        if not any(board.off(f"{part.stem}Ntv") for part in parts if part is not None):
            found[metric.id] = {days[0].day}
    return found


def find_exchange_faults(board: Board, unjudged: Set[date]) -> list[Finding]:
    """Exchange by exchange, then all as one on the days on which no single exchange explains it."""
    found: list[Finding] = []
    explained = set(unjudged)
    for code in board.exchanges():
        found += _with_followers(board, code, _of_exchange(board, code, unjudged), unjudged)
        explained |= board.days_off(_own(board, code))
    return [*found, *_with_followers(board, EX, _of_exchange(board, EX, explained), explained)]


def find_miner_faults(board: Board, unjudged: Set[date]) -> list[Finding]:
    """Miner flows that are off on days on which everything below agrees."""
    off = {
        metric.id: days
        for metric in native(board.of("FlowMiner"))
        if (days := [one for one in board.off(metric.id) if one.day not in unjudged])
    }
    units = [
        fault
        for id_ in off
        if (fault := unit_fault(board.metrics[id_], _judged(board, id_, unjudged))) is not None
    ]
    rest = {id_: days for id_, days in off.items() if id_ not in {fault.metrics[0] for fault in units}}
    if not rest:
        return units or _made_of_flows(board, unjudged)
    judged = {one.day for metric in rest for one in _judged(board, metric, unjudged)}
    days_off = sorted({one.day for days in rest.values() for one in days})
    if _is_single(len(days_off), len(judged)):
        return [*units, *_single_days(board, rest, 3)]
    return [*units, _definition(board, rest, days_off, len(judged), unjudged)]


def _made_of_flows(board: Board, unjudged: Set[date]) -> list[Finding]:
    """What is made of miner flows, or is their balance, and is off although the flows that are compared agree."""
    off = {
        metric.id: days
        for metric in board.metrics.values()
        if metric.layer == 3 and not metric.needs_prices and (metric.ratio is None or metric.ratio.days == 1)
        if (days := [one.day for one in board.anew(metric.id) if one.day not in unjudged])
    }
    if not off:
        return []
    all_days = sorted({day for days in off.values() for day in days})
    text = (
        f"{listed(list(off))}: off on {plural(len(all_days), 'day')}, first on {all_days[0]}, on which ledger and "
        "labels agree. The vendor defines mining entities otherwise, or counts other days."
    )
    advice = "Let `reflow sweep` find the methodology that comes nearest."
    return [Finding("definition", 3, "", list(off), all_days, None, None, text, advice)]


def native(metrics: Iterable[Metric]) -> list[Metric]:
    """One metric of each flow: the native one, or the one in USD where only that is compared."""
    known = list(metrics)
    stems = {metric.stem for metric in known if metric.unit == "native"}
    return [metric for metric in known if metric.unit == "native" or metric.stem not in stems]


def _own(board: Board, code: str) -> list[Metric]:
    """What goes into an exchange, and what comes out; if no amounts are compared, how often."""
    flows = [metric for metric in native(board.of("Flow", entity=code)) if metric.direction in ("In", "Out")]
    return flows or board.of("FlowTfr", entity=code)


def _followers(board: Board, code: str) -> list[Metric]:
    """What else is known of an exchange: balance, net flow, counts."""
    own = {metric.id for metric in _own(board, code)}
    known = native(board.of("Flow", "FlowTfr", "TxEx", "Sply", entity=code))
    return [metric for metric in known if metric.id not in own]


def _with_followers(board: Board, code: str, found: list[Finding], unjudged: Set[date]) -> list[Finding]:
    """The findings of an exchange, with what is off for the same reason, and what is off although its flows agree."""
    explained = unjudged | board.days_off(_own(board, code))
    labels = next((place for place, fault in enumerate(found) if fault.kind == "labels"), None)
    follow, alone = [], []
    for metric in _followers(board, code):
        days = [one for one in board.anew(metric.id) if one.day not in unjudged]
        rest = [one for one in days if one.day not in explained]
        if rest and labels is None:
            alone.append(_alone(metric, rest))
        elif days:
            follow.append(metric.id)
    if found and follow:
        place = labels or 0
        found[place] = found[place]._replace(metrics=[*found[place].metrics, *follow])
    return [*found, *alone]


def _alone(metric: Metric, days: list[Difference]) -> Finding:
    """A metric that is off although the flows of its exchange agree."""
    first = days[0]
    anew = " anew" if metric.adds == "changes" else ""
    text = (
        f"{metric.entity}: {metric.id} is off{anew} on {plural(len(days), 'day')}, first on {first.day} "
        f"({first.ours:f} here, {first.vendor:f} there), while no flow of these days is: accounts that hold without "
        "moving, or another way to count."
    )
    advice = f"Look at the labels of {metric.entity}, and at `reflow clusters`."
    return Finding(
        "labels", 2, metric.entity, [metric.id], [one.day for one in days], None, None, text, advice
    )


def _judged(board: Board, id_: str, unjudged: Set[date]) -> list[Difference]:
    """The days of a metric that can be judged and on which something flowed."""
    return [one for one in board.days[id_] if one.day not in unjudged and (one.ours or one.vendor)]


def _is_single(off: int, judged: int) -> bool:
    return off <= max(SINGLE_DAYS, SINGLE_SHARE * judged)


def _of_exchange(board: Board, code: str, unjudged: Set[date]) -> list[Finding]:
    """Another unit, labels, or single days."""
    found: list[Finding] = []
    single: dict[str, list[Difference]] = {}
    for metric in _own(board, code):
        days = _judged(board, metric.id, unjudged)
        off = [one for one in days if one.off]
        if not off:
            continue
        if unit := unit_fault(metric, days):
            found.append(unit)
        elif _is_single(len(off), len(days)):
            single[metric.id] = off
        else:
            found.append(_labels(code, metric.id, days, off))
    if any(fault.kind == "labels" for fault in found):
        return _joined(found)  # what is off on few days of the other direction is the same accounts
    return [*found, *_single_days(board, single, 2)]


def _joined(found: list[Finding]) -> list[Finding]:
    """In and Out of one exchange are one finding, in the words of the one that shows on more days."""
    labels = sorted((fault for fault in found if fault.kind == "labels"), key=lambda fault: -len(fault.days))
    days = sorted({day for fault in labels for day in fault.days})
    metrics = [id_ for fault in labels for id_ in fault.metrics]
    ratios = [
        f" {fault.metrics[0]} is {percent(fault.ratio)}." for fault in labels[1:] if fault.ratio is not None
    ]
    text = labels[0].text + "".join(ratios)
    others = [fault for fault in found if fault.kind != "labels"]
    return [labels[0]._replace(metrics=metrics, days=days, text=text), *others]


def _labels(code: str, id_: str, days: list[Difference], off: list[Difference]) -> Finding:
    ours, vendor = (_total(one[side] for one in days) for side in (2, 3))
    ratio = float(ours) / float(vendor) if vendor else None
    less = sum(one.difference < 0 for one in off)
    told = (
        f"{id_}: ours is {percent(ratio) if ratio is not None else 'something'} of the vendor's, "
        f"off on {len(off):,} of {plural(len(days), 'day')} with any flow"
    )
    whose = "exchanges" if code == EX else f"accounts of {code}"
    if less >= ONE_SIDED * len(off):
        text = f"{told}, less on {_so_many(less, len(off))}: {whose} that the vendor knows are not among your labels."
        advice = f"Add labels for {'more exchanges' if code == EX else code}; its flows are a lower bound until then."
    elif len(off) - less >= ONE_SIDED * len(off):
        text = f"{told}, more on {_so_many(len(off) - less, len(off))}: you count {whose} that the vendor does not."
        advice = (
            f"Look at `reflow clusters`: either the vendor lacks labels for {code}, or yours reach too far."
        )
    else:
        text = f"{told}, on {less:,} of them less, else more: you and the vendor count different {whose}."
        advice = f"Look at `reflow clusters` and at the labels of {code}."
    return Finding("labels", 2, code, [id_], [one.day for one in off], ratio, None, f"{code}: {text}", advice)


def _so_many(part: int, whole: int) -> str:
    return "all of them" if part == whole else f"{part:,} of them"


def _total(values: Iterable[object]) -> Decimal:
    total = Decimal(0)
    for value in values:
        assert isinstance(value, Decimal)
        total = EXACT.add(total, value)
    return total


def _single_days(board: Board, off: dict[str, list[Difference]], layer: Layer) -> list[Finding]:
    """One finding for each day and gap; metrics with the same gap that day tell of the same transactions."""
    alike: defaultdict[tuple[date, Decimal], list[Difference]] = defaultdict(list)
    for days in off.values():
        for one in days:
            alike[one.day, one.difference.copy_abs()].append(one)
    return [_single_day(board, day, found, layer) for (day, _), found in sorted(alike.items())]


def _single_day(board: Board, day: date, found: list[Difference], layer: Layer) -> Finding:
    first = found[0]
    metrics = [one.metric for one in found]
    gap = first.difference
    entity = board.metrics[first.metric].entity
    lacking = "the vendor lacks" if gap > 0 else "we lack"
    text = (
        f"{day}: {first.metric} is {first.ours:f} here and {first.vendor:f} at the vendor's, while it agrees on "
        f"other days: {lacking} {gap.copy_abs():f}, one transaction or a few."
    )
    advice = f"Look at `reflow explain` of {first.metric} on {day}, and at the transactions that would close the gap."
    return Finding("transaction", layer, entity, metrics, [day], None, gap, text, advice)


def _definition(
    board: Board, off: dict[str, list[Difference]], days: list[date], judged: int, unjudged: Set[date]
) -> Finding:
    compared = native(board.of("FlowMiner"))
    fine = [metric.id for metric in compared if metric.id not in off and _judged(board, metric.id, unjudged)]
    parts = sorted({_part(board.metrics[id_]) for id_ in off})
    text = (
        f"Miner flows are off on {plural(len(days), 'day')} of {judged:,} on which ledger and labels agree: "
        f"{listed(parts)}"
    )
    kept = sorted({_part(board.metrics[id_]) for id_ in fine} - set(parts))
    text += f"; {listed(kept)} agree. " if kept else ". "
    text += "The vendor defines these flows otherwise."
    advice = "Let `reflow sweep` find the methodology that comes nearest."
    return Finding("definition", 3, "", list(off), days, None, None, text, advice)


def _part(metric: Metric) -> str:
    return f"{metric.direction} at hop {metric.hop}"


def knock_on(board: Board) -> set[date]:
    """Days on which some exchange's own flow is off: miner flows of these days cannot be judged."""
    own = [metric for code in (*board.exchanges(), EX, INCL) for metric in _own(board, code)]
    return board.days_off(own)
