"""The documentation names what there is: every verb and option, every parameter, every library, and no dead links."""

import re
import tomllib
from pathlib import Path

import pytest

from reflow.flows import catalog_page
from reflow.flows.catalog import catalog
from reflow.flows.methodology import ALLOWED, PRESETS
from reflow.ledger.rows import SCHEMAS
from support.command import VERBS, options
from support.surroundings import ROOT

PAGES = [ROOT / "README.md", ROOT / "labels" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND_LINE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")


def section(verb: str) -> str:
    """The part of the page that is about a verb."""
    parts = re.split(r"^## reflow ", COMMAND_LINE, flags=re.MULTILINE)
    [found] = [part for part in parts[1:] if part.startswith(f"{verb} ")]
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_section_with_its_options_and_an_example(verb: str) -> None:
    rows = re.findall(r"^\| `(--[a-z-]+)", section(verb), flags=re.MULTILINE)
    assert sorted(rows) == options(verb)
    assert re.search(rf"^    (\S+=\S+ )*reflow {verb}", section(verb), flags=re.MULTILINE)


def test_no_section_is_about_a_verb_that_is_not_there() -> None:
    headings = re.findall(r"^## reflow ([a-z ]+?) (?:[A-Z])", COMMAND_LINE, flags=re.MULTILINE)
    assert sorted(headings) == VERBS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_call_in_the_pages_is_a_real_one(page: Path) -> None:
    calls = re.findall(
        r"^ {4,}(?:\S+=\S+ )*reflow (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    for call in calls:
        [verb] = [verb for verb in VERBS if f"{call} ".startswith(f"{verb} ")]
        assert set(re.findall(r"--[a-z-]+", call)) <= set(options(verb)), call


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_readme_gives_the_two_commands_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    given = re.findall(r"^    (python3 dev\.py [a-z]+) +#", readme, flags=re.MULTILINE)
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert given == re.findall(r"^python3 dev\.py [a-z]+", ci, flags=re.MULTILINE)
    assert len(given) == 2


def test_every_parameter_is_explained_with_its_values_the_default_first() -> None:
    page = (ROOT / "docs" / "methodology.md").read_text(encoding="utf-8")
    page = page.split("\n## Parameters\n")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `([a-z_0-9]+)` \| ([^|]+) \|", page, flags=re.MULTILINE))
    assert {key: tuple(re.findall("`([a-z_0-9]+)`", values)) for key, values in rows.items()} == ALLOWED


def test_the_page_of_metrics_is_the_catalogue() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert text == catalog_page.page()
    shapes = [
        name.replace("{h}", "[01]").replace("{e}", "(NEW|Ex)") for name in re.findall(r"`([^`]+)`", text)
    ]
    ids = [metric.id for metric in catalog(["NEW"])]
    assert [id_ for id_ in ids if not any(re.fullmatch(shape, id_) for shape in shapes)] == []


def test_every_preset_is_justified() -> None:
    page = (ROOT / "docs" / "methodology.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z_]+)` \|", page.split("\n## Presets\n")[1], flags=re.MULTILINE) == list(
        PRESETS
    )


def test_every_library_has_a_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    needed = [re.split("[<>=]", line)[0] for line in project["dependencies"]]
    assert [
        name for name in needed if not re.search(rf"^\|[^|]*\b{re.escape(name)}\b", page, re.MULTILINE)
    ] == []


def test_every_library_without_a_wheel_is_explained_and_needed() -> None:
    """The installation itself proves the list: any other library without a wheel ends it."""
    [source_only] = re.findall(r"^SOURCE_ONLY = (\(.+\))$", (ROOT / "dev.py").read_text(), flags=re.MULTILINE)
    names = sorted(re.findall('"(.+?)"', source_only))
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = page.split("\n## Without a wheel\n")[1].split("\n## ")[0]
    assert sorted(re.findall(r"^\| ([a-z]\S*) \| ..+ \|$", rows, flags=re.MULTILINE)) == sorted(
        ["library", *names]
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in names if name not in readme] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(names) <= {re.split("[<>=]", line)[0] for line in project["dependencies"]}


def test_constraints_pin_what_builds_are_made_with() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert {"pip", "setuptools", *project["build-system"]["requires"]} <= pinned


def test_every_table_of_the_ledger_is_told() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert [table for table in SCHEMAS._fields if f"| `{table}` |" not in page] == []


def test_constraints_pin_every_library() -> None:
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = [re.split("[<>=]", line)[0].lower().replace("_", "-") for line in lines]
    assert set(names) <= {name.lower().replace("_", "-") for name in pinned}
