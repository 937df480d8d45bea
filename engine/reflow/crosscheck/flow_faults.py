"""Layers 2 and 3: what it means when flows differ on days on which the layers below agree.

Missing labels show in the flows of an exchange, on many days and mostly in one direction. A missing transaction shows
on one day. A different definition shows in miner flows while the exchanges' own flows agree. Net flow, balance and
counts of an exchange follow from its flows: they are a finding of their own only where the flows agree.
"""

from collections import defaultdict
from collections.abc import Iterable, Set
from datetime import date
from decimal import Decimal
from typing import Final

from reflow.crosscheck.compare import Compared, Difference
from reflow.crosscheck.findings import Finding, are, listed, percent, plural
from reflow.crosscheck.ledger_faults import unit_fault
from reflow.flows.catalog import EX, INCL, Layer, Metric, amounts_behind, native
from reflow.series import EXACT

SINGLE_DAYS: Final = 3
"""Up to this many days off are single days ..."""
SINGLE_SHARE: Final = 0.15
"""... or up to this share of the days on which something flowed."""
ONE_SIDED: Final = 0.95
"""If one side lacks labels, its flow is the smaller one on at least this share of the days off."""


def find_price_faults(compared: Compared, _unjudged: Set[date] = frozenset()) -> list[Finding]:
    """USD metrics that differ or are missing where native units agree, and metrics made of US dollars.

    Wrong prices say nothing about ledger, labels or definition. They break no layer, and every day can be judged.
    """
    off: dict[str, set[date]] = {}
    for metric in compared.metrics.values():
        if metric.unit != "USD" or metric.native_id not in compared.metrics:
            continue
        agreeing = {day.day for day in compared.days[metric.native_id] if not day.off}
        lost = {
            day
            for day in agreeing
            if compared.ours[metric.id].get(day) is None and compared.vendor[metric.id].get(day) is not None
        }
        if days := lost | ({day.day for day in compared.off(metric.id)} & agreeing):
            off[metric.id] = days
    off |= _made_of_dollars(compared)
    if not off:
        return []
    all_days = sorted(set[date]().union(*off.values()))
    text = (
        f"Values that need prices differ or are missing on {plural(len(all_days), 'day')}, first on {all_days[0]}, "
        f"while native units agree: our prices are not the vendor's ({listed(list(off))})."
    )
    advice = "Recompute with the vendor's PriceUSD (--prices), with all its digits, for every day."
    return [Finding("prices", 2, "", list(off), all_days, None, None, text, advice)]


def _made_of_dollars(compared: Compared) -> dict[str, set[date]]:
    """The first day off of sums, ratios and means of US dollars, if no native metric behind them is off.

    They reach back over many days, so one wrong price shows on all later days.
    """
    first_days = {}
    for metric in compared.metrics.values():
        if metric.derived is None or not (days := compared.off(metric.id)):
            continue
        if not any(compared.off(amount.native_id) for amount in amounts_behind(metric)):
            first_days[metric.id] = {days[0].day}
    return first_days


def find_exchange_faults(compared: Compared, unjudged: Set[date]) -> list[Finding]:
    """Faults of each exchange, then of all as one on the days that no single exchange explains."""
    findings: list[Finding] = []
    explained = set(unjudged)
    for code in compared.exchanges():
        findings += _with_followers(compared, code, _of_exchange(compared, code, unjudged), unjudged)
        explained |= compared.days_off(_own(compared, code))
    return [*findings, *_with_followers(compared, EX, _of_exchange(compared, EX, explained), explained)]


def find_miner_faults(compared: Compared, unjudged: Set[date]) -> list[Finding]:
    """Miner flows that are off on days on which ledger and labels agree."""
    off = {
        metric.id: days
        for metric in native(compared.of("FlowMiner"))
        if (days := [day for day in compared.off(metric.id) if day.day not in unjudged])
    }
    units = [
        fault
        for id_ in off
        if (fault := unit_fault(compared.metrics[id_], _judged(compared, id_, unjudged))) is not None
    ]
    rest = {id_: days for id_, days in off.items() if id_ not in {fault.metrics[0] for fault in units}}
    if not rest:
        return units or _made_of_flows(compared, unjudged)
    judged = {day.day for metric in rest for day in _judged(compared, metric, unjudged)}
    days_off = sorted({day.day for days in rest.values() for day in days})
    if _is_single(len(days_off), len(judged)):
        return [*units, *_single_days(compared, rest, 3)]
    return [*units, _definition(compared, rest, days_off, len(judged), unjudged)]


