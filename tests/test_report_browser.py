"""The report in a real browser: quiet, drawn, readable with mouse and keys, light and dark, on a phone and on paper.

The folder is that of support/report_files.py with hostile names, so that each of these tests would also see a name
run as code.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

from reflow.report.report import write_report
from reflow.results.frames import read_frames
from support.browser import Visit, visit
from support.report_files import (
    EVIL,
    FIRST,
    METRICS,
    OFF,
    day,
    ours,
    vendor,
    write_crosscheck,
    write_run,
    write_sweep,
)
from test_report_page import POOLS

FIGURES = ("differences", "metric", "stack", "coverage", "pools", "sweep")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = write_run(tmp_path_factory.mktemp("run") / "results", name=EVIL)
    write_sweep(write_crosscheck(base, EVIL), EVIL)
    path = base.parent / "report.html"
    write_report(read_frames(base), path, pools=POOLS)
    return path


@contextmanager
def reading(chromium: Browser, report: Path, **window: Any) -> Iterator[Page]:
    """The report with all charts drawn; at the end nothing may have gone wrong, or out."""
    with visit(chromium, report.as_uri(), **window) as seen:
        seen.page.wait_for_function("document.documentElement.dataset.ready")
        yield seen.page
        assert seen.page.evaluate("window.hacked") is None
        _check_quiet(seen)


def _check_quiet(seen: Visit) -> None:
    assert seen.complaints == []
    assert seen.outside == []
    assert len(seen.requests) == 1


def figure(page: Page, name: str) -> Locator:
    return page.locator(f'figure[data-figure="{name}"]')


def plain(text: str) -> str:
    """A text of the page without its thin spaces and its minus."""
    return text.replace("\u202f", "").replace("\u2212", "-").replace("\xa0", " ")


def test_every_chart_is_drawn_with_its_marks(chromium: Browser, report: Path) -> None:
    with reading(chromium, report) as page:
        for name in FIGURES:
            assert figure(page, name).locator("svg .mark-group path, svg .mark-rule line").count() > 3, name
        line = figure(page, "metric").locator("svg .mark-line path").first.get_attribute("d")
        assert line is not None
        assert line.count("L") == 59
        assert page.locator("h1").inner_text() == "The ledger differs from the vendor's on 1 of 60 days"


def test_hovering_and_keys_tell_exact_values(chromium: Browser, report: Path) -> None:
    with reading(chromium, report) as page:
        page.select_option("#metric", "FlowInKRKNtv")
        shown = figure(page, "metric")
        plot, readout = shown.locator(".plot").first, shown.locator(".readout")
        page.wait_for_function("document.querySelector('#definition').textContent.includes('KRK')")
        plot.hover(position={"x": 400, "y": 120})
        text = plain(readout.inner_text())
        number = next(n for n in range(60) if str(day(n)) in text)
        assert f"ours {ours('FlowInKRKNtv', number)}" in text
        assert f"vendor {vendor('FlowInKRKNtv', number)}" in text
        assert f"difference -{ours('FlowInKRKNtv', number)}" in text
        assert shown.locator(".cross").count() == 2
        plot.focus()
        page.keyboard.press("ArrowRight")
        assert str(day(number + 1)) in readout.inner_text()
        page.keyboard.press("Home")
        assert str(FIRST) in readout.inner_text()
        page.keyboard.press("Escape")
        assert shown.locator(".cross").count() == 0


def test_every_other_chart_tells_values_too(chromium: Browser, report: Path) -> None:
    first = {
        "differences": ("BlkCnt", "largest 3.3"),
        "stack": (str(FIRST), "BNB 123.45678901"),
        "coverage": ("BNB in", "coverage 100 %"),
        "pools": (str(FIRST), "unknown 1"),
        "sweep": ("reference", "distance 0.01000"),
    }
    with reading(chromium, report) as page:
        for name, expected in first.items():
            shown = figure(page, name)
            shown.locator(".plot").focus()
            page.keyboard.press("Home")
            text = plain(shown.locator(".readout").inner_text())
            assert [part for part in expected if part not in text] == [], name
            page.keyboard.press("Escape")
            assert shown.locator(".cross").count() == 0, name
            shown.locator("svg .mark-rect.role-mark path").first.hover()
            assert shown.locator(".cross").count() == 1, name


def test_a_download_has_every_value(chromium: Browser, report: Path, tmp_path: Path) -> None:
    with reading(chromium, report) as page:
        page.select_option("#metric", "FlowMinerOut1HopAllExUSD")
        page.wait_for_function("document.querySelector('#definition').textContent.includes('PriceUSD')")
        shown = figure(page, "metric")
        with page.expect_download() as waiting:
            shown.get_by_role("button", name="CSV").click()
        waiting.value.save_as(tmp_path / "it.csv")
        assert waiting.value.suggested_filename == "FlowMinerOut1HopAllExUSD.csv"
        rows = list(csv.reader((tmp_path / "it.csv").read_text().splitlines()))
        assert rows[0] == ["time", "ours"]
        values = [ours("FlowMinerOut1HopAllExUSD", n) for n in range(60)]
        assert rows[1:] == [[str(day(n)), "" if v is None else str(v)] for n, v in enumerate(values)]
        shown.get_by_role("button", name="table").click()
        assert shown.locator(".rows tr").count() == 61
        with page.expect_download() as waiting:
            page.locator("#comparison a.download").click()
        waiting.value.save_as(tmp_path / "all.csv")
        assert len(list(csv.reader((tmp_path / "all.csv").read_text().splitlines()))) == len(METRICS)


def test_choices_change_what_is_shown(chromium: Browser, report: Path) -> None:
    with reading(chromium, report) as page:
        page.fill("input[name=from]", str(day(OFF)))
        page.wait_for_function(
            "document.querySelector('.mark-line path').getAttribute('d').split('L').length === 20"
        )
        page.locator("#worst button.link").first.click()
        page.wait_for_function("document.querySelector('#metric').value === 'FlowInBNBNtv'")
        readout = figure(page, "metric").locator(".readout")
        page.wait_for_function(
            f"document.querySelector('figure[data-figure=metric] .readout').textContent.includes('{day(OFF)}')"
        )
        assert "difference -5" in plain(readout.inner_text())
        page.select_option("#side", "vendor")
        plot = figure(page, "stack").locator(".plot")
        for _ in range(100):  # the charts are drawn anew when the page has time for it
            plot.focus()
            page.keyboard.press("Home")
            told = plain(figure(page, "stack").locator(".readout").inner_text())
            number = next((n for n in range(60) if str(day(n)) in told), None)
            if number is not None and f"KRK {vendor('FlowMinerOut1HopAllKRKNtv', number)}" in told:
                break
            page.wait_for_timeout(200)
        else:
            pytest.fail(f"the stack never shows the vendor's side: {told}")


def _looks(page: Page) -> tuple[str, str]:
    """Colours of the paper and of our line, as they are shown."""
    found: list[str] = page.evaluate(
        """[getComputedStyle(document.body).backgroundColor,
            getComputedStyle([...document.querySelectorAll('.mark-line path')].at(-1)).stroke]"""
    )
    return found[0], found[1]


def test_dark_and_light_and_paper(chromium: Browser, report: Path) -> None:
    with reading(chromium, report) as page:
        light = _looks(page)
        page.emulate_media(color_scheme="dark")
        dark = _looks(page)
        page.emulate_media(color_scheme="dark", media="print")
        paper = _looks(page)
        assert not page.locator("nav").is_visible()
    assert paper == light
    assert dark[0] != light[0]
    assert dark[1] != light[1]
    assert light == ("rgb(253, 253, 251)", "rgb(11, 93, 128)")


@pytest.mark.parametrize("width", [360, 768])
def test_nothing_is_wider_than_the_window(chromium: Browser, report: Path, width: int) -> None:
    with reading(chromium, report, width=width, height=740) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in FIGURES:
            box = figure(page, name).locator("svg").first.bounding_box()
            assert box is not None
            assert 0 < box["width"] <= width
        page.set_viewport_size({"width": width + 200, "height": 740})
        page.wait_for_timeout(400)
        box = figure(page, "metric").locator("svg").first.bounding_box()
        assert box is not None
        assert box["width"] > width


def test_on_paper_the_charts_are_there(chromium: Browser, report: Path) -> None:
    with reading(chromium, report, dark=True) as page:
        whole = page.pdf(format="A4", print_background=True)
        page.evaluate("document.querySelectorAll('.plot svg').forEach((svg) => svg.remove())")
        without = page.pdf(format="A4", print_background=True)
    assert whole.startswith(b"%PDF")
    assert len(whole) > len(without) + 5_000


def test_without_a_cross_check_our_series_are_drawn(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(read_frames(write_run(tmp_path / "results")), path)
    with reading(chromium, path) as page:
        assert figure(page, "metric").locator("svg .mark-line path").count() == 1
        assert "vendor" not in figure(page, "metric").inner_text()
        assert page.locator("figure").count() == 2
