"""Series over HTTP: rows, names, bounds, pages both ways, forms; every value is known beforehand."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.serving import DAYS, SERIES, Server, day, days_of, known_values, results, serving

EX = "FlowMinerIn0HopAllExNtv"
USD = "FlowMinerIn0HopAllExUSD"
NET = "FlowMinerNet1HopAllNtv"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("served")
    results(base / "reference", known_values())
    results(base / "strict", known_values(2), methodology="strict")
    with serving(base) as running:
        yield running


def test_rows_are_strings_in_name_order_whatever_the_order_asked(server: Server) -> None:
    answer = server.series(f"MOMR,{NET},{EX},{EX}", start_time=day(3), end_time=day(3))
    assert answer == {
        "data": [
            {
                "asset": "btc",
                "time": "2020-01-04T00:00:00.000000000Z",
                EX: "3.00000003",
                NET: "-1.5",
                "MOMR": None,
            }
        ]
    }
    assert list(answer["data"][0]) == ["asset", "time", EX, NET, "MOMR"]


def test_numbers_are_plain_decimals(server: Server) -> None:
    [first, second] = server.series(f"{USD},BlkCnt", paging_from="start", page_size=2)["data"]
    assert (first[USD], first["BlkCnt"]) == ("0", "2")
    assert second[USD] == "123456789.000000000000000001"
    [row] = server.series("MOMR", page_size=1)["data"]
    assert row["MOMR"] == "0.000000000000000001"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10**38 - 1, "99999999999999999999.999999999999999999"),
        (-1, "-0.000000000000000001"),
        (-15 * 10**17, "-1.5"),
        (100 * 10**18, "100"),
        (87_652_835_123_456_789_012_340, "87652.83512345678901234"),
    ],
)
def test_every_digit_is_served_in_every_form(tmp_path: Path, value: int, text: str) -> None:
    with serving(results(tmp_path, {USD: [value], "BlkCnt": [10**18]})) as server:
        [row] = server.series(f"{USD},BlkCnt")["data"]
        assert (row[USD], row["BlkCnt"]) == (text, "1")
        target = f"{SERIES}?assets=btc&metrics={USD}"
        assert json.loads(server.raw(f"{target}&format=json_stream").text())[USD] == text
        assert server.raw(f"{target}&format=csv").text().splitlines()[1].endswith(f",{text}")
        assert server.get(SERIES, assets="btc", metrics="BlkCnt", start_height=1).status == 200


def test_a_day_without_any_value_is_left_out(server: Server) -> None:
    assert day(7) not in days_of(server.series(NET))
    assert len(days_of(server.series(NET))) == DAYS - 1
    [row] = server.series(f"{NET},{EX}", start_time=day(7), end_time=day(7))["data"]
    assert row[NET] is None
    [row] = server.series(f"{NET},{EX}", start_time=day(7), end_time=day(7), null_as_zero="true")["data"]
    assert row[NET] == "0"
    assert len(server.series(NET, null_as_zero="true")["data"]) == DAYS - 1
    assert days_of(server.series("MOMR"))[0] == day(20)


def test_a_star_at_the_end_names_every_id_that_begins_so(server: Server) -> None:
    [row] = server.series("FlowMinerIn0HopAll*", page_size=1)["data"]
    assert list(row) == ["asset", "time", EX, USD]
    [row] = server.series(f"{EX},FlowMinerIn0*,B*", page_size=1)["data"]
    assert list(row) == ["asset", "time", "BlkCnt", EX, USD]
    [row] = server.series("*", page_size=1)["data"]
    assert list(row) == ["asset", "time", "BlkCnt", EX, USD, NET, "MOMR"]
    assert server.get(SERIES, assets="*", metrics="BlkCnt").status == 200
    assert server.get(SERIES, assets="b*", metrics="BlkCnt").status == 200


def test_a_metric_without_any_value_is_known_but_not_supported(server: Server) -> None:
    [row] = server.series(f"FlowMinerOut1HopAllPOLNtv,{EX}", page_size=1)["data"]
    assert list(row) == ["asset", "time", EX]
    reply = server.get(SERIES, assets="btc", metrics="FlowMinerOut1HopAllPOL*")
    assert (reply.status, reply.json()["error"]["type"]) == (400, "bad_parameter")
    assert "aren't supported for asset 'btc'" in reply.json()["error"]["message"]


def test_unsupported_can_be_ignored(server: Server) -> None:
    ignore = {"ignore_unsupported_errors": "true"}
    [row] = server.series(f"Nothing,Nope*,{EX}", page_size=1, **ignore)["data"]
    assert list(row) == ["asset", "time", EX]
    assert server.series("Nothing,FlowMinerOut1HopAllPOLNtv", **ignore) == {"data": []}
    assert server.get(SERIES, assets="eth", metrics=EX, **ignore).json() == {"data": []}


@pytest.mark.parametrize(
    ("bounds", "first", "last"),
    [
        ({"start_time": day(5)}, 5, 29),
        ({"end_time": day(5)}, 0, 5),
        ({"start_time": day(5), "start_inclusive": "false"}, 6, 29),
        ({"end_time": day(5), "end_inclusive": "FALSE"}, 0, 4),
        ({"start_time": "20200105", "end_time": "20200107"}, 4, 6),
        ({"start_time": "2020-01-05T00:00:01", "start_inclusive": "false"}, 5, 29),
        ({"start_time": "2020-01-05T00:00:00.000000001Z"}, 5, 29),
        ({"end_time": "2020-01-05T235959.999", "end_inclusive": "false"}, 0, 4),
        ({"end_time": "2020-01-05T00:00:00.000000001", "end_inclusive": "false"}, 0, 4),
        ({"start_time": "2020-01-05T00:00:00Z", "timezone": "America/New_York"}, 5, 29),
        ({"start_time": "2020-01-05T00:00:00Z", "timezone": "Asia/Tokyo"}, 4, 29),
        ({"end_time": "2020-01-05", "timezone": "Asia/Tokyo"}, 0, 3),
        ({"start_time": "2020-01-05T09:00:00", "timezone": "Asia/Tokyo", "start_inclusive": "false"}, 5, 29),
        ({"start_time": "0001-01-01", "end_time": "9999-12-31", "timezone": "Asia/Tokyo"}, 0, 29),
        ({"start_height": 7, "end_height": 9}, 3, 5),
        (
            {"start_height": 7, "end_height": 9, "start_inclusive": "false", "end_inclusive": "false"},
            None,
            None,
        ),
        ({"start_height": 6}, 3, 29),
        ({"start_height": 8}, 4, 29),
        ({"start_height": 9, "start_inclusive": "false"}, 6, 29),
        ({"end_height": 8}, 0, 3),
        ({"end_height": 0}, None, None),
    ],
)
def test_bounds(server: Server, bounds: dict[str, object], first: int | None, last: int | None) -> None:
    """Days stand at their midnight, UTC, and at the height of their first block: 1, 3, 5, 7, 9, 9, 12, ..."""
    found = days_of(server.series(EX, **bounds))
    assert found == ([] if first is None or last is None else [day(n) for n in range(first, last + 1)])


def test_start_after_end_is_empty(server: Server) -> None:
    assert server.series(EX, start_time=day(9), end_time=day(2)) == {"data": []}


def test_pages_from_the_end_and_from_the_start(server: Server) -> None:
    for end, expected in (
        ("end", [range(19, 30), range(8, 19), range(8)]),
        ("start", [range(11), range(11, 22), range(22, 30)]),
    ):
        pages, more = [], {"paging_from": end, "page_size": 11}
        while True:
            answer = server.series(EX, **more)
            pages.append(days_of(answer))
            if "next_page_token" not in answer:
                break
            assert answer["data"]
            url = urlsplit(answer["next_page_url"])
            assert f"{url.scheme}://{url.netloc}/" == server.url
            assert server.raw(f"{url.path}?{url.query}").json() == server.series(
                EX, **more | {"next_page_token": answer["next_page_token"]}
            )
            more["next_page_token"] = answer["next_page_token"]
        assert pages == [[day(n) for n in part] for part in expected]


def test_a_token_is_stable(server: Server) -> None:
    tokens = {server.series(EX, page_size=4)["next_page_token"] for _ in range(3)}
    assert len(tokens) == 1


def test_a_page_that_ends_with_the_last_row_has_no_token(server: Server) -> None:
    assert "next_page_token" not in server.series(EX, page_size=DAYS)
    assert "next_page_token" in server.series(EX, page_size=DAYS - 1)
    assert len(server.series(EX)["data"]) == DAYS


def test_limit_counts_from_the_end_that_pages_are_taken_from(server: Server) -> None:
    assert days_of(server.series(EX, limit_per_asset=1)) == [day(29)]
    assert days_of(server.series(EX, limit_per_asset=2, paging_from="start")) == [day(0), day(1)]
    answer = server.series(EX, limit_per_asset=3, page_size=2)
    assert days_of(answer) == [day(28), day(29)]
    rest = server.series(EX, limit_per_asset=3, page_size=2, next_page_token=answer["next_page_token"])
    assert (days_of(rest), "next_page_token" in rest) == ([day(27)], False)


def test_stream_is_everything_in_lines(server: Server) -> None:
    reply = server.get(SERIES, assets="btc", metrics=f"{EX},{NET}", format="json_stream", page_size=2)
    assert reply.headers["content-type"] == "application/x-ndjson"
    assert reply.body.endswith(b"\n")
    lines = reply.text().splitlines()
    assert [json.loads(line)["time"][:10] for line in lines] == [day(n) for n in range(DAYS)]
    assert json.loads(lines[7])[NET] is None
    few = server.get(SERIES, assets="btc", metrics=EX, format="json_stream", limit_per_asset=2)
    assert [json.loads(line)["time"][:10] for line in few.text().splitlines()] == [day(0), day(1)]


def test_csv_has_a_header_on_each_page_and_its_next_page_in_a_header(server: Server) -> None:
    reply = server.get(SERIES, assets="btc", metrics=f"{NET},{EX}", format="csv", page_size=25)
    assert reply.headers["content-type"] == "text/csv"
    header, *rows = csv.reader(io.StringIO(reply.text()))
    assert header == ["asset", "time", EX, NET]
    assert rows[2] == ["btc", f"{day(7)}T00:00:00.000000000Z", "7.00000007", ""]
    url = urlsplit(reply.headers["x-next-page-url"])
    rest = server.raw(f"{url.path}?{url.query}")
    assert rest.text().startswith(f"asset,time,{EX},{NET}\nbtc,{day(0)}T")
    assert rest.text().count("\n") == 6
    assert "x-next-page-url" not in rest.headers
    zeros = server.get(SERIES, assets="btc", metrics=f"{NET},{EX}", format="csv", null_as_zero="true")
    assert f"{day(7)}T00:00:00.000000000Z,7.00000007,0\n" in zeros.text()


def test_gzip_for_those_who_take_it(server: Server) -> None:
    target = f"{SERIES}?assets=btc&metrics={EX}"
    for form in ("json", "json_stream", "csv"):
        plain = server.raw(f"{target}&format={form}")
        assert "content-encoding" not in plain.headers
        for accepted, packed in (("gzip, deflate", True), ("br;q=1, GZIP;q=0.5", True), ("gzip;q=0", False)):
            reply = server.raw(f"{target}&format={form}", Accept_Encoding=accepted)
            assert (reply.headers.get("content-encoding") == "gzip") is packed
            assert reply.body == plain.body
            assert reply.headers["vary"] == "accept-encoding"


def test_pretty_is_the_same_over_several_lines(server: Server) -> None:
    pretty = server.get(SERIES, assets="btc", metrics=EX, page_size=3, pretty="TRUE")
    plain = server.series(EX, page_size=3)
    told = pretty.json()
    assert told["data"] == plain["data"]
    assert pretty.text().count("\n") > 15
    assert "pretty=TRUE" in told["next_page_url"]


def test_a_query_may_begin_with_an_ampersand_and_be_encoded(server: Server) -> None:
    reply = server.raw(
        f"{SERIES}?&metrics={EX}%2C{NET}&assets=btc&start_time=2020-01-05T00%3A00%3A00&sort=height"
    )
    assert (reply.status, len(reply.json()["data"])) == (200, DAYS - 4)


def test_the_link_to_the_next_page_has_the_host_that_was_asked(tmp_path: Path) -> None:
    target = f"{SERIES}?assets=btc&metrics={EX}&page_size=1&api_key=mine"
    with serving(results(tmp_path, known_values()), "--allow-host", "*") as server:
        link = server.raw(target, Host="example.org:99").json()["next_page_url"]
        assert link.startswith("http://example.org:99/v4/")
        assert "api_key=mine" in link
        assert server.raw(target, Host='evil"<x>').json()["next_page_url"].startswith("http://localhost/v4/")


def test_a_methodology_is_named_in_the_query_or_in_the_path(server: Server) -> None:
    assert server.names == ["reference", "strict"]
    first = server.series(EX, limit_per_asset=1)["data"][0][EX]
    for target in (f"{SERIES}?methodology=strict&", f"/methodology/strict{SERIES}?"):
        answer = server.raw(f"{target}assets=btc&metrics={EX}&page_size=1").json()
        assert (first, answer["data"][0][EX]) == ("29.00000029", "58.00000058")
        url = urlsplit(answer["next_page_url"])
        more = server.raw(f"{url.path}?{url.query}").json()
        assert more["data"][0][EX] == "56.00000056"


def test_a_single_folder_serves_what_run_json_names(tmp_path: Path) -> None:
    with serving(results(tmp_path / "out", known_values(2), methodology="strict")) as server:
        assert server.names == ["strict"]
        assert server.series(EX, limit_per_asset=1, methodology="strict")["data"][0][EX] == "58.00000058"


def test_long_answers_come_whole(tmp_path: Path) -> None:
    """More than is kept or made at a time: streamed, packed or not, and equal in all forms."""
    number = 12_000
    values = {m: [(n * 997 + k) for n in range(number)] for k, m in enumerate(list(known_values())[:5])}
    with serving(results(tmp_path, values)) as server:
        target = f"{SERIES}?assets=btc&metrics=*&page_size=10000"
        plain = server.raw(target)
        packed = server.raw(target, Accept_Encoding="gzip")
        assert "content-length" not in plain.headers
        assert plain.body == packed.body
        rows = server.raw(f"{target}&format=json_stream").text().splitlines()
        assert len(rows) == number
        assert [json.loads(row) for row in rows[-10_000:]] == plain.json()["data"]
        table = list(csv.reader(io.StringIO(server.raw(f"{target}&format=csv").text())))
        assert [list(row.values()) for row in plain.json()["data"]] == table[1:]
        assert plain.json()["data"][-1]["BlkCnt"] == "0.000000000011963003"