def _made_of_flows(compared: Compared, unjudged: Set[date]) -> list[Finding]:
    """Metrics made of miner flows, and balances of miners, that are off although the compared flows agree."""
    off = {
        metric.id: days
        for metric in compared.metrics.values()
        if metric.layer == 3 and not metric.needs_prices and (metric.ratio is None or metric.ratio.days == 1)
        if (days := [day.day for day in compared.anew(metric.id) if day.day not in unjudged])
    }
    if not off:
        return []
    all_days = sorted({day for days in off.values() for day in days})
    text = (
        f"{listed(list(off))} {are(off)} off on {plural(len(all_days), 'day')}, first on {all_days[0]}, while ledger "
        "and labels agree. The vendor defines mining entities differently, or counts other days."
    )
    advice = "Run `reflow sweep` to find the nearest methodology."
    return [Finding("definition", 3, "", list(off), all_days, None, None, text, advice)]


def _own(compared: Compared, code: str) -> list[Metric]:
    """In and Out of an exchange: amounts, or counts if no amounts are compared."""
    flows = [
        metric for metric in native(compared.of("Flow", entity=code)) if metric.direction in ("In", "Out")
    ]
    return flows or compared.of("FlowTfr", entity=code)


def _followers(compared: Compared, code: str) -> list[Metric]:
    """The other metrics of an exchange: balance, net flow, counts."""
    own = {metric.id for metric in _own(compared, code)}
    metrics = native(compared.of("Flow", "FlowTfr", "TxEx", "Sply", entity=code))
    return [metric for metric in metrics if metric.id not in own]


def _with_followers(
    compared: Compared, code: str, faults: list[Finding], unjudged: Set[date]
) -> list[Finding]:
    """The findings of an exchange: its other metrics join them, or are findings of their own if its flows agree."""
    explained = unjudged | compared.days_off(_own(compared, code))
    labels = next((place for place, fault in enumerate(faults) if fault.kind == "labels"), None)
    follow, alone = [], []
    for metric in _followers(compared, code):
        days = [day for day in compared.anew(metric.id) if day.day not in unjudged]
        rest = [day for day in days if day.day not in explained]
        if rest and labels is None:
            alone.append(_alone(metric, rest))
        elif days:
            follow.append(metric.id)
    if faults and follow:
        place = labels or 0
        faults[place] = faults[place]._replace(metrics=[*faults[place].metrics, *follow])
    return [*faults, *alone]


def _alone(metric: Metric, days: list[Difference]) -> Finding:
    """A metric that is off although the flows of its exchange agree."""
    first = days[0]
    anew = " by a new amount" if metric.adds == "changes" else ""
    text = (
        f"{metric.entity}: {metric.id} is off{anew} on {plural(len(days), 'day')}, first on {first.day} "
        f"({first.ours:f} here, {first.vendor:f} at the vendor), while its flows agree on these days. One side has "
        "accounts that hold coins and do not move them, or counts differently."
    )
    advice = f"Check the labels of {metric.entity}, and its accounts with `reflow clusters`."
    return Finding(
        "labels", 2, metric.entity, [metric.id], [day.day for day in days], None, None, text, advice
    )


def _judged(compared: Compared, id_: str, unjudged: Set[date]) -> list[Difference]:
    """The days of a metric that can be judged and on which something flowed."""
    return [day for day in compared.days[id_] if day.day not in unjudged and (day.ours or day.vendor)]


def _is_single(off: int, judged: int) -> bool:
    return off <= max(SINGLE_DAYS, SINGLE_SHARE * judged)


def _of_exchange(compared: Compared, code: str, unjudged: Set[date]) -> list[Finding]:
    """Another unit, labels, or single days."""
    faults: list[Finding] = []
    single: dict[str, list[Difference]] = {}
    for metric in _own(compared, code):
        days = _judged(compared, metric.id, unjudged)
        off = [day for day in days if day.off]
        if not off:
            continue
        if unit := unit_fault(metric, days):
            faults.append(unit)
        elif _is_single(len(off), len(days)):
            single[metric.id] = off
        else:
            faults.append(_labels(code, metric.id, days, off))
    if any(fault.kind == "labels" for fault in faults):
        return _joined(faults)  # what is off on few days of the other direction is the same accounts
    return [*faults, *_single_days(compared, single, 2)]


