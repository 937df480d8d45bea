"""Layer 1: what it means when control metrics differ. A finding here comes before all others.

Days are cut by a clock. If the vendor uses another clock, a block near midnight is missing on one day and one too many
on the neighbouring day. Differences of BlkCnt then cancel, and their running sum stays within the few blocks that lie
between the two clocks. A block that is really missing stays missing.
"""

from collections import defaultdict
from collections.abc import Set
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Final

from reflow.crosscheck.compare import Compared, Difference, agree, is_proof
from reflow.crosscheck.findings import Finding, are, listed, plural
from reflow.flows.catalog import BLOCK_BYTES, BLOCK_COUNT, PLAINEST, Metric
from reflow.series import EXACT, Table

CLOCK_BLOCKS: Final = 11
"""The median of eleven header times: no block lies further from its header's day than these eleven do."""
_MOST: Final = 0.9
"""A series is moved by a day if at least this share of its days agrees when moved back."""


def find_ledger_faults(compared: Compared, unjudged: Set[date]) -> list[Finding]:
    """Explanations of the control metrics that are off, except those that need prices; `unjudged` is empty."""
    assert not unjudged, "nothing is below the ledger"
    off = [metric for metric in compared.metrics.values() if is_proof(metric.id) and compared.off(metric.id)]
    if not off:
        return []
    if shift := _day_shift(compared, off):
        return [shift]
    constant = [fault for metric in off if (fault := _constant(compared, metric))]
    settled = {id_ for fault in constant for id_ in fault.metrics}
    rest = [metric for metric in off if metric.id not in settled]
    if clock := _clock(compared, rest):
        return [clock, *constant, *_rest(compared, rest, set(clock.days))]
    return [*constant, *_rest(compared, rest, set())]


def _clock(compared: Compared, off: list[Metric]) -> Finding | None:
    """Another clock: proven by the ledger if there is one, else inferred from differences that cancel."""
    days, other = sorted(compared.days_off(off)), compared.other_clock
    if not days:
        return None
    name = agreed = None
    if other is not None:
        name = other[0]
        agreed = [day for day in days if _agrees(compared, other[1], day)]
        if len(agreed) < _MOST * len(days):
            return None
        days = agreed
    elif not _cancels(compared, off):
        return None
    span = {day.day for metric in off for day in compared.days[metric.id] if days[0] <= day.day <= days[-1]}
    text = f"The vendor {'cuts' if agreed else 'seems to cut'} its days by another clock, {days[0]} to {days[-1]}: "
    text += f"{_example(compared, off, days)}, and neighbouring days make up for it"
    advice = "Recompute with the other clock (clock = header or mediantime) and compare again."
    if agreed:
        off_in_all = plural(len(compared.days_off(off)), "day")
        text += f". With clock = {name} our numbers are the vendor's on {len(agreed):,} of {off_in_all} off"
        advice = f"Recompute with clock = {name} and compare again; ignore flows on these days until then."
    ids = [metric.id for metric in off]
    return Finding("clock", 1, "", ids, sorted(span), None, None, f"{text}.", advice)


def _agrees(compared: Compared, table: Table, day: date) -> bool:
    """Whether the table equals the vendor that day in all metrics that both have."""
    pairs = [
        (id_, table[id_].get(day), compared.vendor[id_].get(day)) for id_ in compared.metrics if id_ in table
    ]
    both = [(id_, a, b) for id_, a, b in pairs if a is not None and b is not None]
    return bool(both) and all(agree(*values) for values in both)


def _cancels(compared: Compared, off: list[Metric]) -> bool:
    """Whether blocks only seem to have moved between neighbouring days.

    The number of blocks never drifts further than the two clocks are apart. Another sum over blocks differs in both
    directions, and its differences mostly cancel.
    """
    blocks = list(accumulate((day.difference for day in compared.off(BLOCK_COUNT)), EXACT.add))
    sums = [metric for metric in off if metric.adds == "blocks"]
    sizes = BLOCK_BYTES not in compared.metrics or bool(compared.off(BLOCK_BYTES))
    near = BLOCK_COUNT in compared.metrics and max(map(abs, blocks), default=0) <= CLOCK_BLOCKS
    return near and sizes and any(_both_ways(compared.off(metric.id)) for metric in sums)


def _both_ways(days: list[Difference]) -> bool:
    total = gross = Decimal(0)
    for day in days:
        total, gross = EXACT.add(total, day.difference), EXACT.add(gross, day.difference.copy_abs())
    return len({day.difference > 0 for day in days}) == 2 and 2 * total.copy_abs() <= gross


