"""What cannot be answered: bad parameters of every kind, bounds, keys; always in the vendor's form, never a 500."""

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from reflow.errors import ReflowError
from reflow.serve.explaining import Sources
from reflow.serve.server import serve
from support.command import run
from support.serving import SERIES, Reply, Server, known_values, results, serving

EX = "FlowMinerIn0HopAllExNtv"
GOOD = f"assets=btc&metrics={EX}"
KEY = "s3cret key/ä"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(results(tmp_path_factory.mktemp("served"), known_values())) as running:
        yield running


def told(reply: Reply, status: int, kind: str) -> str:
    """The message of an error that has this status and type, and no other form than the vendor's."""
    assert (reply.status, reply.headers["content-type"]) == (status, "application/json"), reply.text()
    assert list(reply.json()) == ["error"]
    assert sorted(reply.json()["error"]) == ["message", "type"]
    assert reply.json()["error"]["type"] == kind
    return str(reply.json()["error"]["message"])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("metrics=x", "'assets'. Missing"),
        ("assets=btc", "'metrics'. Missing"),
        ("assets=btc&metrics=x", "Bad parameter 'metrics'. Value 'x' is not supported."),
        (f"assets=btc&metrics={EX},x", "Bad parameter 'metrics'. Value 'x' is not supported."),
        ("assets=btc&metrics=Nope*", "Value 'Nope*' is not supported."),
        ("assets=btc&metrics=Flow*Ntv", "Value 'Flow*Ntv' is not supported."),
        ("assets=btc&metrics=*Ntv", "is not supported."),
        (f"assets=eth&metrics={EX}", "Bad parameter 'assets'. Value 'eth' is not supported."),
        ("assets=btc&metrics=", "'metrics'. Empty"),
        (f"assets=btc&metrics={EX},,MOMR", "'metrics'. Empty"),
        (f"assets=&metrics={EX}", "'assets'. Empty"),
        (f"{GOOD}&{GOOD}", "'assets'. Given more than once."),
        (f"{GOOD}&page_sise=3", "'page_sise'. There is no parameter of that name."),
        (f"{GOOD}&page_size=0", "'page_size'. Must be at least 1."),
        (f"{GOOD}&page_size=-5", "Must be at least 1."),
        (f"{GOOD}&page_size=10001", "'page_size'. Must be at most 10000."),
        (f"{GOOD}&page_size=99999999999999999999", "is not supported."),
        (f"{GOOD}&page_size=1.5", "'page_size'. Value '1.5' is not supported."),
        (f"{GOOD}&page_size=", "Value '' is not supported."),
        (f"{GOOD}&page_size=%D9%A3", "is not supported."),
        (f"{GOOD}&limit_per_asset=0", "'limit_per_asset'. Must be at least 1."),
        (f"{GOOD}&frequency=1b", "'frequency'"),
        (f"{GOOD}&format=xml", "'format'"),
        (f"{GOOD}&sort=metric", "'sort'"),
        (f"{GOOD}&status=final", "'status'"),
        (f"{GOOD}&paging_from=middle", "'paging_from'"),
        (f"{GOOD}&pretty=yes", "'pretty'"),
        (f"{GOOD}&start_inclusive=1", "'start_inclusive'"),
        (f"{GOOD}&start_time=", "'start_time'. Incorrect time format ''"),
        (
            f"{GOOD}&start_time=2020-02-30",
            "Incorrect time format '2020-02-30'. Supported formats are yyyy-MM-dd",
        ),
        (f"{GOOD}&start_time=1577836800", "Incorrect time format"),
        (f"{GOOD}&start_time=2020-01-01T00:00:00%2B01:00", "Incorrect time format"),
        (f"{GOOD}&end_time=2020-01-01T12:00", "'end_time'. Incorrect time format"),
        (f"{GOOD}&end_time=2020-01-01T24:00:00", "Incorrect time format"),
        (f"{GOOD}&end_time=2020-1-1", "Incorrect time format"),
        (f"{GOOD}&end_time=2020-01-01T00:00:00.1234567890", "Incorrect time format"),
        (f"{GOOD}&timezone=Mars/Olympus", "'timezone'. Value 'Mars/Olympus' is not supported."),
        (f"{GOOD}&timezone=America", "'timezone'"),
        (f"{GOOD}&timezone=../../etc/passwd", "'timezone'"),
        (f"{GOOD}&timezone=%00", "'timezone'"),
        (f"{GOOD}&timezone=", "'timezone'"),
        (f"{GOOD}&start_height=1&start_time=2020-01-01", "as heights or as times, not both"),
        (f"{GOOD}&end_height=-1", "'end_height'. Must be at least 0."),
        (f"{GOOD}&start_hash=00ff", "'start_hash'. Not supported with frequency '1d'."),
        (f"{GOOD}&min_confirmations=100", "'min_confirmations'. Must be at most 99."),
        (f"{GOOD}&methodology=none", "'methodology'. Value 'none' is not supported."),
        (f"{GOOD}&next_page_token=", "'next_page_token'. This server did not give"),
        (f"{GOOD}&next_page_token=abc", "This server did not give out that token."),
        (f"{GOOD}&next_page_token=0.MjAyMC0wMS0wMQ", "This server did not give"),
        (f"{GOOD}&next_page_token=%C3%A4", "This server did not give"),
        (f"{GOOD}&next_page_token=MXxhfDIwMjAtMDItMDI", "has been replaced; start again"),
        (f"{GOOD}&x=%FF%00%0A", "There is no parameter"),
    ],
)
def test_bad_parameters(server: Server, query: str, message: str) -> None:
    assert message in told(server.raw(f"{SERIES}?{query}"), 400, "bad_parameter")


