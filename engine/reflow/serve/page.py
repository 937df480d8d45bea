"""The files of the page at `/`: all from this server, so that it works offline and asks nobody else."""

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import vl_convert

_SCRIPT: Final = "text/javascript; charset=utf-8"
_STATIC: Final = Path(__file__).parent / "static"

HEADERS: Final = {
    "cache-control": "no-cache",
    # The chart library sets styles as it draws; its expressions are interpreted, not evaluated.
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Headers of every such file: nothing from elsewhere is loaded, and no address leaves."""


class Part(NamedTuple):
    """One file."""

    media: str
    body: bytes


@cache
def parts() -> dict[str, Part]:
    """Path to what is there: the page, its style and its scripts."""
    style = "text/css; charset=utf-8"
    return {
        "/": Part("text/html; charset=utf-8", _read("index.html")),
        "/static/page.css": Part(style, _read("page.css")),
        "/static/page.js": Part(_SCRIPT, _read("page.js")),
        "/static/explanation.js": Part(_SCRIPT, _read("explanation.js")),
    }


CHARTS: Final = "/static/charts.js"
"""Where the chart library is."""


@cache
def charts() -> Part:
    """The chart library (Vega-Lite as vl-convert has it), a module that sets `window.vegaEmbed`; made in seconds."""
    return Part(_SCRIPT, vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").encode())


def _read(name: str) -> bytes:
    return (_STATIC / name).read_bytes()
