"""From daily sums in satoshis to the values of the metrics: native, USD, counts and ratios, all exact.

A value is an integer number of 10**-8 units of its metric, or None where it is not computable. No float is
involved; rounding is half away from zero, once, at the end (METHODOLOGY section 5, 9.9).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import accumulate

from reflow.amounts import SCALE as SCALE
from reflow.amounts import plain as plain
from reflow.flows.catalog import Metric, Ratio
from reflow.flows.days import Blocks

Series = dict[tuple[str, str], list[int]]
"""Name of sums and entity, as the catalogue has them, to the value of each complete day: sat, or a number."""

Values = list[int | None]


def control_series(blocks: Blocks) -> Series:
    """The sums behind the control metrics that blocks alone decide (METHODOLOGY section 6)."""
    columns = blocks.columns
    sums = {
        "blocks": blocks.per_day(columns["size"] * 0 + 1),
        "transactions": blocks.per_day(columns["tx_count"] - 1),
        "revenue": blocks.per_day(columns["issuance"] + columns["fees"]),
    }
    for name in ("size", "transfer_count", "transfer_value", "fees", "issuance"):
        sums[name] = blocks.per_day(columns[name])
    sums["supply"] = list(accumulate(sums["issuance"]))
    return {(name, ""): values for name, values in sums.items()}


def metric_values(
    metric: Metric, series: Series, days: Sequence[date], usd: Mapping[date, Decimal]
) -> Values:
    """The daily values of one metric; None throughout when its sums are not known (METHODOLOGY 9.10)."""
    known = _sums(metric, series)
    if known is None:
        return [None] * len(days)
    if metric.ratio:
        return _ratio(metric.ratio, known, series[metric.ratio.of, ""])
    if metric.unit == "native":
        return list(known)
    if metric.unit == "USD":
        return [_in_usd(sat, usd.get(day)) for sat, day in zip(known, days, strict=True)]
    return [number * SCALE for number in known]


def _sums(metric: Metric, series: Series) -> list[int] | None:
    known = series.get((metric.sums, metric.entity))
    if known is None or not metric.minus:
        return known
    return [a - b for a, b in zip(known, series[metric.minus, metric.entity], strict=True)]


def divide(numerator: int, denominator: int) -> int:
    """The quotient rounded to an integer, half away from zero; the denominator is positive."""
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -quotient if numerator < 0 else quotient


def _in_usd(sat: int, price: Decimal | None) -> int | None:
    if price is None:
        return None
    numerator, denominator = price.as_integer_ratio()
    return divide(sat * numerator, denominator)


def _ratio(ratio: Ratio, sums: Sequence[int], of: Sequence[int]) -> Values:
    values: Values = [None] * min(ratio.days - 1, len(sums))
    for end in range(ratio.days, len(sums) + 1):
        window = slice(end - ratio.days, end)
        values.append(_share(ratio.factor * sum(sums[window]), sum(of[window])))
    return values


def _share(part: int, whole: int) -> int | None:
    return divide(part * SCALE, whole) if whole > 0 else None
