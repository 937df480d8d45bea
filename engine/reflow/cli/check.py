"""The verbs that compare with the vendor: `crosscheck` one methodology, `sweep` many."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from reflow.amounts import SAT_PLACES
from reflow.cli import console, options
from reflow.cli.console import complain, print_table, say
from reflow.text import shown

if TYPE_CHECKING:
    from decimal import Decimal
    from fractions import Fraction

    from reflow.crosscheck.check import CrossCheck, Settings
    from reflow.crosscheck.compare import Comparison, Difference
    from reflow.crosscheck.drill import Drilled
    from reflow.crosscheck.verdict import Diagnosis
    from reflow.progress import Progress
    from reflow.series import Table
    from reflow.sweeps.ranking import SingleChange
    from reflow.sweeps.sweep import SweepResult
    from reflow.vendor.files import Vendor

_METRICS_SHOWN: Final = 30
"""Metrics in the terminal's table; files have all."""
_TRANSACTIONS_SHOWN: Final = 5
"""Transactions listed for one difference."""
_LAYERS: Final = {1: "control", 2: "exchanges", 3: "miners"}
_VARIANTS_SHOWN: Final = 20
"""Methodologies in the table of the terminal, one of each group of equals; files have all."""
_MOVED_SHOWN: Final = 3
"""Metrics listed for a single change."""
_NAMES_SHOWN: Final = 8
"""Names listed of one group, or of metrics left out."""


def _parse_amount(text: str) -> Any:
    from reflow.series import number_of

    try:
        amount = number_of(text)
    except ValueError:
        raise typer.BadParameter(f"{shown(text)} is not a number such as 0.01") from None
    if text.startswith("-"):
        raise typer.BadParameter(f"{text} is below zero, expected a number such as 0.01")
    return amount


_VendorSource = Annotated[
    str,
    typer.Option(
        metavar="FILE|api",
        help="The vendor's series: CSV, Parquet or JSON of its API; `api` asks its server (see the docs).",
    ),
]
_Tolerance = Annotated[
    Any,
    typer.Option(parser=_parse_amount, metavar="AMOUNT", help="Allowed difference, in the metric's unit."),
]
_RelativeTolerance = Annotated[
    Any,
    typer.Option(
        parser=_parse_amount, metavar="SHARE", help="Allowed share of the vendor's value; 0.01 is 1 %."
    ),
]
_TolerateControl = Annotated[
    bool,
    typer.Option(
        "--tolerate-control", help="Allow both for control metrics too, which must be exact otherwise."
    ),
]
_Required = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IDS",
        help="Ids or patterns that must agree, else status 1; the control metrics if left out.",
    ),
]
_FirstDay = Annotated[
    date | None,
    typer.Option("--from", parser=options.parse_day, metavar="DAY", help="Compare from this day on."),
]
_LastDay = Annotated[
    date | None, typer.Option(parser=options.parse_day, metavar="DAY", help="Compare up to this day.")
]
_WorstDays = Annotated[
    int, typer.Option(min=0, max=options.MOST, metavar="N", help="Worst days to list per layer.")
]


def crosscheck(
    metrics: Annotated[Path, typer.Option(metavar="DIR", help="The folder that recompute wrote.")],
    vendor: _VendorSource,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write crosscheck.* and differences.parquet there.")
    ] = None,
    tolerance: _Tolerance = "0",
    relative_tolerance: _RelativeTolerance = "0",
    tolerate_control: _TolerateControl = False,
    require: _Required = None,
    from_: _FirstDay = None,
    to: _LastDay = None,
    worst: _WorstDays = 5,
    ledger: Annotated[
        Path | None,
        typer.Option(metavar="LEDGER", help="The ledger of the results, to explain the worst days."),
    ] = None,
    labels: options.LabelsOfResults = None,
    prefer_later: options.PreferLater = False,
    memory: options.Memory = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Compare results with the vendor's series: how far apart, since when, and what that means."""
    options.check_ledger_and_labels(ledger, labels)
    from reflow.crosscheck.check import Settings
    from reflow.crosscheck.compare import Tolerance
    from reflow.crosscheck.output import METHODOLOGY_FILE

    settings = Settings(
        tolerance=Tolerance(tolerance, relative_tolerance, tolerate_control),
        require=tuple(require or ()),
        first=from_,
        last=to,
        worst=worst,
        methodology=str(out / METHODOLOGY_FILE) if out else METHODOLOGY_FILE,
        ledger=str(ledger or ""),
        labels=tuple(labels or ()),
        prefer_later=prefer_later,
    )
    from reflow.files import hold

    with hold(*filter(None, [out])):
        with console.stage_progress(quiet=as_json) as progress:
            result = _cross_check(metrics, vendor, settings, memory, threads, progress)
        _finish_cross_check(result, out, as_json)