@pytest.mark.parametrize(
    "target",
    [
        "/v4/catalog-v2/asset-metrics?metrics=x",
        "/v4/catalog-all-v2/asset-metrics?assets=eth",
        "/v4/catalog-v2/asset-metrics?format=csv",
        "/v4/catalog/asset-metrics?page_size=3",
        "/v4/reference-data/asset-metrics?metrics=",
        "/v4/reference-data/asset-metrics?reviewable=no",
        "/v4/reference-data/assets?assets=x",
        "/v4/reference-data/assets?include=all",
        "/methodology?limit=3",
        "/methodology/none",
        f"/methodology/none{SERIES}?{GOOD}",
        f"/methodology/reference{SERIES}?{GOOD}&methodology=strict",
        "/explain?metric=x",
    ],
)
def test_bad_parameters_elsewhere(server: Server, target: str) -> None:
    told(server.raw(target), 400, "bad_parameter")


def test_a_token_of_another_endpoint_is_refused(server: Server) -> None:
    token = server.raw("/v4/reference-data/asset-metrics?page_size=1").json()["next_page_token"]
    assert "from another endpoint" in told(
        server.raw(f"{SERIES}?{GOOD}&next_page_token={token}"), 400, "bad_parameter"
    )


def test_long_values_are_not_echoed_whole(server: Server) -> None:
    message = told(server.raw(f"{SERIES}?assets=btc&metrics={'x' * 5000}"), 400, "bad_parameter")
    assert len(message) < 200


def test_unknown_paths_and_methods(server: Server) -> None:
    for path in (
        "/v4/timeseries/market-trades",
        "/v4",
        f"{SERIES}/",
        "/static/none.js",
        "/%00",
        "/static/../page.py",
    ):
        told(server.raw(path), 404, "not_found")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        reply = server.raw(f"{SERIES}?{GOOD}", method)
        assert "Only GET" in told(reply, 405, "method_not_allowed")
        assert "GET" in reply.headers["allow"]
    assert server.raw(f"{SERIES}?{GOOD}", "HEAD").status == 200


def test_bounds_on_the_url_and_on_the_whole_request(server: Server) -> None:
    fits = f"{SERIES}?{GOOD}&api_key=".ljust(10_000, "k")
    assert server.raw(fits).status == 200
    told(server.raw(f"{fits}k"), 414, "uri_too_long")
    for start in (b"GET /" + b"x" * 200_000, b"GET / HTTP/1.1\r\nA: " + b"x" * 200_000):
        assert hangs_up(server, start)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n"
    assert hangs_up(server, head + b"x" * 200_000)
    assert server.raw("/").status == 200


def hangs_up(server: Server, data: bytes) -> bool:
    with socket.create_connection(server.address, timeout=20) as connection:
        try:
            connection.sendall(data)
            while connection.recv(1 << 16):
                pass
        except ConnectionError:
            pass
        return True


def test_without_a_ledger_cells_are_not_explained(server: Server) -> None:
    message = told(server.raw(f"/explain?metric={EX}&time=2020-01-02"), 501, "not_implemented")
    assert "--ledger" in message