def _joined(faults: list[Finding]) -> list[Finding]:
    """One finding for In and Out of an exchange, with the text of the one with more days."""
    labels = sorted((fault for fault in faults if fault.kind == "labels"), key=lambda fault: -len(fault.days))
    days = sorted({day for fault in labels for day in fault.days})
    metrics = [id_ for fault in labels for id_ in fault.metrics]
    ratios = [
        f" {fault.metrics[0]} is {percent(fault.ratio)} of the vendor's."
        for fault in labels[1:]
        if fault.ratio is not None
    ]
    text = labels[0].text + "".join(ratios)
    others = [fault for fault in faults if fault.kind != "labels"]
    return [labels[0]._replace(metrics=metrics, days=days, text=text), *others]


def _labels(code: str, id_: str, days: list[Difference], off: list[Difference]) -> Finding:
    ours, vendor = _total(day.ours for day in days), _total(day.vendor for day in days)
    ratio = float(ours) / float(vendor) if vendor else None
    less = sum(day.difference < 0 for day in off)
    of_vendor = (
        f"{percent(ratio)} of the vendor's" if ratio is not None else "more than the vendor's, which is 0"
    )
    measured = f"{id_} is {of_vendor}, off on {len(off):,} of {plural(len(days), 'day')} with any flow"
    whose = "exchanges" if code == EX else f"accounts of {code}"
    if less >= ONE_SIDED * len(off):
        text = f"{measured} and less on {_so_many(less, len(off))}: our labels lack {whose} that the vendor knows."
        advice = f"Add labels for {'more exchanges' if code == EX else code}; until then these flows are a lower bound."
    elif len(off) - less >= ONE_SIDED * len(off):
        more = _so_many(len(off) - less, len(off))
        text = f"{measured} and more on {more}: we count {whose} that the vendor does not."
        advice = f"Check `reflow clusters`: the vendor lacks labels for {code}, or our labels reach too far."
    else:
        text = f"{measured}, less on {less:,} of them, more on the others: we and the vendor count different {whose}."
        advice = f"Check `reflow clusters` and the labels of {code}."
    return Finding("labels", 2, code, [id_], [day.day for day in off], ratio, None, f"{code}: {text}", advice)


def _so_many(part: int, whole: int) -> str:
    return "all of them" if part == whole else f"{part:,} of them"


def _total(values: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = EXACT.add(total, value)
    return total


def _single_days(compared: Compared, off: dict[str, list[Difference]], layer: Layer) -> list[Finding]:
    """One finding for each day and gap; metrics with the same gap on a day have the same cause."""
    alike: defaultdict[tuple[date, Decimal], list[Difference]] = defaultdict(list)
    for differences in off.values():
        for difference in differences:
            alike[difference.day, difference.difference.copy_abs()].append(difference)
    return [_single_day(compared, same, layer) for _, same in sorted(alike.items())]


def _single_day(compared: Compared, same: list[Difference], layer: Layer) -> Finding:
    first = same[0]
    day, gap = first.day, first.difference
    entity = compared.metrics[first.metric].entity
    lacking = "the vendor lacks" if gap > 0 else "we lack"
    text = (
        f"{day}: {first.metric} is {first.ours:f} here and {first.vendor:f} at the vendor, and agrees on other days: "
        f"{lacking} {gap.copy_abs():f}, in one transaction or a few."
    )
    advice = (
        f"Run `reflow explain` for {first.metric} on {day}; look for transactions that would close the gap."
    )
    metrics = [difference.metric for difference in same]
    return Finding("transaction", layer, entity, metrics, [day], None, gap, text, advice)


def _definition(
    compared: Compared, off: dict[str, list[Difference]], days: list[date], judged: int, unjudged: Set[date]
) -> Finding:
    flows = native(compared.of("FlowMiner"))
    fine = [metric.id for metric in flows if metric.id not in off and _judged(compared, metric.id, unjudged)]
    parts = sorted({_part(compared.metrics[id_]) for id_ in off})
    text = (
        f"Miner flows are off on {len(days):,} of {plural(judged, 'day')} on which ledger and labels agree: "
        f"{listed(parts)}"
    )
    kept = sorted({_part(compared.metrics[id_]) for id_ in fine} - set(parts))
    text += f"; {listed(kept)} agree. " if kept else ". "
    text += "The vendor defines these flows differently."
    advice = "Run `reflow sweep` to find the nearest methodology."
    return Finding("definition", 3, "", list(off), days, None, None, text, advice)


def _part(metric: Metric) -> str:
    return f"{metric.direction} at hop {metric.hop}"


def knock_on(compared: Compared) -> set[date]:
    """Days on which some exchange's own flow is off: miner flows of these days cannot be judged."""
    own = [metric for code in (*compared.exchanges(), EX, INCL) for metric in _own(compared, code)]
    return compared.days_off(own)