def _cross_check(
    folder: Path,
    vendor: str,
    settings: "Settings",
    memory: str | None,
    threads: int | None,
    progress: "Progress",
) -> "CrossCheck":
    from reflow.crosscheck.check import cross_check, open_origin
    from reflow.results.read import read_results

    results = read_results(folder)
    series = _read_vendor(vendor, results.metrics, settings.first, settings.last)
    with open_origin(results, settings, memory=memory, threads=threads, progress=progress) as origin:
        return cross_check(results, series, settings, origin, progress=progress)


def _finish_cross_check(result: "CrossCheck", out: Path | None, as_json: bool) -> None:
    """Write files, print, and end with status 1 if a required metric is off."""
    from reflow.crosscheck.output import facts, write_cross_check

    files = write_cross_check(result, out) if out else []
    if as_json:
        console.print_json((console.read_json(files[0]) if files else facts(result)) | {"files": files})
    else:
        _print_cross_check(result, files)
    if result.failed:
        raise typer.Exit(1)


def _read_vendor(source: str, metrics: "Table", first: date | None, last: date | None) -> "Vendor":
    if source == "api":
        from reflow.vendor.api import fetch_vendor

        return fetch_vendor(metrics, first, last)
    from reflow.vendor.files import read_vendor_file

    return read_vendor_file(source, metrics)


def _print_cross_check(result: "CrossCheck", files: Sequence["Path"]) -> None:
    """Everything; the verdict comes last."""
    _print_metrics(result.comparisons)
    _print_coverage(result)
    print_diagnosis(result.diagnosis)
    _print_worst(result)
    if result.vendor.unread:
        unread = result.vendor.unread
        say(f"not ours      {len(unread):,} metrics that only the vendor has: {_some(unread)}")
    if result.not_compared:
        say(
            f"not compared  {len(result.not_compared):,} metrics that only we have: {_some(result.not_compared)}"
        )
    for file in files:
        say(f"written       {file}")
    say(f"verdict       {result.diagnosis.text}")
    if result.failed:
        off = (
            f"{each.metric} on {each.off:,} of {each.days:,} days from {each.first_off}"
            for each in result.comparisons
            if each.metric in result.failed
        )
        complain(f"required to agree, but off: {', '.join(off)}")


def print_diagnosis(diagnosis: "Diagnosis") -> None:
    """The layers, then the findings."""
    for layer in diagnosis.layers:
        say(f"layer {layer.layer}       {layer.status}: {layer.text}")
    for finding in diagnosis.findings:
        say(f"finding       {finding.kind}: {finding.text}")
        say(f"              {finding.advice}")


def _print_metrics(comparisons: Sequence["Comparison"]) -> None:
    columns = (
        *("metric", "layer", "days", "exact", "off", "first off", "ours / vendor", "mean |diff|"),
        *("max |diff|", "on", "corr.", "verdict"),
    )
    ordered = sorted(comparisons, key=lambda each: (each.layer, each.verdict != "off"))
    shown = ordered[:_METRICS_SHOWN]
    rows = [
        (
            each.metric,
            each.layer,
            f"{each.days:,}",
            f"{each.exact:,}",
            f"{each.off:,}",
            each.first_off or "",
            _form(each.ratio, "{:.4f}"),
            _form(each.mean_absolute, "{:.6g}"),
            _exact(each.max_absolute),
            each.max_absolute_day or "",
            _form(each.correlation, "{:.4f}"),
            each.verdict,
        )
        for each in shown
    ]
    print_table(columns, rows, title="Metrics in both")
    if rest := ordered[_METRICS_SHOWN:]:
        off = sum(each.verdict == "off" for each in rest)
        say(f"{len(rest):,} more metrics, {off:,} of them off; --out or --json lists all", "")


def _print_coverage(result: "CrossCheck") -> None:
    rows = [
        (each.exchange, each.metric, _exact(each.ours), _exact(each.vendor), _form(each.ratio, "{:.2%}"))
        for each in result.coverage
    ]
    if rows:
        print_table(("exchange", "flow", "ours", "vendor", "coverage"), rows, title="Label coverage", left=2)


