"""The vendor's own client, curl and requests against a running server, as their documentation shows them.

The client has an environment of its own (see docs/dependencies.md): `.client`, or the Python that REFLOW_CLIENT names.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.serving import DAYS, Server, day, known_values, results, serving
from support.surroundings import ROOT, need

EX = "FlowMinerIn0HopAllExNtv"
NET = "FlowMinerNet1HopAllNtv"
KEY = "<your_key>"  # as the examples have it, brackets and all
QUERY = "metrics={metric}&assets=btc&pretty=true&api_key=<your_key>"
FRAME = """
from coinmetrics.api_client import CoinMetricsClient
api_key = "<your_key>"
client = CoinMetricsClient(api_key, host={host!r}, schema="http")
print(client.get_asset_metrics(metrics={metric!r}, assets="btc").to_dataframe())
"""


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python that has the client."""
    found = Path(os.environ.get("REFLOW_CLIENT") or ROOT / ".client" / "bin" / "python")
    need(found.exists(), f"no coinmetrics-api-client: no {found} (or REFLOW_CLIENT)")
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("served")
    results(base / "reference", known_values())
    results(base / "strict", known_values(2), methodology="strict")
    with serving(base) as running:
        yield running


@pytest.fixture(scope="module")
def told(server: Server, python: Path) -> dict[str, Any]:
    """What client_calls.py printed."""
    host, port = server.address
    answer: dict[str, Any] = json.loads(
        _run(python, Path(__file__).with_name("support") / "client_calls.py", f"{host}:{port}")
    )
    return answer


def test_lists(told: dict[str, Any]) -> None:
    assert [row["time"][:10] for row in told["list"]] == [day(n) for n in range(DAYS)]
    assert told["list"][7] == {
        "asset": "btc",
        "time": f"{day(7)}T00:00:00.000000000Z",
        EX: "7.00000007",
        NET: None,
        "MOMR": None,
    }
    assert told["star"] == ["FlowMinerIn0HopAllExNtv", "FlowMinerIn0HopAllExUSD", "asset", "time"]


def test_frames(told: dict[str, Any]) -> None:
    total = sum(n + n / 1e8 for n in range(DAYS))
    columns = [name + suffix for name in (NET, EX) for suffix in ("-status-time", "-status", "")]
    assert sorted(told["frame"]["columns"]) == sorted(["asset", "time", *columns])
    assert (told["frame"]["rows"], told["frame"]["sum"]) == (DAYS, pytest.approx(total))
    assert "datetime64[ns, UTC]" in told["frame"]["types"]
    assert told["exact"]["last"][told["exact"]["columns"].index(EX)] == "29.000000290000000000"
    assert told["polars"][0] == DAYS


def test_pages(told: dict[str, Any]) -> None:
    every = [day(n) for n in range(DAYS)]
    assert told["pages"] == every
    assert sorted(told["pages_from_end"]) == every
    assert told["pages_from_end"][:7] == every[-7:]
    assert told["first_page"] == every[:7]
    assert told["limit"] == every[:2]
    assert told["limit_from_end"] == every[-2:]
    assert [row[EX] for row in told["strict"]][-1] == "58.00000058"
    assert len(told["strict"]) == DAYS


def test_bounds(told: dict[str, Any]) -> None:
    assert told["bounds"] == [day(n) for n in range(4, 9)]
    assert told["exclusive"] == [day(n) for n in range(5, 8)]
    assert told["zone"] == [day(4)]
    assert told["heights"] == [day(n) for n in range(3, 6)]
    assert told["zero"] == []


def test_parallel_gives_the_same(told: dict[str, Any]) -> None:
    total = pytest.approx(sum(n + n / 1e8 for n in range(DAYS)))
    for way in ("parallel", "parallel_metrics"):
        assert told[way]["sum"] == total
    assert told["parallel"]["rows"] == DAYS
    assert (told["parallel_time"]["rows"], told["parallel_time"]["sum"]) == (DAYS, total)


def test_catalogue(told: dict[str, Any]) -> None:
    [item] = told["catalog"]
    assert [one["metric"] for one in item["metrics"]] == [EX, "MOMR"]
    assert told["catalog_frame"][0] == len(known_values()) - 1
    assert told["catalog_pages"] == 1
    assert told["reference"] == told["reference_pages"] == sorted(known_values())
    assert told["old_catalog"] == [metric for metric in sorted(known_values()) if "POL" not in metric]
    assert told["assets"] == [{"asset": "btc", "full_name": "Bitcoin"}]


@pytest.mark.parametrize(
    ("case", "kind", "status"),
    [
        ("unknown_metric", "CoinMetricsClientBadParameterError", 400),
        ("unknown_asset", "CoinMetricsClientBadParameterError", 400),
        ("bad_time", "CoinMetricsClientBadParameterError", 400),
        ("bad_page", "CoinMetricsClientBadParameterError", 400),
        ("too_long", "CoinMetricsClientQueryParamsException", None),
        ("not_there", "HTTPError", 404),
    ],
)
def test_errors_are_those_of_the_client(
    told: dict[str, Any], case: str, kind: str, status: int | None
) -> None:
    name, is_http, found, message = told[case]
    assert (name, is_http) == (kind, True), message
    assert status in (None, found)


def test_any_key_is_taken_where_the_operator_set_none(told: dict[str, Any]) -> None:
    assert told["any_key"] == DAYS


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants the key which the examples have."""
    folder = results(tmp_path_factory.mktemp("locked"), known_values())
    with serving(folder, "--api-key-env", "MY_KEY", MY_KEY=KEY) as running:
        yield running


@pytest.mark.parametrize("metric", [EX, "FlowMinerIn0HopAll*"])
def test_curl_as_documented(locked: Server, metric: str) -> None:
    need(shutil.which("curl") is not None, "no curl")
    url = f"{locked.url}v4/timeseries/asset-metrics?{QUERY.format(metric=metric)}"
    printed = _run("curl", "--silent", "--show-error", "--compressed", url)
    rows = json.loads(printed)["data"]
    assert (len(rows), rows[-1][EX]) == (DAYS, "29.00000029")
    assert printed.count("\n") > DAYS


@pytest.mark.parametrize("metric", [EX, "FlowMinerIn0HopAll*"])
def test_requests_as_documented(locked: Server, metric: str) -> None:
    url = f"{locked.url}v4/timeseries/asset-metrics?{QUERY.format(metric=metric)}"
    program = f"import requests\nresponse = requests.get({url!r}).json()\nprint(response)"
    assert f"'{EX}': '29.00000029'" in _run(sys.executable, "-c", program)


def test_the_client_as_documented(locked: Server, python: Path) -> None:
    host, port = locked.address
    printed = _run(python, "-c", FRAME.format(host=f"{host}:{port}", metric=EX))
    assert f"[{DAYS} rows x 5 columns]" in printed
    wrong = FRAME.replace(KEY, "other").format(host=f"{host}:{port}", metric=EX)
    done = subprocess.run([python, "-c", wrong], capture_output=True, text=True, check=False)
    assert "CoinMetricsClientUnauthorizedError" in done.stderr


def _run(*command: object) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
