"""Write a cross-check: crosscheck.json, crosscheck.csv, crosscheck.parquet and differences.parquet, all or none."""

import shlex
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

import reflow
from reflow.amounts import VALUE_PLACES
from reflow.crosscheck.check import CrossCheck, methodology_of
from reflow.crosscheck.compare import Comparison, Difference
from reflow.crosscheck.drill import Drilled
from reflow.crosscheck.findings import WorstDay
from reflow.files import DIGESTS, Manifest, write_csv, write_together
from reflow.series import decimals

_DECIMAL: Final = pa.decimal128(38, VALUE_PLACES)
_WHOLE_DIGITS: Final = 38 - VALUE_PLACES
METHODOLOGY_FILE: Final = "methodology.toml"
"""Written for `reflow explain` if the methodology is no preset."""
_TYPES: Final[dict[Any, pa.DataType]] = {
    str: pa.string(),
    int: pa.int64(),
    Decimal: pa.string(),
    float: pa.float64(),
    date: pa.date32(),
}


def write_cross_check(check: CrossCheck, out_dir: str | Path) -> list[Path]:
    """Write the files into `out_dir`, made if need be; gives their paths.

    - crosscheck.json: verdict, layers, findings, coverage, comparisons, worst days, settings, digests (see `facts`);
    - crosscheck.csv, crosscheck.parquet: a row for each metric compared, the fields of `Comparison`;
    - methodology.toml, if the methodology is no preset;
    - differences.parquet: time DATE, metric, ours, vendor, difference, exact (see `Difference`) for each compared day,
      sorted by metric and time.

    Exact sums are text in crosscheck.parquet. Numbers in differences.parquet are DECIMAL(38,18) if all of them fit
    without rounding; else ours are, and the vendor's and the difference are text. Raises OutputError.
    """
    writers: dict[str, Callable[[CrossCheck, Path], None]] = {
        "crosscheck.csv": _write_csv,
        "crosscheck.parquet": _write_parquet,
        "differences.parquet": _write_differences,
    }
    if check.results.name == "custom":
        writers[METHODOLOGY_FILE] = _write_methodology
    made_of = {name: partial(writer, check) for name, writer in writers.items()}
    *others, manifest = write_together(out_dir, made_of, Manifest("crosscheck.json", facts(check)))
    return [manifest, *others]


def facts(check: CrossCheck) -> dict[str, Any]:
    """The content of crosscheck.json, but for the digests of the files beside it; days and exact numbers are text."""
    diagnosis, settings, run = check.diagnosis, check.settings, check.results.run
    return {
        "verdict": {
            "breaks_first": diagnosis.breaks_first,
            "text": diagnosis.text,
            "required": check.required,
            "failed": check.failed,
        },
        "layers": [_plain(layer._asdict()) for layer in diagnosis.layers],
        "findings": [_plain(finding._asdict()) for finding in diagnosis.findings],
        "worst": worst_facts(check),
        "coverage": [_plain(flow._asdict()) for flow in check.coverage],
        "coverage_over_time": [_plain(flow._asdict()) for flow in check.coverage_over_time],
        "comparisons": [_plain(comparison._asdict()) for comparison in check.comparisons],
        "not_compared": check.not_compared,
        "unread": check.vendor.unread,
        "settings": {
            "tolerance": _plain(settings.tolerance._asdict()),
            "require": list(settings.require),
            "from": _text(settings.first),
            "to": _text(settings.last),
            "worst": settings.worst,
        },
        "metrics": {
            "name": check.results.name,
            "first_day": run.get("first_day"),
            "last_day": run.get("last_day"),
            DIGESTS: run.get(DIGESTS, {}).get("metrics.csv"),
        },
        "vendor": {"source": check.vendor.source, "metrics": sorted(check.vendor.table)},
        "digests": {**run.get("digests", {}), "vendor": check.vendor.digest},
        "methodology": run.get("methodology"),
        "versions": {"reflow": reflow.__version__},
    }