def _example(compared: Compared, off: list[Metric], days: list[date]) -> str:
    """The easiest control metric, with the day on which it differs most."""
    ids = [metric.id for metric in off]
    sums = [metric.id for metric in off if metric.adds == "blocks"]
    first = next((id_ for id_ in (*PLAINEST, *sums) if id_ in ids), ids[0])
    off_days = [day for day in compared.off(first) if days[0] <= day.day <= days[-1]]
    worst = max(off_days, key=lambda day: day.difference.copy_abs())
    here = f"on {worst.day}: {worst.ours:f} here, {worst.vendor:f} at the vendor"
    return f"{first} differs on {plural(len(off_days), 'day')} ({here})"


def _day_shift(compared: Compared, off: list[Metric]) -> Finding | None:
    """All of a series agrees when the vendor's days are moved by one."""
    for days, where in ((1, "after"), (-1, "before")):
        moved = {metric.id: _agreement(compared, metric.id, days) for metric in off}
        if moved and all(share >= _MOST for share in moved.values()):
            ids = [metric.id for metric in off]
            text = f"The vendor's values of {listed(ids)} are dated one day {where} ours."
            advice = "Move the vendor's days: a row must have the date of the day that it describes."
            return Finding("day_shift", 1, "", ids, sorted(compared.days_off(off)), None, None, text, advice)
    return None


def _agreement(compared: Compared, id_: str, days: int) -> float:
    """The share of varying days on which the vendor's value `days` later is ours."""
    ours, vendor = compared.ours[id_], compared.vendor[id_]
    pairs = [(ours[day], vendor[moved]) for day in ours if (moved := day + timedelta(days)) in vendor]
    varying = len({a for a, _ in pairs}) > 2
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    same = sum(agree(id_, a, b) for a, b in both) + sum(a is b is None for a, b in pairs)
    return same / len(pairs) if varying else 0.0


def _constant(compared: Compared, metric: Metric) -> Finding | None:
    """The same difference, or the same factor, on all days."""
    days = compared.days[metric.id]
    gaps = {day.difference for day in days}
    if len(days) >= 3 and len(gaps) == 1:
        [gap] = gaps
        text = f"{metric.id} is {gap.copy_abs():f} {'more' if gap > 0 else 'less'} than the vendor's on every day."
        advice = "The two series start from different values; their changes on these days agree."
        return Finding("start_value", 1, "", [metric.id], [day.day for day in days], None, gap, text, advice)
    return unit_fault(metric, days)


def unit_fault(metric: Metric, days: list[Difference]) -> Finding | None:
    """A finding if one factor other than 1 lies between both on every day, with three different values at least."""
    moving = [day for day in days if day.vendor]
    first = moving[0] if moving else None
    if first is None or len({day.vendor for day in moving}) < 3 or first.ours in (0, first.vendor):
        return None
    for day in days:
        if not _close(EXACT.multiply(day.ours, first.vendor), EXACT.multiply(first.ours, day.vendor)):
            return None
    ratio = float(first.ours) / float(first.vendor)
    text = f"{metric.id} is {ratio:.12g} times the vendor's on every day: the two are in different units."
    advice = "Convert the vendor's series: ours are in native units, USD, counts and bytes."
    return Finding(
        "unit",
        metric.layer,
        metric.entity,
        [metric.id],
        [day.day for day in days],
        ratio,
        None,
        text,
        advice,
    )


def _close(a: Decimal, b: Decimal) -> bool:
    """Whether the two are equal to about nine digits."""
    return EXACT.multiply(EXACT.subtract(a, b).copy_abs(), Decimal(10) ** 9) <= max(
        a.copy_abs(), b.copy_abs()
    )


def _rest(compared: Compared, off: list[Metric], explained: set[date]) -> list[Finding]:
    """The rest: blocks that one side lacks, or metrics that the two sides count differently."""
    faults = []
    blocks = {day.day for day in compared.off(BLOCK_COUNT)} - explained
    if blocks:
        first = min(blocks)
        text = (
            f"The ledgers differ: {BLOCK_COUNT} is off on {plural(len(blocks), 'day')}, first on {first}, and "
            "neighbouring days do not make up for it."
        )
        advice = "Run `reflow verify`, and look for blocks that one side lacks; ignore flows on these days."
        metrics = [metric.id for metric in off]
        days = sorted(compared.days_off(off) - explained)
        return [Finding("ledger", 1, "", metrics, days, None, None, text, advice)]
    alike: defaultdict[tuple[date, ...], list[Metric]] = defaultdict(list)
    for metric in off:
        alike[tuple(sorted({day.day for day in compared.anew(metric.id)} - explained))].append(metric)
    for off_days, same in alike.items():
        if off_days:
            ids = [metric.id for metric in same]
            anew = " by a new amount" if all(metric.adds == "changes" for metric in same) else ""
            text = (
                f"{listed(ids)} {are(ids)} off{anew} on {plural(len(off_days), 'day')}, first on {off_days[0]}, "
                f"while {BLOCK_COUNT} agrees."
            )
            advice = f"Run `reflow explain` for {off_days[0]}: the vendor counts differently, or its value is wrong."
            faults.append(Finding("ledger", 1, "", ids, list(off_days), None, None, text, advice))
    return faults
