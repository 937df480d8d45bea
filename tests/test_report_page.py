"""The page and the pictures as files: every value is in them exactly, the same input gives the same bytes, bad input
gives one line and no file, and no name can become markup.

What a browser makes of the page is in test_report_browser.py.
"""

import base64
import json
import re
import zlib
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reflow.errors import OutputError, ResultsError
from reflow.owners.pools import PoolDay, PoolReport, PoolTotal
from reflow.report import report as reporting
from reflow.report.evidence import gather
from reflow.report.pictures import pictures, write_pictures
from reflow.report.report import write_report
from reflow.report.sections import shortly
from reflow.report.theme import PAPER
from reflow.results.frames import read_frames
from support.command import run
from support.report_files import (
    DAYS,
    EVIL,
    METRICS,
    day,
    ours,
    vendor,
    write_crosscheck,
    write_run,
    write_sweep,
)

POOLS = PoolReport(
    first_day=day(0),
    last_day=day(DAYS - 1),
    totals=[PoolTotal(EVIL, 50, 50, 0, 5), PoolTotal(None, 10, 0, 0, 1)],
    days=[PoolDay(day(n), EVIL if n % 6 else None, 1, 1, 0, 1) for n in range(DAYS)],
    matrix={EVIL: {"BNB": 150_000_000, "Ex": 150_000_000}, "all": {"BNB": 150_000_000, "Ex": 150_000_000}},
    files=[],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its cross-check and its sweep; every name that could be anybody's is hostile."""
    base = write_run(tmp_path_factory.mktemp("run") / "results", name=EVIL)
    return write_sweep(write_crosscheck(base, EVIL), EVIL)


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    path = folder.parent / "report.html"
    write_report(read_frames(folder), path, pools=POOLS)
    return path.read_text(encoding="utf-8")


class _Elements(HTMLParser):
    """All elements of a page, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def series(page: str) -> dict[str, list[str]]:
    """Metric to the lines that the page carries of it."""
    blobs = re.findall(r'<script type="text/plain" data-series="(\w+)">([^<]+)</script>', page)
    return {metric: zlib.decompress(base64.b64decode(blob)).decode().split("\n") for metric, blob in blobs}


def test_every_value_is_in_the_page_exactly(page: str) -> None:
    carried = series(page)
    assert sorted(carried) == sorted(METRICS)
    for metric, lines in carried.items():
        for number, line in enumerate(lines):
            a, _, b = line.replace("~", "").partition(",")
            assert (Decimal(a) if a else None) == ours(metric, number)
            assert (Decimal(a if b == "=" else b) if b else None) == vendor(metric, number)
            assert "e" not in line.lower()
        assert len(lines) == DAYS
        assert any("~" in line for line in lines) == (metric == "FeeMeanNtv")


def test_digits_that_the_vendor_does_not_print_are_no_difference(folder: Path) -> None:
    """Neither in the chart of where they differ nor in the metric's own; a difference beyond the 8th place is shown."""
    frames = read_frames(folder)
    every = {picture.name: picture for picture in pictures(frames, gather(frames, POOLS))}
    (_, values), (_, gaps) = every["FeeMeanNtv"].parts
    assert len(values) == DAYS
    assert {row["difference"] for row in gaps} == {0}
    [(_, cells)] = every["differences"].parts
    assert "FeeMeanNtv" not in {row["row"] for row in cells}
    assert [shortly(text) for text in ("2.500000014999", "-0.000000005", "144", "0", "1E+2")] == [
        *("2.50000001", "-0.00000001", "144", "0", "100")
    ]
    assert shortly("0.000000000000000001") == "0.000000000000000001"


def test_the_same_input_gives_the_same_bytes_wherever_it_goes(
    page: str, folder: Path, tmp_path: Path
) -> None:
    again = tmp_path / "other name.html"
    write_report(read_frames(folder), again, pools=POOLS)
    assert again.read_text(encoding="utf-8") == page


def test_how_long_a_run_took_is_not_in_the_page(page: str, folder: Path, tmp_path: Path) -> None:
    told = json.loads((folder / "run.json").read_text())
    slow = write_sweep(write_crosscheck(write_run(tmp_path / "results", name=EVIL), EVIL), EVIL)
    (slow / "run.json").write_text(json.dumps(told | {"seconds": {"total": 99.25}}))
    write_report(read_frames(slow), tmp_path / "report.html", pools=POOLS)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page


def test_names_become_text_and_nothing_else(page: str) -> None:
    elements = _Elements(page).found
    assert not [tag for tag, _ in elements if tag == "img"]
    assert not [attrs for _, attrs in elements if any(name.startswith("on") for name in attrs)]
    kinds = [attrs.get("type") for tag, attrs in elements if tag == "script"]
    assert kinds == ["application/json", *["text/plain"] * len(METRICS), None, None]
    assert page.count("&lt;img src=x onerror=") > 5
    assert "<img" not in page.split("<script>")[0]


def test_the_page_asks_for_nothing(page: str) -> None:
    elements = _Elements(page).found
    links = [
        value for _, attrs in elements for name in ("src", "href", "action") if (value := attrs.get(name))
    ]
    assert [link for link in links if not link.startswith(("#", "data:text/csv"))] == []
    [policy] = [
        attrs["content"] for _, attrs in elements if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy
    assert "@import" not in page.split("</style>")[0]
    assert "url(" not in page.split("</style>")[0]


def test_the_verdict_names_what_explains_it(page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page.split("<script")[0])
    assert "The ledger differs from the vendor&#39;s on 1 of 60 days" in text
    assert "Another clock." in text
    assert "Labels (KRK)." in text
    assert "KRK shows 50.0 % of the vendor&#39;s flow." in text
    assert "Counting it closes the gap exactly." in text
    assert "17 transactions behind our value, the 1 largest shown" in text


def test_without_a_cross_check_it_says_what_is_missing(tmp_path: Path) -> None:
    written = write_report(read_frames(write_run(tmp_path / "results")), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "reflow crosscheck --metrics results --vendor FILE --out results" in page
    assert set(written.layers.values()) == {"not checked"}
    assert len(written.missing) == 3
    assert 'id="worst"' not in page
    assert 'id="exchanges"' in page
    assert {lines[0].count(",") for lines in series(page).values()} == {0}


@pytest.mark.parametrize(
    "which", ["crosscheck.json", "crosscheck.parquet", "differences.parquet", "run.json"]
)
@pytest.mark.parametrize("fault", ["missing", "foreign"])
def test_a_missing_or_foreign_file_is_named(tmp_path: Path, which: str, fault: str) -> None:
    base = write_crosscheck(write_run(tmp_path / "results"))
    if fault == "missing":
        (base / which).unlink()
    else:
        (base / which).write_text("{}")
    with pytest.raises(ResultsError, match=re.escape(which)) as told:
        read_frames(base, crosscheck=base)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"time": [1], "metric": ["BlkCnt"]}, "no column value"),
        ({"time": ["x"], "metric": ["BlkCnt"], "value": ["y"]}, "not what recompute writes"),
        ({"time": [], "metric": [], "value": []}, "no day in it"),
        ({"time": [1, 3], "metric": ["BlkCnt"] * 2, "value": [1, 2]}, "days are missing"),
        ({"time": [1, 1], "metric": ["BlkCnt"] * 2, "value": [1, 2]}, "there twice"),
        ({"time": [1, 2, 1], "metric": ["A", "A", "B"], "value": [1, 2, 3]}, "every metric on every day"),
    ],
)
def test_metrics_that_recompute_did_not_write_are_refused(
    tmp_path: Path, table: dict[str, list[object]], expected: str
) -> None:
    base = write_run(tmp_path / "results")
    types = {"time": pa.date32(), "metric": pa.string(), "value": pa.int64()}
    is_text = bool(table["time"]) and isinstance(table["time"][0], str)
    columns = {name: pa.array(cells, None if is_text else types[name]) for name, cells in table.items()}
    pq.write_table(pa.table(columns), base / "metrics.parquet")
    with pytest.raises(ResultsError, match=expected):
        read_frames(base)