def test_the_key_is_asked_for_where_figures_are(tmp_path: Path) -> None:
    folder = results(tmp_path, known_values())
    with serving(folder, "--api-key-env", "MY_KEY", MY_KEY=KEY) as server:
        good = quote(KEY, safe="")
        for path in (
            f"{SERIES}?{GOOD}",
            "/v4/catalog-v2/asset-metrics?",
            "/methodology?",
            "/explain?metric=x&time=x",
        ):
            told(server.raw(path), 401, "unauthorized")
            told(server.raw(f"{path}&api_key={good}x"), 401, "wrong_credentials")
            told(server.raw(f"{path}&api_key="), 401, "wrong_credentials")
            assert server.raw(f"{path}&api_key={good}").status != 401
            told(server.raw(path), 401, "unauthorized")  # what is remembered is not for everybody
        assert [server.raw(path).status for path in ("/", "/openapi.json", "/static/page.js")] == [200] * 3
        assert KEY not in server.raw("/openapi.json").text()
        assert "api_key=" in server.raw(f"{SERIES}?{GOOD}&page_size=1&api_key={good}").json()["next_page_url"]


def test_the_key_is_in_no_log_no_error_and_no_title(tmp_path: Path) -> None:
    """Whatever is sent with it: bad parameters, broken requests, a recomputation that cannot be read."""
    folder = results(tmp_path, known_values())
    forms = (KEY, quote(KEY, safe=""), json.dumps(KEY)[1:-1])
    with serving(folder, "--api-key-env", "MY_KEY", MY_KEY=KEY) as server:
        given = f"api_key={forms[1]}"
        targets = [
            *(f"{SERIES}?{more}{given}" for more in ("", f"{GOOD}&metrics=x&", f"{GOOD}&page_size=0&")),
            *(f"{SERIES}?{GOOD}&{given}&{given}", f"{SERIES}?{GOOD}&{given}x", f"/none?{given}"),
            *(f"/methodology/none?{given}", f"/explain?{given}", f"{SERIES}?{GOOD}&{given}&{'x' * 10_000}"),
        ]
        replies = [server.raw(target) for target in targets]
        replies += [server.raw(targets[0], "POST"), server.raw(targets[0], Host="evil.example")]
        (folder / "metrics.parquet").write_bytes(b"PAR1 and nothing else")
        replies.append(server.raw(f"{SERIES}?{GOOD}&{given}"))
        for broken in (f"GET {targets[0]} HTTP/9\r\n\r\n", f"GET {targets[0]}\r\n\r\n", f"{given}\r\n\r\n"):
            hangs_up(server, broken.encode())
        title = Path(f"/proc/{server.process.pid}/cmdline").read_bytes().decode()
        replies.append(server.raw("/openapi.json"))
    assert [reply.status for reply in replies if reply.status in (200, 500)] == [200]
    said = "".join([*(reply.text() for reply in replies), title, *server.complaints])
    assert "still serving the one before" in said
    assert [form for form in forms if form in said] == []


def test_what_keeps_a_server_from_starting_is_told(tmp_path: Path) -> None:
    folder = results(tmp_path / "good", known_values())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("serve", folder, "--port", taken.getsockname()[1])
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert "reflow: cannot listen on 127.0.0.1" in done.stderr
    fails("cannot listen on no.such.host.invalid", folder, host="no.such.host.invalid")
    fails("no run.json there", tmp_path / "none")
    fails("cannot read the vendor's series", folder, vendor=tmp_path / "none.csv")
    fails("no.duckdb", folder, sources=Sources(tmp_path / "no.duckdb", (tmp_path / "no.csv",)))
    shutil.copytree(folder, tmp_path / "bad")
    (tmp_path / "bad" / "metrics.parquet").write_bytes(b"PAR1 and nothing else")
    fails("cannot read the recomputation", tmp_path / "bad")
    (folder / "run.json").write_text(json.dumps({"methodology": {"name": "reference"}, "metrics": 1}))
    fails("of different runs", folder)


def fails(message: str, folder: Path, **options: Any) -> None:
    with pytest.raises(ReflowError, match=message):
        serve(folder, port=0, **options)


def test_wrong_usage(tmp_path: Path) -> None:
    for wrong in (("--ledger", "x"), ("--labels", "x"), ("--api-key-env", "NOT_SET"), ("--port", "70000")):
        assert run("serve", tmp_path, *wrong).returncode == 2


def test_a_missing_library_is_named(tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'uvicorn'\", name='uvicorn')\n"
    )
    done = run("serve", tmp_path, PYTHONPATH=f"{tmp_path}:{Path(__file__).parents[1] / 'engine'}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "reflow: uvicorn is not installed; install it with: pip install 'reflow[serve]'\n"