def worst_facts(check: CrossCheck) -> list[dict[str, Any]]:
    """The worst days, each with its command and, if there was a ledger, its transactions or blocks."""
    drilled = {id(behind.worst): behind for behind in check.drilled}
    return [_worst(check, worst, drilled.get(id(worst))) for worst in check.worst]


def _worst(check: CrossCheck, worst: WorstDay, behind: Drilled | None) -> dict[str, Any]:
    day = worst.difference
    described = {
        "layer": worst.layer,
        "metric": day.metric,
        "day": str(day.day),
        **{name: _text(getattr(day, name)) for name in ("ours", "vendor", "difference")},
        "relative": worst.relative,
        "finding": worst.finding,
        "command": command(check, worst),
    }
    if behind is None:
        return described | {"number": None, "largest": [], "closing": None}
    closing = behind.closer._asdict() if behind.closer else None
    return described | {"number": behind.number, "largest": behind.largest, "closing": closing}


def command(check: CrossCheck, worst: WorstDay) -> str:
    """The `reflow explain` command for a day."""
    settings, day = check.settings, worst.difference
    parts = ["reflow", "explain", settings.ledger or "LEDGER", day.metric, str(day.day), "--labels"]
    parts += list(settings.labels) or ["FILE"]
    if check.results.name != "reference":
        parts += [
            "--methodology",
            settings.methodology if check.results.name == "custom" else check.results.name,
        ]
    return shlex.join(parts + (["--prefer-later"] if settings.prefer_later else []))


def _write_methodology(check: CrossCheck, path: Path) -> None:
    path.write_text(methodology_of(check.results).canonical(), encoding="utf-8")


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _text(value) for name, value in fields.items()}


def _text(value: Any) -> Any:
    """Days and exact numbers as text; everything else as it is."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return str(value)
    return [_text(item) for item in value] if isinstance(value, list) else value


def _write_csv(check: CrossCheck, path: Path) -> None:
    rows = ([_text(value) for value in comparison] for comparison in check.comparisons)
    write_csv(path, Comparison._fields, rows)


def _write_parquet(check: CrossCheck, path: Path) -> None:
    columns = {
        name: pa.array(
            [_exact(getattr(comparison, name)) for comparison in check.comparisons], _type_of(name)
        )
        for name in Comparison._fields
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def _exact(value: Any) -> Any:
    return f"{value:f}" if isinstance(value, Decimal) else value


def _type_of(field: str) -> pa.DataType:
    hint = Comparison.__annotations__[field]
    for type_, arrow in _TYPES.items():
        if hint in (type_, type_ | None):
            return arrow
    return pa.int64() if field == "layer" else pa.string()


def _write_differences(check: CrossCheck, path: Path) -> None:
    days = [day for metric in sorted(check.compared.days) for day in check.compared.days[metric]]
    all_fit = all(map(_fits, _numbers(days)))
    columns = {
        "time": pa.array([day.day for day in days], pa.date32()),
        "metric": pa.array([day.metric for day in days], pa.string()),
        "ours": _column((day.ours for day in days), all_fit or all(_fits(day.ours) for day in days)),
        "vendor": _column((day.vendor for day in days), all_fit),
        "difference": _column((day.difference for day in days), all_fit),
        "exact": pa.array([day.exact for day in days], pa.bool_()),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def _numbers(days: list[Difference]) -> Iterable[Decimal]:
    return (number for day in days for number in (day.ours, day.vendor, day.difference))


def _fits(number: Decimal) -> bool:
    """Whether it is a DECIMAL(38,18) without rounding."""
    return decimals(number) <= _DECIMAL.scale and number.adjusted() < _WHOLE_DIGITS


def _column(numbers: Iterable[Decimal], fits: bool) -> pa.Array:
    if fits:
        return pa.array(list(numbers), _DECIMAL)
    return pa.array([f"{number:f}" for number in numbers], pa.string())
