"""The cross-check: compare our results with the vendor's series, judge them, and name the worst days."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Final, NamedTuple

from reflow.crosscheck.compare import EXACTLY, Compared, Comparison, Tolerance, compare_tables, is_proof
from reflow.crosscheck.coverage import Coverage, coverage, coverage_over_time
from reflow.crosscheck.drill import Drilled, control_metrics, drill, other_clock
from reflow.crosscheck.findings import Finding, WorstDay, worst_days
from reflow.crosscheck.verdict import Diagnosis, diagnose
from reflow.errors import ResultsError, VendorError
from reflow.explanations.explain import ExplainSession, open_session
from reflow.flows.catalog import BLOCK_COUNT, EX, exchange_flow, matching
from reflow.flows.methodology import ALLOWED, Methodology
from reflow.ledger.ledger import Ledger
from reflow.owners.labels import read_labels
from reflow.progress import Progress, silent
from reflow.results.read import Results
from reflow.series import Table
from reflow.text import shortened
from reflow.vendor.files import Vendor

WORST: Final = 5
"""Worst days listed per layer."""


class Settings(NamedTuple):
    """Options of a cross-check."""

    tolerance: Tolerance = EXACTLY
    require: tuple[str, ...] = ()
    """Ids and patterns of metrics that must agree. If empty: the control metrics that the vendor has and that need
    no prices."""
    first: date | None = None
    last: date | None = None
    """Days before and after are left out."""
    worst: int = WORST
    """Worst days to list per layer."""
    methodology: str = ""
    """For the commands that are shown: the file of a methodology that is no preset."""
    ledger: str = ""
    """For the commands that are shown: the ledger's path, and the label files."""
    labels: tuple[str, ...] = ()
    prefer_later: bool = False


class CrossCheck(NamedTuple):
    """The result of a cross-check."""

    results: Results
    vendor: Vendor
    settings: Settings
    comparisons: list[Comparison]
    compared: Compared
    diagnosis: Diagnosis
    coverage: list[Coverage]
    coverage_over_time: list[Coverage]
    worst: list[WorstDay]
    drilled: list[Drilled]
    """The worst days taken apart, if there is a ledger."""
    required: list[str]
    """Metrics that had to agree."""
    failed: list[str]
    """Required metrics that do not agree."""
    not_compared: list[str]
    """Our metrics that the vendor does not have, or without a day in common."""


def cross_check(
    results: Results,
    vendor: Vendor,
    settings: Settings = Settings(),  # noqa: B008  # immutable
    session: ExplainSession | None = None,
    *,
    progress: Progress = silent,
) -> CrossCheck:
    """Compare, and say what the differences mean.

    `session` (see `open_session`) has the ledger, labels and methodology of `results`. With it another clock is proven
    and the worst days are taken apart. `progress` is called with the stage `drill`, days done and days in all.
    Raises VendorError if the two sides have no metric or no day in common, or lack a required metric; ResultsError if
    `results` are from another ledger or other labels.
    """
    if session is not None:
        check_origin(results, session)
    ours = results.metrics
    compared = compare_tables(
        ours, vendor.table, settings.tolerance, first=settings.first, last=settings.last
    )
    _check_overlap(results, vendor, compared.comparisons)
    if session is not None:
        compared = compared._replace(other_clock=_under_other_clock(session))
    diagnosis = diagnose(compared)
    worst = worst_days(compared, diagnosis.findings, settings.worst)
    drilled = [] if session is None else _drill(session, worst, progress)
    findings = [_named(finding, drilled) for finding in diagnosis.findings]
    with_days = {comparison.metric: comparison for comparison in compared.comparisons if comparison.days}
    required = _required(vendor, settings.require, list(with_days))
    return CrossCheck(
        results=results,
        vendor=vendor,
        settings=settings,
        comparisons=compared.comparisons,
        compared=compared,
        diagnosis=diagnosis._replace(findings=findings),
        coverage=coverage(compared),
        coverage_over_time=coverage_over_time(compared),
        worst=worst,
        drilled=drilled,
        required=required,
        failed=[id_ for id_ in required if with_days[id_].verdict == "off"],
        not_compared=[id_ for id_ in ours if id_ not in with_days],
    )


