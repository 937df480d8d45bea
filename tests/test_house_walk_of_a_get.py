"""Whoever follows a request from the socket to the SQL opens few files of the engine."""

import http.client
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from support.serving import SERIES, known_values, results, serving_here
from support.walks import Walk, walked

MOST_FILES = 8
"""For an answer that is worked out."""

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
def test_a_get_is_followed_in_eight_files(tmp_path: Path, target: str) -> None:
    results(tmp_path, known_values())
    statuses: list[int] = []
    walks: list[Walk] = []

    def ask(address: tuple[str, int]) -> None:
        with closing(http.client.HTTPConnection(*address, timeout=30)) as connection:
            connection.request("GET", target)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)

    with ExitStack() as stack:
        serving_here(tmp_path, ask, lambda: walks.append(stack.enter_context(walked())))
    assert statuses == [200]
    assert {"serve/server.py", "serve/app.py", "serve/library.py"} <= walks[0].files
    assert len(walks[0].files) <= MOST_FILES, sorted(walks[0].files)
