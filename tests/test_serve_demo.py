"""The demo's recomputation as a visitor sees it: cells explained over HTTP, and the page in a real browser."""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.sync_api import Browser, Page, expect

from support.browser import Visit, visit
from support.command import run
from support.serving import Server, serving

OUT, IN = "FlowMinerOut1HopAllExNtv", "FlowMinerIn1HopAllExNtv"
DAY = "2020-01-20"
KEY = "key of the page"
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demo's files, a second recomputation beside the first, and a vendor's series that is off on one day."""
    base = tmp_path_factory.mktemp("demo")
    files: dict[str, Any] = json.loads(run("demo", "--json", cwd=base).stdout)["files"]
    found = {name: base / path for name, path in files.items()}
    labels = ("--labels", found["labels"], "--prices", found["prices"], "--out", base / "both")
    done = run("recompute", found["ledger"], *labels, "--methodology", "reference", "--methodology", "strict")
    assert done.returncode == 0, done.stderr
    text = found["metrics.csv"].read_text()
    cell = _cell(found["metrics.csv"], OUT, DAY)
    (base / "vendor.csv").write_text(text.replace(cell, f"9{cell}"))
    return found | {"both": base / "both", "vendor": base / "vendor.csv"}


def _cell(file: Path, metric: str, day: str) -> str:
    with file.open() as stream:
        return next(row[metric] for row in csv.DictReader(stream) if row["time"] == day)


@pytest.fixture(scope="module")
def server(demo: dict[str, Path]) -> Iterator[Server]:
    options = ["--ledger", demo["ledger"], "--labels", demo["labels"], "--prices", demo["prices"]]
    with serving(demo["both"], *options, "--vendor", demo["vendor"]) as running:
        yield running


@pytest.mark.parametrize("metric", [OUT, "FlowMinerOut1HopAllExUSD", "FlowInBNBNtv", "BlkCnt"])
@pytest.mark.parametrize("methodology", ["reference", "strict"])
def test_a_cell_is_the_sum_of_its_parts(
    server: Server, demo: dict[str, Path], metric: str, methodology: str
) -> None:
    asked = {"metric": metric, "time": DAY, "methodology": methodology, "limit": 1000}
    told = server.get("/explain", **asked).json()
    cell = _cell(demo["both"] / methodology / "metrics.csv", metric, DAY)
    assert (told["published"], told["value"], told["warnings"]) == (cell, cell, [])
    parts = told["transactions"] + told["blocks"]
    assert sum(part["adds"] for part in parts) == told["total"]
    assert len(parts) == told["number"] > 0
    few = server.get("/explain", **asked | {"limit": 2}).json()
    assert (few["total"], len(few["transactions"] + few["blocks"])) == (told["total"], 2)


def test_what_cannot_be_explained_is_told(server: Server) -> None:
    for asked, message in (
        ({"metric": "MOMR", "time": DAY}, "is not a sum over one day"),
        ({"metric": "Nope", "time": DAY}, "'metric'. Value 'Nope' is not supported"),
        ({"metric": OUT, "time": "2031-01-01"}, "'time'. Expected a day from 2020-01-01 to"),
        ({"metric": OUT, "time": "soon"}, "Incorrect time format"),
        ({"metric": OUT, "time": DAY, "methodology": "vendor"}, "'methodology'. Value 'vendor'"),
    ):
        reply = server.get("/explain", **asked)
        assert (reply.status, reply.json()["error"]["type"]) == (400, "bad_parameter")
        assert message in reply.json()["error"]["message"]


def test_other_labels_than_the_recomputations_are_noticed(demo: dict[str, Path], tmp_path: Path) -> None:
    """And a ledger that something writes to is not waited for; once it is free, cells are explained again."""
    header, *rows = demo["labels"].read_text().splitlines(keepends=True)
    fewer = tmp_path / "labels.csv"
    fewer.write_text(header + "".join(row for row in rows if ",BNB" not in row))
    with serving(demo["both"], "--ledger", demo["ledger"], "--labels", fewer) as server:
        told = server.get("/explain", metric=OUT, time=DAY).json()
        assert told["published"] != told["value"]
        assert any("are not those of the recomputation" in warning for warning in told["warnings"])
        with duckdb.connect(str(demo["ledger"])):
            reply = server.get("/explain", metric=OUT, time=DAY)
            assert (reply.status, reply.json()["error"]["type"]) == (503, "service_unavailable")
        assert server.get("/explain", metric=OUT, time=DAY).json() == told


def charts(page: Page) -> Any:
    return page.locator("#charts svg")


def shot(seen: Visit, name: str) -> None:
    """Keep a picture where REFLOW_SHOTS says, for people."""
    if folder := os.environ.get("REFLOW_SHOTS"):
        seen.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def is_quiet(seen: Visit) -> None:
    assert (seen.complaints, seen.outside) == ([], [])
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_visitor_chooses_metrics_and_sees_the_transactions_of_a_day(
    server: Server, demo: dict[str, Path], chromium: Browser
) -> None:
    with visit(chromium, server.url) as seen:
        page = seen.page
        expect(charts(page)).to_have_count(2)
        expect(page.locator("#status")).to_contain_text("2020-01-01 to ")
        expect(page.locator("#key-label")).to_be_hidden()
        page.get_by_role("checkbox", name="FlowInExNtv").check()
        expect(charts(page)).to_have_count(3)
        page.get_by_label("Exchange").select_option("BNB")
        expect(page.get_by_role("checkbox", name="FlowMinerOut1HopAllBNBNtv")).to_be_checked()
        page.get_by_label("Exchange").select_option("Ex")
        expect(page.get_by_role("checkbox", name=OUT)).to_be_checked()
        chart = page.locator(f"figure[data-metric={OUT}] .chart")
        expect(chart.locator("path[stroke-dasharray='5,4']")).to_have_count(1)
        chart.hover(position={"x": 300, "y": 80})
        expect(page.locator("#vg-tooltip-element")).to_contain_text("ours")
        page.mouse.move(0, 0)
        chart.click(position={"x": 300, "y": 80})
        expect(page.locator("#explanation strong").first).to_contain_text(f"{OUT} on 2020-01-")
        page.get_by_label("Day", exact=True).fill(DAY)
        cell = _cell(demo["metrics.csv"], OUT, DAY)
        expect(page.locator("#explanation strong").first).to_have_text(f"{OUT} on {DAY}: {cell}")
        page.locator("#explanation summary").first.click()
        expect(page.locator("#explanation details").first).to_contain_text("Spent by")
        expect(page.locator("#explanation details").first).to_contain_text("bcrt1")
        shot(seen, "light")
        page.get_by_label("Methodology").select_option("strict")
        page.get_by_text("Values as a table").click()
        strict = _cell(demo["both"] / "strict" / "metrics.csv", OUT, DAY)
        expect(page.locator("#table")).to_contain_text(strict)
        expect(page.locator("#table")).to_contain_text(f"9{cell}")
        link = page.url
        is_quiet(seen)
    with visit(chromium, link) as again:
        expect(again.page.get_by_label("Methodology")).to_have_value("strict")
        expect(again.page.locator("#explanation strong").first).to_contain_text(f"{OUT} on {DAY}: {strict}")
        is_quiet(again)


def test_everything_works_from_the_keyboard(server: Server, chromium: Browser) -> None:
    with visit(chromium, server.url, dark=True) as seen:
        page = seen.page
        expect(charts(page)).to_have_count(2)
        page.locator("#charts .chart").first.focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#status")).to_contain_text("2020-02-05: ")
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#status")).to_contain_text("2020-02-04: ")
        page.keyboard.press("Enter")
        expect(page.locator("#explanation strong").first).to_contain_text(f"{IN} on 2020-02-04")
        page.get_by_role("button", name="Day before").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#explanation strong").first).to_contain_text(f"{IN} on 2020-02-03")
        page.locator("#explanation summary").first.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#explanation details[open]")).to_have_count(1)
        ground = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(ground) == "rgb(20, 23, 26)"
        shot(seen, "dark")
        is_quiet(seen)


def test_on_a_phone(server: Server, chromium: Browser) -> None:
    with visit(chromium, server.url, width=360, height=740) as seen:
        expect(charts(seen.page)).to_have_count(2)
        seen.page.locator("#charts .chart").first.tap(position={"x": 150, "y": 80})
        expect(seen.page.locator("#explanation strong").first).to_contain_text(f"{IN} on 2020-01-")
        seen.page.locator("#explanation summary").first.tap()
        shot(seen, "phone")
        is_quiet(seen)


def test_the_page_asks_for_the_key_and_tells_what_cannot_be_explained(
    demo: dict[str, Path], chromium: Browser
) -> None:
    with (
        serving(demo["both"], "--api-key-env", "MY_KEY", MY_KEY=KEY) as locked,
        visit(chromium, locked.url) as seen,
    ):
        page = seen.page
        expect(page.locator("#status")).to_contain_text("requires authorization")
        page.get_by_label("API key").fill("wrong")
        page.get_by_label("API key").press("Tab")
        expect(page.locator("#status")).to_contain_text("credentials are not valid")
        page.get_by_label("API key").fill(KEY)
        page.get_by_label("API key").press("Tab")
        expect(charts(page)).to_have_count(2)
        assert KEY not in page.url
        page.get_by_label("Day", exact=True).fill(DAY)
        expect(page.locator("#explanation")).to_contain_text("without --ledger")
        assert seen.outside == []
        assert all("status of 401" in said or "status of 501" in said for said in seen.complaints)
