"""Requests made up from the server's own OpenAPI document: none ends in a 500 or in what the document does not say."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support.serving import SERIES, Server, known_values, results, serving

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
PATHS = [
    SERIES,
    "/v4/catalog-v2/asset-metrics",
    "/v4/catalog-all-v2/asset-metrics",
    "/v4/reference-data/asset-metrics",
    "/v4/reference-data/assets",
    "/v4/catalog/asset-metrics",
    "/v4/catalog-all/asset-metrics",
    "/explain",
    "/methodology",
    "/methodology/{name}",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(results(tmp_path_factory.mktemp("served"), known_values())) as running:
        yield running


def test_the_document_tells_every_path(server: Server) -> None:
    told = server.raw("/openapi.json").json()
    assert sorted(told["paths"]) == sorted(PATHS)
    names = [one["name"] for one in told["paths"][SERIES]["get"]["parameters"]]
    assert len(names) == len(set(names)) == 26


def _statuses(server: Server, path: str, mode: GenerationMode, adapt: Callable[[Any], None]) -> list[int]:
    """Ask what schemathesis makes up, check each answer against the document; gives the statuses."""
    document = server.raw("/openapi.json").json()
    schema: Any = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=server.url)
    statuses: list[int] = []

    @given(case=schema[path]["GET"].as_strategy(generation_mode=mode))
    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        adapt(case)
        response = case.call()
        case.validate_response(response, checks=CHECKS)
        statuses.append(response.status_code)

    ask()
    return statuses


@pytest.mark.parametrize("path", PATHS)
def test_what_is_asked_wrongly_is_refused(server: Server, path: str) -> None:
    statuses = _statuses(server, path, GenerationMode.NEGATIVE, lambda case: None)
    assert len(statuses) > 10
    assert 400 in statuses


def test_what_is_asked_rightly_is_answered(server: Server) -> None:
    """Ids and names that exist, all other parameters as made up: many requests must succeed, in every format."""

    def adapt(case: Any) -> None:
        case.query = {
            name: value
            for name, value in (case.query or {}).items()
            if name not in ("methodology", "next_page_token", "timezone", "start_hash", "end_hash")
            and not name.endswith(("_time", "_height"))
        } | {"assets": "btc", "metrics": "FlowMinerIn0*,BlkCnt"}

    assert set(_statuses(server, SERIES, GenerationMode.POSITIVE, adapt)) == {200}
