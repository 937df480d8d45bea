"""The vendor's series live: through the vendor's own client, from a server on this machine that speaks its API.

The client needs a Python of its own (REFLOW_CLIENT, or .client, which `dev.py test` makes).
"""

import json
import os
import socket
import sys
import threading
from base64 import b64encode
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

import pytest

from reflow.errors import VendorError
from reflow.results.read import read_results
from reflow.vendor import api as vendor_api
from reflow.vendor.api import fetch_vendor
from support.command import run
from support.serving import known_values, results, serving
from support.surroundings import ROOT, need

SECRET = "s3cret-key"
METRICS = ("BlkCnt", "FlowMinerIn0HopAllExNtv", "FlowMinerNet1HopAllNtv", "TxCnt")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the Python that has the vendor's client be used."""
    python = Path(os.environ.get("REFLOW_CLIENT") or ROOT / ".client" / "bin" / "python")
    need(python.exists(), f"no vendor's client: no {python} (or REFLOW_CLIENT)")
    monkeypatch.setenv("REFLOW_CLIENT", str(python))


@pytest.mark.usefixtures("client")
def test_live_series_are_the_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value, gaps too; nothing else than what was asked for; the key is wanted, and a wrong one is not told."""
    folder = results(tmp_path / "results", known_values())
    ours = read_results(folder).metrics
    with serving(folder, "--api-key-env", "SERVER_KEY", SERVER_KEY=SECRET) as server:
        monkeypatch.setenv("REFLOW_VENDOR_URL", f"http://{server.address[0]}:{server.address[1]}")
        monkeypatch.setenv("CM_API_KEY", SECRET)
        found = fetch_vendor(METRICS, None, None)
        some = fetch_vendor(METRICS, date(2020, 1, 5), date(2020, 1, 8))
        with pytest.raises(VendorError, match="has none of our metrics"):
            fetch_vendor(("TxCnt",), None, None)
        monkeypatch.setenv("CM_API_KEY", wrong := f"not-{SECRET}")
        with pytest.raises(VendorError) as refused:
            fetch_vendor(METRICS, None, None)
    assert wrong not in str(refused.value)
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert sorted(found.table) == sorted(set(METRICS) - {"TxCnt"})
    for metric, series in found.table.items():
        known = {day: value for day, value in ours[metric].items() if value is not None}
        assert {day: value for day, value in series.items() if value is not None} == known
    assert sorted(some.table["BlkCnt"]) == [date(2020, 1, n) for n in (5, 6, 7, 8)]
    assert found.source == f"{server.address[0]}:{server.address[1]}"


def test_offline_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told at once: the client by itself would try for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("REFLOW_CLIENT", sys.executable)
    monkeypatch.setenv("REFLOW_VENDOR_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("CM_API_KEY", SECRET)
    with pytest.raises(VendorError) as error:
        fetch_vendor(METRICS, None, None)
    assert str(error.value) == (
        f"127.0.0.1:{port}: 127.0.0.1:{port} cannot be reached (Connection refused): offline?"
    )


def test_without_the_client_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REFLOW_CLIENT", raising=False)
    monkeypatch.setattr(vendor_api, "find_spec", lambda _: None)
    with pytest.raises(VendorError, match="client is not installed: make an environment for it"):
        fetch_vendor(METRICS, None, None)
    monkeypatch.setenv("REFLOW_CLIENT", "/no/such/python")
    with pytest.raises(VendorError, match="REFLOW_CLIENT=/no/such/python: no such file"):
        fetch_vendor(METRICS, None, None)


def test_the_key_is_no_argument_and_rows_are_read_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the other Python sees the key in the environment, and neither arguments nor question have it."""
    python = tmp_path / "python"
    python.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        f"assert os.environ['CM_API_KEY'] == {SECRET!r}\n"
        f"assert {SECRET!r} not in ' '.join(sys.argv) + sys.stdin.read()\n"
        """print('{"time": "2020-01-01T00:00:00.000000000Z", "metric": "BlkCnt", "value": "144.50"}')\n"""
    )
    python.chmod(0o755)
    monkeypatch.setenv("REFLOW_CLIENT", str(python))
    monkeypatch.setenv("CM_API_KEY", SECRET)
    assert fetch_vendor(METRICS, None, None).table == {"BlkCnt": {date(2020, 1, 1): Decimal("144.5")}}


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda key: key,
    "in an address": lambda key: quote(key),
    "in a query": lambda key: quote_plus(key),
    "in small letters": lambda key: quote(key, safe="").lower(),
    "in JSON": lambda key: json.dumps(key)[1:-1],
    "in HTML": lambda key: escape(key),
    "in base64": lambda key: b64encode(key.encode()).decode(),
}
ODD_KEY = "s3cret/k\xe4y & 'more' <\"x\">"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_key_is_hidden_in_what_a_server_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Callable[[str], str]
) -> None:
    """A stand-in for the other Python says what a hostile server had it say: as an error, as a value, as a metric."""
    said = form(ODD_KEY)
    row = {"time": "2020-01-01", "metric": "BlkCnt", "value": said}
    for number, line in enumerate(
        (
            f"sys.exit('Traceback\\n' + {said!r})",
            f"print({json.dumps(row)!r})",
            f"os.write(2, {said!r}.encode()); os.abort()",
        )
    ):
        python = tmp_path / f"python{number}"
        python.write_text(f"#!{sys.executable}\nimport os, sys\n{line}\n")
        python.chmod(0o755)
        monkeypatch.setenv("REFLOW_CLIENT", str(python))
        monkeypatch.setenv("CM_API_KEY", ODD_KEY)
        with pytest.raises(VendorError) as fault:
            fetch_vendor(METRICS, None, None)
        assert said not in str(fault.value)
        assert "\u2026" in str(fault.value)


class _Echo(BaseHTTPRequestHandler):
    """Says back what it was asked, in the way that the path of its server's class names."""

    way = ""

    def do_GET(self) -> None:
        asked = unquote(self.path) + "|" + self.path
        row = {"asset": "btc", "time": "2020-01-01T00:00:00.000000000Z", "BlkCnt": asked, asked: asked}
        offered = {"asset": "btc", "metrics": [{"metric": "BlkCnt", "frequencies": [{"frequency": "1d"}]}]}
        content = {
            "error": {"error": {"type": asked, "message": asked}},
            "value": {"data": [offered] if "catalog" in self.path else [row]},
        }[self.way]
        body = json.dumps(content).encode()
        self.send_response(400 if self.way == "error" else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("way", ["error", "value"])
def test_a_server_that_says_the_key_back_does_not_get_it_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Through the vendor's own client and the command line."""
    monkeypatch.setattr(_Echo, "way", way)
    folder = results(tmp_path / "results", known_values())
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("REFLOW_VENDOR_URL", f"http://user:pass-of-url@{address}")
        monkeypatch.setenv("CM_API_KEY", ODD_KEY)
        done = run("crosscheck", "--metrics", folder, "--vendor", "api", "--out", tmp_path / "out")
        server.shutdown()
        thread.join()
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    for form in (ODD_KEY, quote(ODD_KEY, safe=""), quote_plus(ODD_KEY), "pass-of-url"):
        assert form not in done.stderr
    assert address in done.stderr
    assert not (tmp_path / "out").exists()
