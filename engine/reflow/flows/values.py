"""From daily sums to the values of the metrics: native units, USD, counts, ratios, means, all exact.

A value is an integer number of 10**-18 units of its metric, or None if it is not computable. There are no floats.
Smaller fractions are rounded once, half away from zero (methodology 5, 9.9).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import accumulate
from typing import Final

import numpy as np

from reflow.amounts import SCALE, VALUE_SCALE, VALUES_PER_SAT
from reflow.flows.catalog import SUPPLY, Derived, Metric, Ratio, catalog
from reflow.ledger.days import Blocks, Longs

Series = dict[tuple[str, str], list[int]]
"""Name of sums and entity, as the catalogue has them, to the value of each complete day: sat, or a number."""

Values = list[int | None]


def block_amounts(blocks: Blocks) -> dict[str, Longs]:
    """What each block adds to the sums that blocks alone decide, by their name: sat, bytes or a number."""
    columns = blocks.columns
    same = ("size", "transfer_count", "transfer_value", "fees", "issuance")
    return {name: columns[name] for name in same} | {
        "blocks": np.ones(len(columns["size"]), np.int64),
        "transactions": columns["tx_count"] - 1,
        "revenue": columns["issuance"] + columns["fees"],
        SUPPLY: columns["issuance"],
    }


def control_series(blocks: Blocks) -> Series:
    """The sums behind the control metrics that blocks alone decide (methodology 6)."""
    series = {(name, ""): blocks.per_day(amounts) for name, amounts in block_amounts(blocks).items()}
    series[SUPPLY, ""] = list(accumulate(series[SUPPLY, ""]))
    return series


class Valuation:
    """The daily values of metrics whose sums are known."""

    def __init__(self, series: Series, days: Sequence[date], usd: Mapping[date, Decimal]) -> None:
        """`series` has a number for each of `days`; `usd` is the price of a native unit on those days that have one."""
        self._series: Final = series
        self._day_count: Final = len(days)
        self._prices: Final = [usd[day].as_integer_ratio() if day in usd else None for day in days]
        self._known: Final[dict[str, Values]] = {}

    def of(self, metric: Metric) -> Values:
        """The metric's values; None throughout when its sums are not known (methodology 9.10)."""
        if metric.derived:
            return list(self._derived(metric.derived))
        sums = self._sums(metric)
        if sums is None:
            return [None] * self._day_count
        if metric.ratio:
            unit = SCALE if metric.unit == "native" else 1
            return _ratio(metric.ratio, sums, self._series[metric.ratio.of, ""], unit)
        if metric.unit == "USD":
            return [_in_usd(sat, price) for sat, price in zip(sums, self._prices, strict=True)]
        unit = VALUES_PER_SAT if metric.unit == "native" else VALUE_SCALE
        return [number * unit for number in sums]

    def _sums(self, metric: Metric) -> list[int] | None:
        known = self._series.get((metric.sums, metric.entity))
        if known is None or not metric.minus:
            return known
        return [a - b for a, b in zip(known, self._series[metric.minus, metric.entity], strict=True)]

    def _derived(self, derived: Derived) -> Iterator[int | None]:
        parts = [self._part(id_) for id_ in derived.parts]
        match derived.kind:
            case "running":
                return _running(parts[0])
            case "share":
                return _shares(parts, self._part(derived.whole))
            case "over_mean":
                return _over_mean(parts[0], derived.days)

    def _part(self, id_: str) -> Values:
        """The values of another metric, which has no exchange in it."""
        if id_ not in self._known:
            self._known[id_] = self.of(_PLAIN[id_])
        return self._known[id_]


_PLAIN: Final = {metric.id: metric for metric in catalog(())}


def metric_values(
    metric: Metric, series: Series, days: Sequence[date], usd: Mapping[date, Decimal]
) -> Values:
    """The daily values of one metric (see `Valuation`)."""
    return Valuation(series, days, usd).of(metric)


def divide(numerator: int, denominator: int) -> int:
    """The quotient rounded to an integer, half away from zero; the denominator is positive."""
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -quotient if numerator < 0 else quotient


def _in_usd(sat: int, price: tuple[int, int] | None) -> int | None:
    if price is None:
        return None
    numerator, denominator = price
    return divide(sat * numerator * VALUES_PER_SAT, denominator)


def _ratio(ratio: Ratio, sums: Sequence[int], of: Sequence[int], unit: int) -> Values:
    """`unit` is what the sums are counted in."""
    values: Values = [None] * min(ratio.days - 1, len(sums))
    for end in range(ratio.days, len(sums) + 1):
        window = slice(end - ratio.days, end)
        values.append(_share(ratio.factor * sum(sums[window]), sum(of[window]) * unit))
    return values


def _share(part: int, whole: int) -> int | None:
    return divide(part * VALUE_SCALE, whole) if whole > 0 else None


def _running(values: Values) -> Iterator[int | None]:
    total = 0
    for value in values:
        total += value or 0
        yield None if value is None else total


def _shares(parts: Sequence[Values], whole: Values) -> Iterator[int | None]:
    for *shares, total in zip(*parts, whole, strict=True):
        known = [share for share in shares if share is not None]
        yield _share(sum(known), total) if total is not None and len(known) == len(shares) else None


def _over_mean(values: Values, days: int) -> Iterator[int | None]:
    """A value over the mean of the last `days`, itself included."""
    for end, value in enumerate(values, start=1):
        window = [known for known in values[max(0, end - days) : end] if known is not None]
        yield _share(days * value, sum(window)) if value is not None and len(window) == days else None
