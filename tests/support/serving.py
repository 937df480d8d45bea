"""`reflow serve` as a process of its own, over results whose every value is known, and plain HTTP to talk to it."""

import asyncio
import gzip
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from reflow.amounts import VALUE_SCALE, VALUES_PER_SAT
from reflow.flows.catalog import catalog
from reflow.flows.methodology import PRESETS
from reflow.flows.recompute import Recomputation, recompute
from reflow.results.write import write
from reflow.serve.server import serve
from support.economy import coinbase, labels_of, ledger_of, on_day, settled
from support.surroundings import ROOT

START = date(2020, 1, 1)
DAYS = 30
SERIES = "/v4/timeseries/asset-metrics"


class Reply(NamedTuple):
    """An answer of the server."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def text(self) -> str:
        return self.body.decode()


class Server(NamedTuple):
    """A server that runs."""

    url: str
    """Ends with a slash."""
    names: list[str]
    process: "subprocess.Popen[str]"
    complaints: list[str]
    """What it wrote to stderr, once it has ended."""

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        assert parts.hostname
        assert parts.port
        return parts.hostname, parts.port

    def raw(self, target: str, method: str = "GET", **headers: str) -> Reply:
        """Ask for a path and query as they are written."""
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        try:
            connection.request(method, target, headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        if found.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        return Reply(answer.status, found, body)

    def get(self, path: str, **parameters: object) -> Reply:
        """Ask with parameters, encoded as they must be."""
        return self.raw(f"{path}?{urlencode(parameters)}")

    def series(self, metrics: str, **parameters: object) -> Any:
        """The JSON of the series; must succeed."""
        reply = self.get(SERIES, assets="btc", metrics=metrics, **parameters)
        assert reply.status == 200, reply.text()
        return reply.json()


def serving_here(
    folder: Path, ask: Callable[[tuple[str, int]], None], started: Callable[[], object] = lambda: None
) -> None:
    """Run the server in this thread, for as long as a client in another one asks it at its address.

    `started` is called before the first request; what the client raises is raised here.
    """
    faults: list[BaseException] = []

    def run(address: tuple[str, int]) -> None:
        try:
            ask(address)
        except BaseException as fault:
            faults.append(fault)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    def begin(url: str, _: list[str]) -> None:
        parts = urlsplit(url)
        started()
        threading.Thread(target=run, args=((parts.hostname, parts.port),)).start()

    # A browser of other tests may have left its own event loop marked as running in this thread, where it sleeps.
    sleeping = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        serve(folder, port=0, started=begin)
    finally:
        asyncio._set_running_loop(sleeping)
    if faults:
        raise faults[0]


def days_of(answer: Any) -> list[str]:
    """The days of the rows."""
    return [row["time"].removesuffix("T00:00:00.000000000Z") for row in answer["data"]]


def day(number: int) -> str:
    """The day of that number, from 0."""
    return str(START + timedelta(number))


@cache
def _template() -> Recomputation:
    blocks = settled(*(on_day(n, coinbase((1, 5_000_000_000))) for n in range(3)))
    with ledger_of(blocks) as ledger:
        return recompute(ledger, labels_of({2: "BFX", 3: "BNB"}, {}))


def results(
    folder: Path,
    values: Mapping[str, Sequence[int | None]],
    *,
    methodology: str = "reference",
    digest: str = "of nothing",
) -> Path:
    """Write results with these values, in 10**-18 units, a value for each day from START."""
    metrics = [metric for metric in catalog(["BFX", "BNB"]) if metric.id in values]
    assert len(metrics) == len(values)
    [number] = {len(series) for series in values.values()}
    result = _template()._replace(
        days=[START + timedelta(n) for n in range(number)],
        metrics=metrics,
        values={metric.id: list(values[metric.id]) for metric in metrics},
        methodology=PRESETS[methodology],
        ledger_digest=digest,
    )
    write(result, folder)
    return folder


def known_values(factor: int = 1) -> dict[str, Sequence[int | None]]:
    """Values of DAYS days: whole and broken numbers, zeros, a gap, a metric that begins late, one without any value.

    Native units have 8 places, US dollars and ratios all 18.
    """
    late: list[int | None] = [None] * 20
    return {
        "BlkCnt": [2 * VALUE_SCALE] * 4 + [0] + [3 * VALUE_SCALE] * (DAYS - 5),
        "FlowMinerIn0HopAllExNtv": [factor * (n * VALUE_SCALE + n * VALUES_PER_SAT) for n in range(DAYS)],
        "FlowMinerIn0HopAllExUSD": [factor * (123_456_789 * VALUE_SCALE * n + n) for n in range(DAYS)],
        "FlowMinerNet1HopAllNtv": [-factor * 15 * VALUE_SCALE // 10 if n != 7 else None for n in range(DAYS)],
        "MOMR": late + [factor] * (DAYS - 20),
        "FlowMinerOut1HopAllPOLNtv": [None] * DAYS,
    }


@contextmanager
def serving(folder: Path, *options: object, files: int | None = None, **environment: str) -> Iterator[Server]:
    """Run `reflow serve` on a free port until the end of the block; it must then end by itself, without a traceback.

    With `files` it may have so many files and connections open, and no more.
    """
    command = [sys.executable, "-m", "reflow.cli", "serve", folder, "--port", 0, "--json", *options]
    if files is not None:
        command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command]
    with subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        try:
            assert line, process.stderr and process.stderr.read()
            told = json.loads(line)
            server = Server(told["url"], told["methodologies"], process, [])
            yield server
        finally:
            process.terminate()
            _, complaints = process.communicate(timeout=30)
        server.complaints.append(complaints)
        assert (process.returncode, "Traceback" in complaints) == (0, False), complaints