def _print_worst(result: "CrossCheck") -> None:
    from reflow.crosscheck.output import command

    behind = {id(drilled.worst): drilled for drilled in result.drilled}
    for day in result.worst:
        cell = day.difference
        say(f"look at       {cell.day} {cell.metric}: {cell.ours:f} here, {cell.vendor:f} at the vendor")
        if id(day) in behind:
            _print_closer(behind[id(day)])
        say(f"              {command(result, day)}")


def _print_closer(drilled: "Drilled") -> None:
    closer = drilled.closer
    if closer is None:
        return
    if closer.way == "other clock":
        heights = ", ".join(f"{part['height']:,}" for part in closer.parts)
        say(
            f"              the other clock puts these blocks on another day, which closes the gap: {heights}"
        )
        return
    guess = {"exclude": "the vendor may lack", "include": "the vendor may also count"}[closer.way]
    is_single = len(closer.parts) == 1
    closes, leaves = (
        ("this closes", "this leaves") if is_single else ("together these close", "together these leave")
    )
    effect = f"{closes} the gap" if closer.exact else f"{leaves} {closer.rest} of the gap"
    chance = f", one of {closer.ways:,} ways" if closer.ways > 1 else ""
    for part in closer.parts[:_TRANSACTIONS_SHOWN]:
        say(f"              {guess} this transaction (block {part['height']:,}): {part['txid']}")
    more = (
        f", and {len(closer.parts) - _TRANSACTIONS_SHOWN:,} more"
        if len(closer.parts) > _TRANSACTIONS_SHOWN
        else ""
    )
    say(f"              {effect}{chance}{more}")


def _form(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _exact(value: "Decimal") -> str:
    """All digits up to 8 places, else six digits; files have all."""
    return f"{value:f}" if value == round(value, SAT_PLACES) else f"{float(value):.6g}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


_Grid = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.toml",
        help="What to try: a list of values for each parameter; the grid of the package if left out.",
    ),
]


def _print_grid(asked: bool) -> None:
    if asked:
        from reflow.sweeps.grid import default_grid_file

        console.say(*default_grid_file().read_text(encoding="utf-8").rstrip().split("\n"))
        raise typer.Exit


_PrintGrid = Annotated[
    bool,
    typer.Option(
        "--print-grid",
        callback=_print_grid,
        is_eager=True,
        help="Print the grid of the package, as a start for your own.",
    ),
]
_Compared = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IDS",
        help="Compare only these: ids, or patterns such as 'FlowMiner*Ntv', with commas; else all but USD.",
    ),
]
_RankedBy = Annotated[
    Literal["distance", "shape"],
    typer.Option(help="Rank by distance, or by shape, which missing labels do not change."),
]

_MostMethodologies = Annotated[
    int,
    typer.Option(min=1, max=options.MOST, metavar="N", help="Refuse a grid with more methodologies."),
]


