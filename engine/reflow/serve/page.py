"""The files of the page at `/`: all from this server, so that it works offline and asks nobody else."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import vl_convert  # noqa: F401  # named here so that a missing part of the extra is told at once

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
    """The chart library (Vega-Lite as vl-convert has it), a module that sets `window.vegaEmbed`; made in seconds.

    A process of its own makes it, for meanwhile no other thread of that process would run.
    """
    program = "import sys, vl_convert; sys.stdout.write(vl_convert.javascript_bundle('window.vegaEmbed = vegaEmbed;'))"
    made = subprocess.run(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    return Part(_SCRIPT, made.stdout)


def _read(name: str) -> bytes:
    return (_STATIC / name).read_bytes()
