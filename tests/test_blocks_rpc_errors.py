"""A node that cannot be used over RPC: not there, not a node, too old, other network. No real node is needed.

A server on loopback answers as the node would; each fault is one SourceError that names the address and never the
password.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from reflow.blocks.rpc import RpcSource
from reflow.blocks.source import Behind
from reflow.errors import SourceError
from reflow.network import MAIN, REGTEST
from support.bitcoin_node import free_port

PASSWORD = "s3cret-word"
ANSWERS: dict[str, Any] = {
    "getblockchaininfo": {"chain": "regtest", "blocks": 5, "pruned": False},
    "getnetworkinfo": {"version": 290000},
}


@contextmanager
def fake_node(answers: dict[str, Any], status: int = 200, raw: bytes | None = None) -> Iterator[str]:
    """A server that answers each call of a batch from `answers`, or always with `raw`; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"  # one request a connection: none is left open

        def do_POST(self) -> None:
            calls = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told = [
                {"id": call["id"], "result": answers.get(call["method"]), "error": None} for call in calls
            ]
            body = json.dumps(told).encode() if raw is None else raw
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://user:{PASSWORD}@127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def fault(url: str, **options: Any) -> str:
    """The message of the SourceError that connecting to `url` must end in."""
    with pytest.raises(SourceError) as caught:
        RpcSource(url, **options)
    message = str(caught.value)
    assert PASSWORD not in message
    assert "\n" not in message
    return message


def test_a_node_that_answers_well_is_taken() -> None:
    with fake_node(ANSWERS) as url:
        source = RpcSource(url)
        assert (source.network, source.end().height) == (REGTEST, 5)
        del source


def test_nobody_listens() -> None:
    port = free_port()
    message = fault(f"http://user:{PASSWORD}@127.0.0.1:{port}")
    assert message == f"http://127.0.0.1:{port}: node not reachable: Connection refused"


def test_a_node_without_prevouts_is_too_old() -> None:
    with fake_node(ANSWERS | {"getnetworkinfo": {"version": 220100}}) as url:
        message = fault(url)
    assert "node version 22.1 is too old" in message
    assert "expected 23.0 or newer" in message


def test_a_node_of_another_network() -> None:
    with fake_node(ANSWERS) as url:
        assert fault(url, network=MAIN).endswith("node of network regtest, expected main")
    with fake_node(ANSWERS | {"getblockchaininfo": {"chain": "moon", "blocks": 5}}) as url:
        assert "node of network moon, expected one of main, test" in fault(url)


@pytest.mark.parametrize("raw", [b"<html>hello</html>", b'{"result": null}', b"[]", b"\xff\xfe", b"7"])
def test_a_server_that_is_no_node(raw: bytes) -> None:
    with fake_node(ANSWERS, raw=raw) as url:
        assert fault(url).startswith(url.replace(f"user:{PASSWORD}@", "") + ": ")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8332", "http://127.0.0.1", "ftp://h:1", f"http://u:{PASSWORD}@h:port", ""]
)
def test_an_address_that_is_none(url: str) -> None:
    assert fault(url).startswith("RPC address: expected http://[USER:PASSWORD@]HOST:PORT")


def test_headers_that_the_node_has_not_connected_are_behind_it() -> None:
    info = {"chain": "regtest", "blocks": 5, "headers": 9, "pruned": False}
    with fake_node(ANSWERS | {"getblockchaininfo": info, "getblockhash": REGTEST.genesis_hash.hex()}) as url:
        source = RpcSource(url)
        assert source.locate(5, lambda height: REGTEST.genesis_hash) == 5
        assert source.end().behind == Behind(4, 9, None)
        assert (
            "the node has not connected 4 blocks whose headers it knows (height 6 on)" in source.warnings[0]
        )
        del source


@pytest.mark.parametrize(("is_downloading", "common"), [(True, 8), (False, 2)])
def test_a_lighter_chain_is_followed_unless_the_node_is_still_downloading(
    is_downloading: bool, common: int
) -> None:
    """It has other blocks than the ledger from height 3 on, and fewer."""
    info = ANSWERS["getblockchaininfo"] | {"initialblockdownload": is_downloading}
    ledger = {height: bytes([height]) * 32 for height in range(9)}

    class Answers(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            return "02" * 32 if key == "getblockhash" else super().get(key, default)

    work = {"getblockheader": {"chainwork": "0a"}}
    with fake_node(Answers(ANSWERS | {"getblockchaininfo": info} | work)) as url:
        source = RpcSource(url)
        assert source.locate(8, ledger.get) == common
        del source
