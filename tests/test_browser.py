"""The helper that watches pages sees what it must: a quiet page passes, and every kind of fault is told."""

from pathlib import Path

from playwright.sync_api import Browser

from support.browser import visit

QUIET = "<!doctype html><title>quiet</title><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='><p>text"
LOUD = """<!doctype html><title>loud</title>
<script src="other.js"></script>
<script>console.error("said"); console.warn("muttered"); setTimeout(() => { throw Error("thrown") })</script>
<script>fetch("http://127.0.0.1:9/far").catch(() => {}); new WebSocket("ws://127.0.0.1:9/socket")</script>
"""


def test_a_quiet_page_gives_nothing_to_complain_about(chromium: Browser, tmp_path: Path) -> None:
    page = tmp_path / "quiet.html"
    page.write_text(QUIET)
    with visit(chromium, page.as_uri(), width=360, dark=True) as seen:
        assert seen.page.title() == "quiet"
        assert seen.page.evaluate("innerWidth") == 360
        assert seen.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        seen.page.wait_for_load_state("networkidle")
    assert (seen.complaints, seen.requests, seen.outside) == ([], [page.as_uri()], [])


def test_errors_warnings_and_requests_are_told(chromium: Browser, tmp_path: Path) -> None:
    page = tmp_path / "loud.html"
    page.write_text(LOUD)
    with visit(chromium, page.as_uri()) as seen:
        seen.page.wait_for_load_state("networkidle")
    assert {"said", "muttered", "thrown"} <= set(seen.complaints)
    other = (tmp_path / "other.js").as_uri()
    assert sorted(seen.outside) == sorted([other, "http://127.0.0.1:9/far", "ws://127.0.0.1:9/socket"])
