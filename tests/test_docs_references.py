"""Every "methodology 9.6" in code, queries, tests and pages names a section that docs/methodology.md has."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reflow import STAGES
from reflow.flows.catalog import Metric, catalog
from support.surroundings import ROOT

NUMBERS = r"\d+(?:\.\d+)?(?:(?:, and|,| and) \d+(?:\.\d+)?)*"
REFERENCE = re.compile(rf"\bmethodology ({NUMBERS})")
NOT_HERE = re.compile("METHODOLOGY" + r"(\.md| section| \d)|\b(DESIGN|HOUSE|STYLE)" + r"\.md")
SECTIONS = set(
    re.findall(
        r"^##+ (\d+(?:\.\d+)?)\b",
        (ROOT / "docs" / "methodology.md").read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
)


def sources() -> Iterator[Path]:
    """Every text of the project that people read."""
    for folder in ("engine", "queries", "tests", "benchmarks", "docs", "grids", "labels"):
        for kind in ("py", "sql", "md", "toml"):
            yield from sorted((ROOT / folder).rglob(f"*.{kind}"))
    yield from sorted(ROOT.glob("*.md"))


def test_the_contract_has_its_sections() -> None:
    assert {str(number) for number in range(1, 11)} | {f"9.{item}" for item in range(1, 14)} == SECTIONS


def test_every_reference_leads_to_a_section() -> None:
    cited = [
        (str(path.relative_to(ROOT)), number)
        for path in sources()
        for numbers in REFERENCE.findall(path.read_text(encoding="utf-8"))
        for number in re.findall(r"\d+(?:\.\d+)?", numbers)
    ]
    assert len(cited) > 50
    assert [(path, number) for path, number in cited if number not in SECTIONS] == []


@pytest.mark.parametrize("metric", catalog(["NEW"]), ids=lambda metric: metric.id)
def test_the_section_of_every_metric_is_there(metric: Metric) -> None:
    assert set(metric.section.split(", ")) <= SECTIONS


def test_nothing_cites_a_document_that_is_not_here() -> None:
    assert [
        str(path.relative_to(ROOT)) for path in sources() if NOT_HERE.search(path.read_text(encoding="utf-8"))
    ] == []


def test_every_module_that_the_pages_name_is_there() -> None:
    """`room/module.py`, and in the table of rooms a module beside its room."""
    engine = ROOT / "engine" / "reflow"
    pages = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    named = {
        path for page in pages for path in re.findall(r"`([a-z]+/[a-z_0-9]+\.py)`", page.read_text("utf-8"))
    }
    assert [path for path in sorted(named) if not any((at / path).exists() for at in (engine, ROOT))] == []
    rows = re.findall(
        r"^\| `([a-z]+)/` \| [^|]+ \| (.+) \|$",
        (ROOT / "docs" / "architecture.md").read_text("utf-8"),
        flags=re.MULTILINE,
    )
    assert [room for room, _ in rows] == list(STAGES)
    modules = [(room, name) for room, names in rows for name in re.findall("`([a-z_]+[.]py)`", names)]
    assert [(room, name) for room, name in modules if not (engine / room / name).exists()] == []
