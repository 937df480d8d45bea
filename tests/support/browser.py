"""A real browser for pages that the project makes: headless Chromium, driven by Playwright, with its complaints kept.

    def test_page_is_quiet(chromium: Browser, tmp_path: Path) -> None:
        with visit(chromium, (tmp_path / "page.html").as_uri(), width=360, dark=True) as seen:
            seen.page.get_by_role("button", name="CSV").click()
        assert seen.complaints == []
        assert seen.outside == []

The fixture `chromium` is in conftest.py. Chromium is Debian's own (`apt-get install chromium`), or the program that
REFLOW_CHROMIUM names.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""No request of the browser's own; the sandbox needs rights that a container has not."""

_INSIDE = ("data:", "blob:", "about:")
"""What never leaves the page."""


class Visit(NamedTuple):
    """A page, and what was seen of it so far; both lists should stay empty."""

    page: Page
    complaints: list[str]
    """Errors and warnings of the console, and exceptions that nothing caught."""
    requests: list[str]
    """The URL of every request and WebSocket, that of the page itself first; no data: and blob: URLs."""

    @property
    def outside(self) -> list[str]:
        """Requests for anything but the page's own file or, of a served page, its own server."""
        home = self.requests[0]
        near = home if home.startswith("file:") else "{0.scheme}://{0.netloc}/".format(urlsplit(home))
        return [url for url in self.requests if not url.startswith(near)]


def find_chromium() -> str | None:
    """The path of a Chromium, if there is one."""
    names = (os.environ.get("REFLOW_CHROMIUM") or "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """Chromium with a new profile of its own, until the end of the block."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), headless=True, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Browser, url: str, *, width: int = 1280, height: int = 900, dark: bool = False
) -> Iterator[Visit]:
    """Open a URL in a window of that size and wait until it is loaded; `file://` URLs come from `Path.as_uri`."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        has_touch=width < 600,
        accept_downloads=True,
    )
    seen = Visit(context.new_page(), [], [])
    seen.page.on("console", lambda message: _hear(seen, message))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.on("request", lambda request: _note(seen, request.url))
    seen.page.on("websocket", lambda socket: _note(seen, socket.url))
    seen.page.goto(url)
    yield seen
    context.close()


def _hear(seen: Visit, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        seen.complaints.append(message.text)


def _note(seen: Visit, url: str) -> None:
    if not url.startswith(_INSIDE):
        seen.requests.append(url)
