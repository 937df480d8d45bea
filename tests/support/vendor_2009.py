"""The vendor's free series for the first 36 days of mainnet, against the metrics of a ledger of these blocks."""

import csv
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

MISSING: set[str] = set()
"""What the vendor has for these days and our results do not have."""

Rows = Mapping[str, Mapping[str, str]]
"""Day to metric to text."""


def read_rows(path: Path) -> Rows:
    """A wide CSV of daily series, the vendor's or ours."""
    with path.open() as file:
        return {row.pop("time"): row for row in csv.DictReader(file)}


def assert_every_cell_is_the_vendors(ours: Rows, shared_data: Path) -> None:
    """Every cell of every column that both have, exactly; no day more or less; nothing missing but MISSING."""
    vendors = read_rows(shared_data / "vendor-2009.csv")
    assert list(ours) == list(vendors)
    assert len(vendors) == 36
    columns, known = vendors["2009-02-03"].keys(), ours["2009-02-03"].keys()
    assert columns - known == MISSING
    different = [
        (day, metric, ours[day][metric], row[metric])
        for day, row in vendors.items()
        for metric in sorted(columns & known)
        if not _is_met(metric, ours[day][metric], row[metric])
    ]
    assert different == []


def _is_met(metric: str, ours: str, vendors: str) -> bool:
    """Amounts and counts are equal as they are; a mean is, rounded to the vendor's number of places."""
    if not (ours and vendors):
        return ours == vendors
    if "Mean" in metric:
        return Decimal(ours).quantize(Decimal(vendors), ROUND_HALF_UP) == Decimal(vendors)
    return Decimal(ours) == Decimal(vendors)