def test_an_older_report_stays_when_the_new_one_cannot_be_made(tmp_path: Path) -> None:
    base = write_run(tmp_path / "results")
    (tmp_path / "report.html").write_text("older")
    (base / "metrics.parquet").write_bytes(b"PAR1")
    done = run("report", base, "--out", tmp_path / "report.html")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "metrics.parquet: not a Parquet file" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "older"


def test_labels_without_a_ledger_are_wrong_usage(tmp_path: Path) -> None:
    assert run("report", tmp_path, "--out", "x.html", "--labels", "labels.csv").returncode == 2


def test_a_missing_library_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "find_spec", lambda module: None if module == "vl_convert" else module)
    with pytest.raises(OutputError, match=r"a report needs vl-convert-python: install reflow\[report\]"):
        reporting.check_libraries()


def test_there_is_a_picture_of_each_chart(folder: Path) -> None:
    frames = read_frames(folder)
    names = [picture.name for picture in pictures(frames, gather(frames, POOLS))]
    assert names[:4] == ["differences", "coverage", "pools", "sweep"]
    assert [name for name in names if name.startswith("by-exchange-")] == [
        "by-exchange-miners-to-exchanges-within-one-hop",
        "by-exchange-into-exchanges",
        "by-exchange-out-of-exchanges",
    ]
    assert sorted(name for name in names[4:] if not name.startswith("by-")) == sorted(METRICS[:-1])


def test_pictures_are_whole_and_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    frames = read_frames(folder)
    every = pictures(frames, gather(frames, POOLS))
    some = [picture for picture in every if picture.name in ("sweep", "FlowInKRKNtv")]
    files = write_pictures(some, tmp_path / "one")
    again = write_pictures(some, tmp_path / "two")
    assert [path.name for path in files] == ["sweep.svg", "sweep.png", "FlowInKRKNtv.svg", "FlowInKRKNtv.png"]
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in again]
    assert all(path.read_bytes().startswith(b"\x89PNG\r\n") for path in files if path.suffix == ".png")
    root = ElementTree.fromstring((tmp_path / "one" / "FlowInKRKNtv.svg").read_text(encoding="utf-8"))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"FlowInKRKNtv", "ours", "vendor"} <= set(texts)
    strokes = {element.get("stroke") for element in root.iter("{http://www.w3.org/2000/svg}path")}
    assert {PAPER.ours, PAPER.vendor} <= strokes
    hostile = ElementTree.fromstring((tmp_path / "one" / "sweep.svg").read_text(encoding="utf-8"))
    assert not [element for element in hostile.iter() if element.tag.endswith(("script", "img"))]
