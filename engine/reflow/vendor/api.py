"""The vendor's series live: its own client asks, under a Python that has it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from reflow.errors import VendorError
from reflow.vendor import client as vendor_client
from reflow.vendor.files import Vendor, read_vendor_file

CLIENT: Final = "REFLOW_CLIENT"
"""Environment variable with the Python that has `coinmetrics-api-client`, if it is not this one."""
KEY: Final = "CM_API_KEY"
"""Environment variable with the vendor's key; without it the vendor's free series are asked for."""
URL: Final = "REFLOW_VENDOR_URL"
"""Environment variable with another server that speaks the vendor's API, such as `http://127.0.0.1:8080`."""


def fetch_vendor(metrics: Collection[str], first: date | None, last: date | None) -> Vendor:
    """Those of `metrics` that the vendor has for bitcoin by day, between the days `first` and `last`.

    The key is handed on in the environment: it is never stored, printed or an argument of a process. Raises VendorError
    when the client is not there, or with what the server said.
    """
    url = os.environ.get(URL, "")
    question = {"metrics": sorted(metrics), "first": _text(first), "last": _text(last), "url": url}
    done = subprocess.run(
        [_python(), "-I", vendor_client.__file__],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    key = os.environ.get(KEY, "")
    source = urlsplit(url).netloc.rpartition("@")[2] or "the vendor's API"
    if done.returncode:
        raise VendorError(f"{source}: {vendor_client.hide(_last_line(done.stderr), key)}")
    if not done.stdout.strip():
        raise VendorError(f"{source}: the vendor has none of our metrics on these days")
    with tempfile.TemporaryDirectory(prefix="reflow-") as folder:
        rows = Path(folder) / "rows.json"
        rows.write_text(done.stdout, encoding="utf-8")
        try:
            return read_vendor_file(rows, metrics)._replace(source=source)
        except VendorError as error:
            raise VendorError(vendor_client.hide(str(error).replace(str(rows), source), key)) from None


def _python() -> str:
    if chosen := os.environ.get(CLIENT):
        if not Path(chosen).exists():
            raise VendorError(
                f"{CLIENT}={chosen}: no such file, expected a Python that has coinmetrics-api-client"
            )
        return chosen
    if find_spec("coinmetrics") is None:
        raise VendorError(
            "the vendor's client is not installed: make an environment for it (python3 -m venv client; client/bin/pip "
            f"install coinmetrics-api-client) and set {CLIENT}=client/bin/python"
        )
    return sys.executable


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "the vendor's client ended without a message"


def _text(day: date | None) -> str | None:
    return None if day is None else str(day)
