"""How fast the local server is: requests a second, how long the slowest wait, one large call, and whether memory grows.

wrk (`apt-get install wrk`) makes the load: 64 connections that stay open. The results served are made up: ten years
of the catalogue's metrics for twenty exchanges. The large call is the vendor's client's, if REFLOW_CLIENT names a
Python that has it (or `.client` is there, from `dev.py test`), else it is skipped.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from compare.figures import FIGURES, Figure
from reflow.amounts import VALUES_PER_SAT
from reflow.flows.catalog import catalog
from reflow.flows.methodology import REFERENCE
from reflow.flows.recompute import Recomputation
from reflow.ledger.ledger import Tip
from reflow.owners.exchanges import Clusters
from reflow.results.write import write

DAYS: Final = 3653
FIRST: Final = date(2012, 1, 1)
CONNECTIONS: Final = 64
SECONDS: Final = 10
LARGE: Final = 50
CLIENT: Final = Path(
    os.environ.get("REFLOW_CLIENT") or Path(__file__).parents[1] / ".client" / "bin" / "python"
)
CALL: Final = """
import sys, time
from coinmetrics.api_client import CoinMetricsClient
client = CoinMetricsClient(host=sys.argv[1], schema="http")
start = time.perf_counter()
rows = client.get_asset_metrics(assets="btc", metrics=sys.argv[2].split(","), **eval(sys.argv[3])).to_list()
print(time.perf_counter() - start, len(rows))
"""


class Running:
    """The server as a user starts it."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "reflow.cli", "serve", str(folder), "--port", "0", "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = str(json.loads(self.process.stdout.readline())["url"])

    def resident(self) -> int:
        """Bytes in memory now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("results")
    write(_made_up(), folder)
    running = Running(folder)
    yield running
    running.process.terminate()
    running.process.communicate()


def _made_up() -> Recomputation:
    codes = [f"X{number:02d}" for number in range(20)]
    metrics = catalog(codes)
    return Recomputation(
        days=[FIRST + timedelta(n) for n in range(DAYS)],
        metrics=metrics,
        selected=False,
        left_out=[],
        values={
            m.id: [(n * 7919 + k * 104729) % 10**13 * VALUES_PER_SAT for n in range(DAYS)]
            for k, m in enumerate(metrics)
        },
        network="main",
        tip=Tip(1, bytes(32), 1),
        ledger_digest="",
        label_digest="",
        price_digest="",
        clusters=Clusters(dict.fromkeys(codes, 1), dict.fromkeys(codes, 1), 0, 0, ""),
        methodology=REFERENCE,
        seconds={},
    )


def _year(url: str, metric: str, year: int) -> str:
    bounds = f"start_time={year}-01-01&end_time={year}-12-31"
    return f"{url}v4/timeseries/asset-metrics?assets=btc&metrics={metric}&page_size=400&{bounds}"


def _wrk(*words: object) -> tuple[float, float, int]:
    """Requests a second, the 99th percentile in seconds, and how many requests there were."""
    if not shutil.which("wrk"):
        pytest.skip("no wrk: apt-get install wrk")
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", *map(str, words)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in told, told
    [(number, unit)] = re.findall(r"99%\s+([\d.]+)(us|ms|s)\b", told)
    [rate], [requests] = re.findall(r"Requests/sec:\s+([\d.]+)", told), re.findall(r"(\d+) requests in", told)
    return float(rate), float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[unit], int(requests)


def _add(what: str, rate: float, slowest: float) -> None:
    FIGURES.append(Figure(what, slowest, f"{rate:,.0f} requests/s", None))


def test_one_metric_over_one_year(benchmark: Any, server: Running) -> None:
    """The same request again and again; the time is that which one in a hundred exceeds."""
    found = benchmark.pedantic(lambda: _wrk(_year(server.url, "FlowMinerOut1HopAllExNtv", 2020)), rounds=1)
    _add("serve: one metric, one year; p99", *found[:2])


def test_requests_that_differ(benchmark: Any, server: Running, tmp_path: Path) -> None:
    """Every metric in every year, so that most answers are read from the file anew."""
    ids = [
        metric.id for metric in catalog([f"X{number:02d}" for number in range(20)]) if metric.unit != "ratio"
    ]
    paths = [_year("/", metric, year) for metric in ids for year in range(2012, 2022)]
    script = tmp_path / "paths.lua"
    listed = ",\n".join(f'"{path}"' for path in paths)
    script.write_text(
        f"local paths = {{{listed}}}\nlocal at = 0\n"
        "request = function() at = at % #paths + 1; return wrk.format('GET', paths[at]) end\n"
    )
    found = benchmark.pedantic(lambda: _wrk("-s", script, server.url), rounds=1)
    _add("serve: requests that all differ; p99", *found[:2])


@pytest.mark.parametrize(
    ("way", "options"),
    [
        ("pages of 100", {"format": "json"}),
        ("pages of 1000", {"format": "json", "page_size": 1000}),
        ("stream", {}),
    ],
)
def test_ten_years_of_fifty_metrics(
    benchmark: Any, server: Running, way: str, options: dict[str, Any]
) -> None:
    """One call of the vendor's client, everything in one list."""
    if not CLIENT.exists():
        pytest.skip(f"no vendor's client: no {CLIENT} (or REFLOW_CLIENT)")
    ids = [metric.id for metric in catalog([f"X{number:02d}" for number in range(20)])][100 : 100 + LARGE]
    host = server.url.removeprefix("http://").rstrip("/")
    command = [str(CLIENT), "-c", CALL, host, ",".join(ids), repr(options)]
    told = benchmark.pedantic(
        lambda: subprocess.run(command, capture_output=True, text=True, check=True).stdout.split(), rounds=1
    )
    assert int(told[1]) == DAYS
    rate = DAYS * LARGE / float(told[0])
    FIGURES.append(
        Figure(
            f"serve: 10 years x {LARGE} metrics, client, {way}", float(told[0]), f"{rate:,.0f} values/s", None
        )
    )


def test_memory_over_many_requests(benchmark: Any, server: Running) -> None:
    """What is resident after 10,000 requests and after 100,000 more."""
    url = _year(server.url, "FlowMinerIn1HopAllExUSD", 2019)

    def ask(number: int) -> int:
        done = 0
        while done < number:
            done += _wrk(f"{url}&limit_per_asset={300 + done % 60}")[2]
        return server.resident()

    before = ask(10_000)
    after = benchmark.pedantic(lambda: ask(100_000), rounds=1)
    FIGURES.append(Figure("serve: memory after 10,000 requests", 0, f"{before / 2**20:,.0f} MiB", None))
    FIGURES.append(Figure("serve: and after 100,000 more", 0, f"{after / 2**20:,.0f} MiB", None))
