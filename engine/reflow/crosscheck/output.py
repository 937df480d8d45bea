"""Write a cross-check: crosscheck.json, crosscheck.csv, crosscheck.parquet and differences.parquet, all or none."""

import json
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
from reflow.crosscheck.worst import Worst
from reflow.files import write_csv, write_together
from reflow.series import decimals

_DECIMAL: Final = pa.decimal128(38, VALUE_PLACES)
_WHOLE_DIGITS: Final = 38 - VALUE_PLACES
METHODOLOGY_FILE: Final = "methodology.toml"
"""Written beside the others where the methodology is no preset, so that `reflow explain` can have it."""
_TYPES: Final[dict[Any, pa.DataType]] = {
    str: pa.string(),
    int: pa.int64(),
    Decimal: pa.string(),
    float: pa.float64(),
    date: pa.date32(),
}


def write_cross_check(found: CrossCheck, out_dir: str | Path) -> list[Path]:
    """Write the files into `out_dir`, made if need be; gives their paths.

    - crosscheck.json: verdict, layers, findings, coverage, comparisons, worst days, settings, digests (see `facts`);
    - crosscheck.csv, crosscheck.parquet: a row for each metric compared, the fields of `Comparison`;
    - methodology.toml, if it is no preset;
    - differences.parquet: time DATE, metric, ours, vendor, difference, exact (see `Difference`) for each compared day,
      sorted by metric and time.

    Exact sums are text in crosscheck.parquet. In differences.parquet numbers are DECIMAL(38,18) if all of them fit
    without rounding; else ours are, and the vendor's and the difference are text. Raises OutputError.
    """
    writers: dict[str, Callable[[CrossCheck, Path], None]] = {
        "crosscheck.json": _write_json,
        "crosscheck.csv": _write_csv,
        "crosscheck.parquet": _write_parquet,
        "differences.parquet": _write_differences,
    }
    if found.results.name == "custom":
        writers[METHODOLOGY_FILE] = _write_methodology
    return write_together(out_dir, {name: partial(writer, found) for name, writer in writers.items()})


def facts(found: CrossCheck) -> dict[str, Any]:
    """The content of crosscheck.json; days and exact numbers are text."""
    diagnosis, settings, run = found.diagnosis, found.settings, found.results.run
    return {
        "verdict": {
            "breaks_first": diagnosis.breaks_first,
            "text": diagnosis.text,
            "required": found.required,
            "failed": found.failed,
        },
        "layers": [_plain(layer._asdict()) for layer in diagnosis.layers],
        "findings": [_plain(finding._asdict()) for finding in diagnosis.findings],
        "worst": worst_facts(found),
        "coverage": [_plain(one._asdict()) for one in found.coverage],
        "coverage_over_time": [_plain(one._asdict()) for one in found.coverage_over_time],
        "comparisons": [_plain(one._asdict()) for one in found.comparisons],
        "not_compared": found.not_compared,
        "unread": found.vendor.unread,
        "settings": {
            "tolerance": _plain(settings.tolerance._asdict()),
            "require": list(settings.require),
            "from": _text(settings.first),
            "to": _text(settings.last),
            "worst": settings.worst,
        },
        "metrics": {
            "name": found.results.name,
            "first_day": run.get("first_day"),
            "last_day": run.get("last_day"),
        },
        "vendor": {"source": found.vendor.source, "metrics": sorted(found.vendor.table)},
        "digests": {**run.get("digests", {}), "vendor": found.vendor.digest},
        "methodology": run.get("methodology"),
        "versions": {"reflow": reflow.__version__},
    }


def worst_facts(found: CrossCheck) -> list[dict[str, Any]]:
    """The worst days, each with the command to look at it, and what lies behind it if a ledger was at hand."""
    drilled = {id(one.worst): one for one in found.drilled}
    return [_worst(found, one, drilled.get(id(one))) for one in found.worst]


def _worst(found: CrossCheck, one: Worst, behind: Drilled | None) -> dict[str, Any]:
    cell = one.cell
    told = {
        "layer": one.layer,
        "metric": cell.metric,
        "day": str(cell.day),
        **{name: _text(getattr(cell, name)) for name in ("ours", "vendor", "difference")},
        "relative": one.relative,
        "finding": one.finding,
        "command": command(found, one),
    }
    if behind is None:
        return told | {"number": None, "largest": [], "closing": None}
    closing = behind.closer._asdict() if behind.closer else None
    return told | {"number": behind.number, "largest": behind.largest, "closing": closing}


def command(found: CrossCheck, one: Worst) -> str:
    """The call of `reflow explain` for a day."""
    settings = found.settings
    parts = ["reflow", "explain", settings.ledger or "LEDGER", one.cell.metric, str(one.cell.day), "--labels"]
    parts += list(settings.labels) or ["FILE"]
    if found.results.name != "reference":
        parts += [
            "--methodology",
            settings.methodology if found.results.name == "custom" else found.results.name,
        ]
    return shlex.join(parts + (["--prefer-later"] if settings.prefer_later else []))


def _write_methodology(found: CrossCheck, path: Path) -> None:
    path.write_text(methodology_of(found.results).canonical(), encoding="utf-8")


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _text(value) for name, value in fields.items()}


def _text(value: Any) -> Any:
    """Days and exact numbers as text; everything else as it is."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return str(value)
    return [_text(one) for one in value] if isinstance(value, list) else value


def _write_json(found: CrossCheck, path: Path) -> None:
    path.write_text(json.dumps(facts(found), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_csv(found: CrossCheck, path: Path) -> None:
    rows = ([_text(value) for value in one] for one in found.comparisons)
    write_csv(path, Comparison._fields, rows)


def _write_parquet(found: CrossCheck, path: Path) -> None:
    columns = {
        name: pa.array([_exact(getattr(one, name)) for one in found.comparisons], _type_of(name))
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


def _write_differences(found: CrossCheck, path: Path) -> None:
    days = [one for metric in sorted(found.board.days) for one in found.board.days[metric]]
    all_fit = all(map(_fits, _numbers(days)))
    columns = {
        "time": pa.array([one.day for one in days], pa.date32()),
        "metric": pa.array([one.metric for one in days], pa.string()),
        "ours": _column((one.ours for one in days), all_fit or all(_fits(one.ours) for one in days)),
        "vendor": _column((one.vendor for one in days), all_fit),
        "difference": _column((one.difference for one in days), all_fit),
        "exact": pa.array([one.exact for one in days], pa.bool_()),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def _numbers(days: list[Difference]) -> Iterable[Decimal]:
    return (number for one in days for number in (one.ours, one.vendor, one.difference))


def _fits(number: Decimal) -> bool:
    """Whether it is a DECIMAL(38,18) without rounding."""
    return decimals(number) <= _DECIMAL.scale and number.adjusted() < _WHOLE_DIGITS


def _column(numbers: Iterable[Decimal], fits: bool) -> pa.Array:
    if fits:
        return pa.array(list(numbers), _DECIMAL)
    return pa.array([f"{number:f}" for number in numbers], pa.string())
