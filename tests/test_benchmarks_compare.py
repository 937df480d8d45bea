"""The comparison with other tools, at a few megabytes: the parts that need no network, and what becomes of the others.

The harness runs as a user would run it; times are not looked at, what was read and what is said about it is.
"""

import re
import subprocess
from pathlib import Path

import pytest

from support.generated import generate, run_benchmark

PAGE = """# Page

<!-- compare:begin -->
of an earlier run
<!-- compare:end -->
between
<!-- scaling:begin -->
<!-- scaling:end -->
after
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated")
    generate(folder)
    return folder


def compare(cwd: Path, *options: object) -> "subprocess.CompletedProcess[str]":
    variables = {"PIP_NO_INDEX": "1", "REFLOW_BITCOIND": ""}
    return run_benchmark("compare.compare", "--work", cwd, *options, cwd=cwd, **variables)


def rows(page: str, name: str) -> list[list[str]]:
    """The rows of the table of that name in a page."""
    [text] = re.findall(rf"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", page, flags=re.DOTALL)
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_everybody_is_in_the_table_with_figures_or_the_reason(chain: Path, tmp_path: Path) -> None:
    """Without network and node the other tools cannot be run: they are named all the same."""
    (tmp_path / "page.md").write_text(PAGE)
    done = compare(tmp_path, "--chain", chain, "--slice", "3MB", "--readme", "page.md")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.md").read_text()
    assert page.startswith("# Page\n")
    assert page.endswith("between\n<!-- scaling:begin -->\n<!-- scaling:end -->\nafter\n")
    assert "of an earlier run" not in page
    assert re.search(r"Measured on \d+ cores \(.*sha_ni.*\), \d+ GiB, 20\d\d-\d\d-\d\d", page)
    found = {row[0]: row[1:] for row in rows(page, "compare")}
    others = ("py-bitcoinkernel", "blockchain-parser", "bitcoin-etl")
    for name in others:
        assert found.pop(name)[2].startswith("not run: exit status 1: ERROR: No matching distribution")
    assert list(found) == [
        *("reflow ingest", "reflow, decoding only", "limit: reading, cold", "limit: reading, warm"),
        *("limit: SHA-256d", "reflow ingest, slice"),
    ]
    ours = float(found["reflow ingest"][3])
    for name, (_, size, seconds, rate, ratio, peak) in found.items():
        assert size == ("4" if "slice" in name else "9")
        assert float(seconds) > 0
        assert re.fullmatch(r"\d+\.\d\d GiB", peak)
        if "slice" not in name:
            assert float(ratio) == pytest.approx(ours / float(rate.replace(",", "")), abs=0.02)
    assert found["reflow ingest"][4] == found["reflow ingest, slice"][4] == "1.00"
    assert float(found["limit: reading, warm"][5].split()[0]) < 0.1
    assert [path.name for path in tmp_path.iterdir() if path.name != ".compare"] == ["page.md"]


def test_a_page_without_marks_is_left_alone(chain: Path, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("nothing to fill in\n")
    done = compare(tmp_path, "--chain", chain, "--only", "SHA-256d", "--readme", "page.md")
    assert done.returncode != 0
    assert "expected <!-- compare:begin --> and <!-- compare:end -->" in done.stderr
    assert (tmp_path / "page.md").read_text() == "nothing to fill in\n"


def test_scaling_is_a_chain_a_line(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(PAGE)
    small = ("--users", 5000, "--weight", 500_000)
    done = compare(tmp_path, "--scaling", "2MB,4MB", *small, "--readme", "page.md")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.md").read_text()
    assert rows(page, "compare") == []
    first, second = rows(page, "scaling")
    assert [float(row[0].removesuffix(" GB")) for row in (first, second)] == pytest.approx(
        [0.002, 0.004], rel=0.2
    )
    for row in (first, second):
        assert re.fullmatch(r"\d+\.\d bytes a row", row[5])
        assert all(re.fullmatch(r"\d+\.\d\d GiB", row[column]) for column in (4, 8))
        assert float(row[9].removesuffix(" s")) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]
