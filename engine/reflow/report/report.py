"""Make a report: read everything first, then write the page, and the charts as pictures if wanted."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from reflow.errors import OutputError
from reflow.files import write_together
from reflow.owners.pools import PoolReport
from reflow.progress import Progress, silent
from reflow.results.frames import Frames

_LIBRARIES: Final = {"altair": "altair", "jinja2": "jinja2", "vl_convert": "vl-convert-python"}


class Written(NamedTuple):
    """A report in short, and its files."""

    verdict: str
    layers: dict[str, str]
    """Name of each layer to its state: holds, breaks, not judged, not compared, not checked."""
    findings: list[str]
    """Findings, a sentence or two each."""
    missing: list[str]
    """What the report lacks, and how to get it."""
    days: int
    metrics: int
    size: int
    """Bytes of the page."""
    files: list[Path]
    """The page, then the pictures."""


def check_libraries() -> None:
    """Raise OutputError if a library of the extra `report` is missing; call it before long work."""
    if missing := [package for module, package in _LIBRARIES.items() if find_spec(module) is None]:
        raise OutputError(f"a report needs {', '.join(missing)}: install reflow[report]")


def write_report(
    frames: Frames,
    out: str | Path,
    *,
    pools: PoolReport | None = None,
    charts: str | Path | None = None,
    progress: Progress = silent,
) -> Written:
    """Write the page `out`, and each chart as PNG and SVG into the folder `charts`.

    The same input gives the same bytes. `out` replaces an older file only when it is complete. Raises OutputError if
    a library is missing or a file cannot be written.
    """
    check_libraries()
    from reflow.report.evidence import gather
    from reflow.report.page import render
    from reflow.report.pictures import pictures, write_pictures
    from reflow.report.verdict import verdict

    evidence, told = gather(frames, pools), verdict(frames)
    progress("page", 0, 1)
    page = render(frames, evidence).encode()
    path = Path(out)
    files = write_together(path.parent, {path.name: lambda part: _write(part, page)})
    progress("page", 1, 1)
    if charts is not None:
        files += write_pictures(list(pictures(frames, evidence)), charts, progress)
    return Written(
        verdict=told.headline,
        layers={layer.name: layer.word for layer in told.layers},
        findings=[f"{finding.title} {finding.text}" for finding in told.findings],
        missing=evidence.missing,
        days=frames.metrics["time"].n_unique(),
        metrics=frames.metrics["metric"].n_unique(),
        size=len(page),
        files=files,
    )


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
