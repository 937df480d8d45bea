"""Whoever follows a request from the socket to the SQL opens few files of the engine."""

import http.client
import os
import signal
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reflow.serve.server import serve
from support.serving import SERIES, known_values, results
from support.walks import Walk, walked

MOST_OF_A_GET = 8
"""Files from the socket to the SQL, for an answer that is worked out."""

GETS = {
    "a page": f"{SERIES}?assets=btc&metrics=*",
    "lines within bounds of time": f"{SERIES}?assets=btc&metrics=FlowMiner*&format=csv&page_size=3"
    "&start_time=2020-01-03T12:00:00&timezone=Europe/Paris",
    "a stream within bounds of height": f"/methodology/reference{SERIES}?assets=btc&metrics=BlkCnt"
    "&format=json_stream&start_height=3&end_height=20",
    "the catalogue": "/v4/catalog-v2/asset-metrics?page_size=1",
    "what metrics mean": "/v4/reference-data/asset-metrics?pretty=true",
}


@pytest.mark.parametrize("target", GETS.values(), ids=GETS)
def test_a_get_is_read_in_eight_files(tmp_path: Path, target: str) -> None:
    results(tmp_path, known_values())
    statuses: list[int] = []

    def ask(address: str | None, port: int | None) -> None:
        try:
            with closing(http.client.HTTPConnection(address or "", port, timeout=30)) as connection:
                connection.request("GET", target)
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    with ExitStack() as stack:
        walks: list[Walk] = []

        def started(url: str, _: list[str]) -> None:
            parts = urlsplit(url)
            walks.append(stack.enter_context(walked()))
            threading.Thread(target=ask, args=(parts.hostname, parts.port)).start()

        serve(tmp_path, port=0, started=started)
    assert statuses == [200]
    assert {"serve/server.py", "serve/app.py", "serve/library.py"} <= walks[0].files
    assert len(walks[0].files) <= MOST_OF_A_GET, sorted(walks[0].files)