def sweep(
    ledger: options.Ledger,
    labels: options.Labels,
    vendor: Annotated[Path, typer.Option(metavar="FILE", help="The vendor's series: CSV, Parquet or JSON.")],
    out: options.ResultsFolder,
    grid: _Grid = None,
    print_grid: _PrintGrid = False,
    prices: options.Prices = None,
    metrics: _Compared = None,
    by: _RankedBy = "distance",
    limit: _MostMethodologies = 100,
    prefer_later: options.PreferLater = False,
    memory: options.Memory = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Recompute under many methodologies and rank them by their distance to the vendor's series."""
    from reflow.files import hold
    from reflow.owners.labels import read_labels
    from reflow.sweeps.grid import read_grid
    from reflow.sweeps.output import write_sweep
    from reflow.sweeps.sweep import sweep as run
    from reflow.sweeps.targets import comparable
    from reflow.vendor.files import read_vendor_file

    tried, dollars = read_grid(grid), options.read_prices(prices)
    clocks = [each.clock for each in tried.methodologies]
    opening = options.open_ledger_of_days(ledger, clocks, quiet=as_json, memory=memory, threads=threads)
    with hold(out), opening as (opened, progress):
        labelled = read_labels(labels, opened.network, prefer_later=prefer_later)
        ids = [metric.id for metric in comparable(labelled, metrics or ())]
        result = run(
            opened,
            labelled,
            read_vendor_file(vendor, ids),
            grid=tried,
            prices=dollars,
            metrics=metrics or (),
            by=by,
            limit=limit,
            progress=progress,
        )
        files = write_sweep(result, out)
    if as_json:
        console.print_json(console.read_json(files[0]) | {"files": files})
    else:
        _print_sweep(result, files)


def _print_sweep(result: "SweepResult", files: list[Path]) -> None:
    """The ranking, single changes, control metrics by clock, worst days, equal series, and the files."""
    from reflow.sweeps.targets import REASONS

    say(
        f"{len(result.variants):,} methodologies, {len(result.metrics):,} metrics, "
        f"{result.days[0]} to {result.days[-1]}, in {result.seconds:,.1f} s"
    )
    _print_ranking(result)
    for base in dict.fromkeys(change.base for change in result.changes):
        _print_changes([change for change in result.changes if change.base == base])
    _print_differences("Control metrics that are off, by clock", _control_off(result))
    best = [("best", score.worst) for score in result.best.metrics.values() if score.worst]
    _print_differences(f"Worst days of the closest, {result.best.name}", best)
    for group in result.alike:
        say(f"identical series: {_some_of([variant.name for variant in group], '; ')}")
    for group in result.tied:
        say(f"same distance, different series: {_some_of([variant.name for variant in group], '; ')}")
    for file in files:
        say(f"written       {file}")
    for reason, metrics in result.left_out.items():
        if metrics:
            say(f"not compared  {REASONS[reason]}: {_some_of(metrics)}")


def _print_ranking(result: "SweepResult") -> None:
    layers = list(result.best.layers)
    columns = ("", "methodology", "distance", "shape", *(_LAYERS[layer] for layer in layers), "equal")
    first = {variant.group: variant for variant in reversed(result.variants)}
    sizes = Counter(variant.group for variant in result.variants)
    rows = [
        (
            variant.rank,
            variant.name,
            _number(variant.score.distance),
            _number(variant.score.shape),
            *(_number(variant.layers[layer].distance) for layer in layers),
            sizes[group] - 1 or "",
        )
        for group, variant in sorted(first.items())[:_VARIANTS_SHOWN]
    ]
    print_table(columns, rows, title=f"Closest to the vendor, by {result.by}", left=2)
    if len(first) > _VARIANTS_SHOWN:
        say(f"{len(first) - _VARIANTS_SHOWN:,} more in the files", "")


def _print_changes(changes: "Sequence[SingleChange]") -> None:
    from reflow.sweeps.ranking import name_of

    rows = [
        (
            f"{change.key}={change.value}",
            _most_moved(change),
            _signed(change.change.distance),
            _signed(change.change.shape),
        )
        for change in changes
    ]
    columns = ("single change", "metrics moved, by distance", "distance", "shape")
    print_table(
        columns, rows, title=f"What one change moves, starting from {name_of(changes[0].base)}", left=2
    )


def _most_moved(change: "SingleChange") -> str:
    """The metrics whose distance changes most, and how many move in all."""
    if not change.moved:
        return "none"
    largest = sorted(change.moved, key=lambda metric: -abs(change.metrics[metric].distance))[:_MOVED_SHOWN]
    listed = ", ".join(f"{metric} {_signed(change.metrics[metric].distance)}" for metric in largest)
    more = len(change.moved) - len(largest)
    return listed + (f", {more:,} more" if more else "")


def _control_off(result: "SweepResult") -> "list[tuple[str, Difference]]":
    """The worst day of each control metric under each clock; no other parameter changes them."""
    from reflow.crosscheck.compare import layer_of

    closest = {variant.methodology.clock: variant for variant in reversed(result.variants)}
    return [
        (clock, score.worst)
        for clock, variant in sorted(closest.items())
        for metric, score in variant.metrics.items()
        if layer_of(metric) == 1 and score.worst
    ]


def _print_differences(title: str, days: "Sequence[tuple[str, Difference]]") -> None:
    if not days:
        return
    rows = [(whose, day.metric, day.day, f"{day.ours:f}", f"{day.vendor:f}") for whose, day in days]
    print_table(("", "metric", "worst day", "ours", "vendor's"), rows, title=title, left=3)


def _number(value: "Fraction") -> str:
    """Four places; a plain 0 means equal, not nearly so."""
    return f"{float(value):.4f}" if value else "0"


def _signed(value: "Fraction") -> str:
    return f"{float(value):+.4f}" if value else "0"


def _some_of(names: "Sequence[str]", between: str = ", ") -> str:
    more = len(names) - _NAMES_SHOWN
    return between.join(names[:_NAMES_SHOWN]) + (f"{between}{more:,} more" if more > 0 else "")
