"""A node's RPC made of the simulated chain, which can be told to misbehave in any answer."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.chains import simulation
from support.plain_parser import Reader, parse_transaction, parse_undo

USER, PASSWORD = "rpc-user", "s3cret%word"
HEIGHT = 160


class Handler(BaseHTTPRequestHandler):
    """One connection; `server.misbehave` may answer in its own way."""

    protocol_version = "HTTP/1.1"
    server: "MockServer"

    def do_POST(self) -> None:
        self.calls = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests += 1
        self.server.misbehave(self)

    def answer(self, body: object, status: int = 200, kind: str = "application/json") -> None:
        """Send JSON, or bytes as they are."""
        data = body if isinstance(body, bytes) else to_json(body)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def honest(self) -> list[dict[str, Any]]:
        """The right answers to the batch."""
        return [
            {"jsonrpc": "2.0", "result": result_of(call["method"], call["params"]), "id": call["id"]}
            for call in self.calls
        ]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


Misbehaviour = Callable[[Handler], object]


class MockServer(ThreadingHTTPServer):
    """Runs until told to stop; handlers that wait look at `is_over`."""

    daemon_threads = True

    def __init__(self, misbehave: Misbehaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.misbehave = misbehave
        self.requests = 0
        self.is_over = threading.Event()

    @property
    def url(self) -> str:
        """With user and password, a percent sign escaped."""
        return f"http://{USER}:{PASSWORD.replace('%', '%25')}@127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: clients go away in the middle, as they should."""


@contextmanager
def mock_node(misbehave: Misbehaviour) -> Iterator[MockServer]:
    """A node on loopback whose every answer `misbehave` gives."""
    with MockServer(misbehave) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.is_over.set()
            server.shutdown()
            thread.join()


def honest(handler: Handler) -> None:
    """Answer as a node does."""
    handler.answer(handler.honest())


def to_json(value: object) -> bytes:
    """JSON with amounts as a node writes them."""
    text = json.dumps(value, default=lambda amount: f"@{amount:f}@")
    return text.replace('"@', "").replace('@"', "").encode()


def result_of(method: str, params: list[Any]) -> Any:
    """What the node answers to one call."""
    chain = simulation().blocks
    match method:
        case "getblockchaininfo":
            return {"chain": "regtest", "blocks": HEIGHT, "headers": HEIGHT, "pruned": False}
        case "getnetworkinfo":
            return {"version": 290000}
        case "getblockhash":
            return chain[params[0]].hash[::-1].hex()
        case "getblock":
            return block_answer(params[0])
        case "getchaintips":
            return [{"height": HEIGHT, "hash": chain[HEIGHT].hash[::-1].hex(), "status": "active"}]
    raise AssertionError(method)


@cache
def block_answer(block_hash: str) -> dict[str, Any]:
    """`getblock` with verbosity 3, as far as a ledger needs it."""
    block = next(block for block in simulation().blocks if block.hash[::-1].hex() == block_hash)
    header, reader = block.raw[:80], Reader(block.raw[80:])
    transactions: list[dict[str, Any]] = []
    spent = [[], *parse_undo(block.undo or b"\0")]
    for number in range(reader.compact()):
        start = reader.at
        parse_transaction(reader)
        vin = [
            {
                "prevout": {
                    "generated": False,
                    "height": 1,
                    "value": Decimal(coin.value).scaleb(-8),
                    "scriptPubKey": {"hex": coin.script.hex()},
                }
            }
            for coin in spent[number]
        ]
        raw = reader.data[start : reader.at]
        transactions.append({"hex": raw.hex(), "vin": vin or [{"coinbase": "00"}]})
    return {
        "hash": block_hash,
        "height": block.height,
        "version": int.from_bytes(header[:4], "little", signed=True),
        "previousblockhash": header[35:3:-1].hex(),
        "merkleroot": header[67:35:-1].hex(),
        "time": int.from_bytes(header[68:72], "little"),
        "bits": header[75:71:-1].hex(),
        "nonce": int.from_bytes(header[76:80], "little"),
        "tx": transactions,
    }