@contextmanager
def open_origin(
    results: Results,
    settings: Settings,
    *,
    memory: str | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> Iterator[ExplainSession | None]:
    """The ledger and labels of `settings`, ready to take cells of `results` apart; None if there is no ledger."""
    if not settings.ledger:
        yield None
        return
    with Ledger.open(settings.ledger, read_only=True, memory=memory, threads=threads) as ledger:
        labels = read_labels(settings.labels, ledger.network, prefer_later=settings.prefer_later)
        with open_session(ledger, labels, methodology=methodology_of(results), progress=progress) as session:
            yield session


def methodology_of(results: Results) -> Methodology:
    """The methodology in run.json; raises ResultsError if it is not complete."""
    parameters = {name: value for name, value in results.run["methodology"].items() if name != "name"}
    if set(parameters) != set(ALLOWED):
        raise ResultsError(
            f"{results.folder / 'run.json'}: the methodology is not complete, expected {', '.join(ALLOWED)}"
        )
    return Methodology(**parameters)


def check_origin(results: Results, session: ExplainSession) -> None:
    """Raise ResultsError unless the results are from this ledger, these labels and this methodology."""
    expected = {
        "ledger": session.ledger.digest(),
        "labels": session.labels.digest,
        "methodology": session.methodology.digest(),
    }
    others = {"ledger": "another ledger", "labels": "other labels", "methodology": "another methodology"}
    for what, digest in expected.items():
        if results.run.get("digests", {}).get(what) != digest:
            raise ResultsError(
                f"{results.folder}: the results are from {others[what]}: run.json has the digest "
                f"{results.run.get('digests', {}).get(what)}, found {digest}; recompute, or leave out --ledger"
            )


def _under_other_clock(session: ExplainSession) -> tuple[str, Table]:
    clock = other_clock(session.methodology.clock)
    return clock, control_metrics(session, clock)


def _drill(session: ExplainSession, worst: list[WorstDay], progress: Progress) -> list[Drilled]:
    drilled = []
    for done, day in enumerate(worst):
        progress("drill", done, len(worst))
        if (behind := drill(session, day)) is not None:
            drilled.append(behind)
    progress("drill", len(worst), len(worst))
    return drilled


def _named(finding: Finding, drilled: list[Drilled]) -> Finding:
    """The finding; for a single day with the transactions that close its gap, if they were found."""
    if finding.kind != "transaction":
        return finding
    for behind in drilled:
        day, closer = behind.worst.difference, behind.closer
        is_same = day.metric in finding.metrics and [day.day] == finding.days
        if is_same and closer is not None and closer.exact:
            names = ", ".join(f"{part['txid']} (block {part['height']:,})" for part in closer.parts)
            return finding._replace(text=f"{finding.text} Exactly this amount: {names}.")
    return finding


def _check_overlap(results: Results, vendor: Vendor, comparisons: list[Comparison]) -> None:
    if not comparisons:
        theirs = sorted([*vendor.table, *vendor.unread])
        few = ", ".join(theirs[:5]) + (", …" if len(theirs) > 5 else "")
        raise VendorError(
            f"{vendor.source}: no metric in common: found {few or 'none'}, expected ids such as {BLOCK_COUNT} or "
            f"{exchange_flow('In', EX).id}"
        )
    if not any(comparison.days for comparison in comparisons):
        ours, theirs_ = _span(results.metrics), _span(vendor.table)
        raise VendorError(
            f"{vendor.source}: no day in common: the vendor's values {theirs_}, our values {ours}"
        )


def _span(table: Table) -> str:
    days = sorted({day for series in table.values() for day, value in series.items() if value is not None})
    return f"are from {days[0]} to {days[-1]}" if days else "are all empty"


def _required(vendor: Vendor, patterns: Sequence[str], ids: Sequence[str]) -> list[str]:
    wanted = [part.strip() for pattern in patterns for part in pattern.split(",") if part.strip()]
    if not wanted:
        return [id_ for id_ in ids if is_proof(id_)]
    required = set[str]()
    for part in dict.fromkeys(wanted):
        named = matching(part, dict.fromkeys(ids))
        if not named:
            name = shortened(part)
            raise VendorError(
                f"{vendor.source}: {name} is required, but the two sides have no such metric in common"
            )
        required |= named
    return [id_ for id_ in ids if id_ in required]
