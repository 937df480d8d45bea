"""Catalogue, reference data and methodologies over HTTP: what they list is what there is, in pages and in lines."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from reflow.flows.catalog import catalog
from reflow.flows.methodology import PRESETS
from support.serving import SERIES, Server, day, known_values, results, serving

IDS = sorted(known_values())
SUPPORTED = [id_ for id_ in IDS if "POL" not in id_]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("served")
    results(base / "reference", known_values())
    results(base / "strict", {"BlkCnt": [1, 2]}, methodology="strict")
    (base / "vendor.csv").write_text(
        "time,asset,BlkCnt,MOMR,Other\n2020-01-02,btc,12,1e-9,1\n2020-01-03,btc,,100,2\n2020-01-04,btc,0.50,,3\n"
    )
    with serving(base, "--vendor", base / "vendor.csv") as running:
        yield running


@pytest.mark.parametrize("path", ["/v4/catalog-v2/asset-metrics", "/v4/catalog-all-v2/asset-metrics"])
def test_the_catalogue_lists_metrics_with_values_and_when(server: Server, path: str) -> None:
    [item] = server.get(path).json()["data"]
    assert item["asset"] == "btc"
    assert [one["metric"] for one in item["metrics"]] == SUPPORTED
    spans = {one["metric"]: one["frequencies"] for one in item["metrics"]}
    assert spans["MOMR"] == [
        {
            "frequency": "1d",
            "min_time": f"{day(20)}T00:00:00.000000000Z",
            "max_time": f"{day(29)}T00:00:00.000000000Z",
        }
    ]
    [some] = server.get(path, assets="btc", metrics="MOMR,FlowMinerIn0*").json()["data"]
    assert [one["metric"] for one in some["metrics"]] == [
        "FlowMinerIn0HopAllExNtv",
        "FlowMinerIn0HopAllExUSD",
        "MOMR",
    ]
    assert server.get(path, reviewable="true").json() == {"data": []}
    assert server.get(path, metrics="FlowMinerOut1HopAllPOLNtv").json() == {"data": []}
    lines = server.get(path, format="json_stream")
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text().splitlines()] == [item]


def test_reference_data_tell_every_metric(server: Server) -> None:
    items = server.get("/v4/reference-data/asset-metrics").json()["data"]
    assert [item["metric"] for item in items] == IDS
    known = {metric.id: metric for metric in catalog(["BFX", "BNB"])}
    for item in items:
        assert item["description"] == known[item["metric"]].definition
        assert all(isinstance(value, str) and value for value in item.values())
        assert item["data_type"] == ("bigint" if item["metric"] == "BlkCnt" else "decimal")
    [one] = server.get("/v4/reference-data/asset-metrics", metrics="MOMR", pretty="true").json()["data"]
    assert (one["metric"], one["unit"], one["type"]) == ("MOMR", "Ratio", "Ratio")
    assert server.get("/v4/reference-data/assets").json() == {
        "data": [{"asset": "btc", "full_name": "Bitcoin"}]
    }


def test_reference_data_of_the_whole_catalogue(tmp_path: Path) -> None:
    """Counts and sizes are whole numbers, their means are not; every family has a place."""
    every = {metric.id: metric for metric in catalog(["BFX", "BNB"])}
    with serving(results(tmp_path, {id_: [0, None] for id_ in every})) as running:
        answer = running.get("/v4/reference-data/asset-metrics", page_size=1000).json()
    found = {item["metric"]: item for item in answer["data"]}
    assert found.keys() == every.keys()
    for id_, item in found.items():
        assert item["description"] == every[id_].definition
        assert all(isinstance(value, str) and value for value in item.values())
    told = {
        id_: tuple(found[id_][name] for name in ("unit", "data_type", "type", "category")) for id_ in found
    }
    assert told["TxTfrCnt"] == ("Count", "bigint", "Sum", "Network")
    assert told["BlkSizeMeanByte"] == ("Bytes", "decimal", "Mean", "Network")
    assert told["FeeMedNtv"] == ("Native units", "decimal", "Median", "Network")
    assert told["FeeRevPct"] == ("Ratio", "decimal", "Ratio", "Network")
    assert told["SplyBNBNtv"] == ("Native units", "decimal", "Sum", "Exchange")
    assert told["FlowTfrInBNBCnt"] == told["TxExCnt"] == ("Count", "bigint", "Sum", "Exchange")
    assert told["RevAllTimeUSD"] == ("USD", "decimal", "Sum", "Market")
    assert told["PuellMulRev"] == told["MCTC"] == ("Ratio", "decimal", "Ratio", "Market")


def test_the_older_form_of_the_catalogue(server: Server) -> None:
    for path in ("/v4/catalog/asset-metrics", "/v4/catalog-all/asset-metrics"):
        items = server.get(path).json()["data"]
        assert [item["metric"] for item in items] == SUPPORTED
        assert items[0]["frequencies"] == [{"frequency": "1d", "assets": ["btc"]}]


@pytest.mark.parametrize("end", ["start", "end"])
def test_items_come_in_pages(server: Server, end: str) -> None:
    pages, more = [], {"page_size": 4, "paging_from": end}
    while True:
        answer = server.get("/v4/reference-data/asset-metrics", **more).json()
        pages.append([item["metric"] for item in answer["data"]])
        if "next_page_token" not in answer:
            break
        assert f"next_page_token={answer['next_page_token']}" in answer["next_page_url"]
        more["next_page_token"] = answer["next_page_token"]
    assert pages == ([IDS[:4], IDS[4:]] if end == "start" else [IDS[2:], IDS[:2]])


def test_methodologies_are_listed_the_default_first(server: Server) -> None:
    listed = server.get("/methodology").json()["data"]
    assert [one["name"] for one in listed] == ["reference", "strict", "vendor"] == server.names
    assert listed[0]["parameters"] == PRESETS["reference"].parameters()
    assert (listed[0]["first_day"], listed[0]["last_day"], listed[0]["metrics"]) == (
        day(0),
        day(29),
        len(IDS),
    )
    one = server.get("/methodology/strict").json()
    assert one["run"]["methodology"]["sender"] == one["parameters"]["sender"] == "all_inputs"
    assert one["run"]["digests"]["methodology"] == PRESETS["strict"].digest()


def test_the_vendors_series_are_read_like_a_recomputation(server: Server) -> None:
    answer = server.series("*", methodology="vendor")
    rows = [(row["time"][:10], row["BlkCnt"], row["MOMR"]) for row in answer["data"]]
    assert rows == [
        ("2020-01-02", "12", "0.000000001"),
        ("2020-01-03", None, "100"),
        ("2020-01-04", "0.5", None),
    ]
    reply = server.get(SERIES, assets="btc", metrics="Other", methodology="vendor")
    assert reply.status == 400
    assert server.get("/v4/reference-data/asset-metrics", methodology="vendor").status == 200
