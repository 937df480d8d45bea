"""From daily sums in satoshis to the values of the metrics: native, USD, counts and ratios, all exact.

A value is an integer number of 10**-8 units of its metric, or None where it is not computable. No float is
involved; rounding is half away from zero, once, at the end (METHODOLOGY section 5, 9.9).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import accumulate
from typing import Final

from reflow.amounts import SCALE as SCALE
from reflow.amounts import plain as plain
from reflow.flows.catalog import Metric
from reflow.flows.days import Blocks

_WINDOW: Final = 30

Values = list[int | None]


def control_series(blocks: Blocks) -> dict[str, list[int]]:
    """The control metrics that blocks alone decide, by stem: sat, or a number for counts (METHODOLOGY section 6)."""
    columns = blocks.columns
    series = {
        "BlkCnt": blocks.per_day(columns["size"] * 0 + 1),
        "BlkSizeByte": blocks.per_day(columns["size"]),
        "TxCnt": blocks.per_day(columns["tx_count"] - 1),
        "TxTfrCnt": blocks.per_day(columns["transfer_count"]),
        "TxTfrVal": blocks.per_day(columns["transfer_value"]),
        "FeeTot": blocks.per_day(columns["fees"]),
        "IssTot": blocks.per_day(columns["issuance"]),
        "Rev": blocks.per_day(columns["issuance"] + columns["fees"]),
    }
    return {**series, "SplyCur": list(accumulate(series["IssTot"]))}


def metric_values(
    metric: Metric, series: Mapping[str, Sequence[int]], days: Sequence[date], usd: Mapping[date, Decimal]
) -> Values:
    """The daily values of one metric; None throughout when its series is not known (METHODOLOGY 9.10)."""
    if metric.unit == "ratio":
        return _ratio(metric, series)
    known = series.get(metric.stem)
    if known is None:
        return [None] * len(days)
    if metric.unit == "native":
        return list(known)
    if metric.unit == "USD":
        return [_in_usd(sat, usd.get(day)) for sat, day in zip(known, days, strict=True)]
    return [number * SCALE for number in known]


def divide(numerator: int, denominator: int) -> int:
    """The quotient rounded to an integer, half away from zero; the denominator is positive."""
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -quotient if numerator < 0 else quotient


def _in_usd(sat: int, price: Decimal | None) -> int | None:
    if price is None:
        return None
    numerator, denominator = price.as_integer_ratio()
    return divide(sat * numerator, denominator)


def _ratio(metric: Metric, series: Mapping[str, Sequence[int]]) -> Values:
    """MOMR is of the day; MRI is a percentage of 30 days, and nothing before there are 30."""
    flow, revenue = series[f"FlowMinerOut{metric.hop}HopAll"], series["Rev"]
    if metric.family == "MOMR":
        return [_share(a, b) for a, b in zip(flow, revenue, strict=True)]
    values: Values = []
    for end in range(1, len(flow) + 1):
        window = slice(end - _WINDOW, end)
        values.append(_share(100 * sum(flow[window]), sum(revenue[window])) if end >= _WINDOW else None)
    return values


def _share(part: int, whole: int) -> int | None:
    return divide(part * SCALE, whole) if whole > 0 else None
