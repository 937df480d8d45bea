"""What is fuzzed: each target takes bytes, gives them to one reader, and raises for what must not be.

A reader may refuse with a ReflowError in one line, or accept. What it accepts must hold against a second reading: the
plain parser's, for blocks, undo data and scripts. Kernels are machine code, which no coverage is seen of; the plain
parser beside them is Python, and its coverage leads the fuzzer through the same format.
"""

import json
import os
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NamedTuple

from reflow.blocks.datadir import DatadirSource
from reflow.blocks.decode import DecodedBatch, decode
from reflow.blocks.rpc import RpcSource
from reflow.errors import ReflowError
from reflow.flows.methodology import Methodology
from reflow.flows.prices import read_prices
from reflow.network import MAIN, REGTEST
from reflow.owners.labels import check_labels, read_labels
from reflow.owners.pool_files import read_pools
from reflow.results.read import read_results
from reflow.script import AddressError, account_of, address_of, describe, script_of
from reflow.sweeps.grid import read_grid
from reflow.vendor.files import read_vendor_file
from support import plain_parser
from support.chains import batch_of

CORPUS: Final = Path(__file__).parent / "corpus"
"""Inputs to begin with, and findings (named `found-…`), in a folder for each target; all are tests too."""

_REGTEST_BITS: Final = 0x207FFFFF
_SCRATCH: Final = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())


class Target(NamedTuple):
    """Something to fuzz."""

    check: Callable[[bytes], object]
    """Whether the input was accepted; raises anything for what must not be."""
    longest: int = 4096
    """Bytes of an input."""


def one_line(error: ReflowError) -> bool:
    """Refused; an error must be one line, of a size that a person reads."""
    text = str(error)
    assert text.strip(), "an empty error"
    assert len(text) < 3000, f"an error of {len(text)} characters"
    return False


# ---- blocks ----


def split(data: bytes) -> tuple[bytes, bytes]:
    """Transactions of a block (bytes from the 81st on), and undo data: the last bytes, as many as the first two say."""
    size = int.from_bytes(data[:2], "little")
    size = min(size, max(len(data) - 2, 0))
    return data[2 : len(data) - size], data[len(data) - size :]


def join(block: bytes, undo: bytes) -> bytes:
    """An input of the target `block`."""
    return len(undo).to_bytes(2, "little") + block[80:] + undo


def check_block(data: bytes) -> bool:
    """A block with a header that fits, and undo data: what the engine takes must be what the plain parser reads."""
    body, undo = split(data)
    block = _with_header(body)
    try:
        decoded = decode(batch_of(1, [block], [undo]), REGTEST)
    except ReflowError as error:
        return one_line(error)
    _equals_plain(decoded, block, undo)
    return True


def check_undo(data: bytes) -> bool:
    """Undo data of a fixed block."""
    body, _ = split((CORPUS / "block" / "busy").read_bytes())
    return check_block(len(data).to_bytes(2, "little") + body + data)


def _with_header(body: bytes) -> bytes:
    try:
        transactions = plain_parser.parse_block(bytes(80) + body)
        root = plain_parser.merkle_root([bytes.fromhex(tx.txid)[::-1] for tx in transactions])
    except (AssertionError, IndexError):
        root = bytes(32)
    start = (4).to_bytes(4, "little") + REGTEST.genesis_hash[::-1] + root
    end = (REGTEST.genesis_time + 600).to_bytes(4, "little") + _REGTEST_BITS.to_bytes(4, "little")
    for nonce in range(64):
        header = start + end + nonce.to_bytes(4, "little")
        if plain_parser.sha256d(header)[31] < 0x80:
            break
    return header + body


def _equals_plain(decoded: DecodedBatch, block: bytes, undo: bytes) -> None:
    transactions = plain_parser.parse_block(block)
    spent = plain_parser.parse_undo(undo)
    assert [row.tobytes().hex() for row in decoded.txids] == [tx.txid for tx in transactions]
    paid = [
        (number, plain_parser.account(script), value)
        for number, tx in enumerate(transactions)
        for value, script in tx.outputs
    ]
    found = zip(
        decoded.credit_tx.tolist(),
        decoded.credit_account.tolist(),
        decoded.credit_value.tolist(),
        strict=True,
    )
    assert list(found) == paid
    debits = [
        (number, plain_parser.account(coin.script), coin.value)
        for number, coins in enumerate(spent, start=1)
        for coin in coins
    ]
    found = zip(
        decoded.debit_tx.tolist(), decoded.debit_account.tolist(), decoded.debit_value.tolist(), strict=True
    )
    assert list(found) == debits
    assert [len(coins) for coins in spent] == [tx.spent for tx in transactions[1:]]
    assert all(0 <= value <= 21_000_000 * 10**8 for *_, value in paid + debits)


def check_folder(data: bytes) -> bool:
    """A node's folder: blk file, rev file and key, read as far as it goes."""
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as scratch:
        sizes = int.from_bytes(data[:2], "little")
        blocks, undo = data[2 : 2 + sizes], data[2 + sizes :]
        Path(scratch, "blk00000.dat").write_bytes(blocks)
        Path(scratch, "rev00000.dat").write_bytes(undo)
        os.utime(
            Path(scratch, "rev00000.dat"), (0, 0)
        )  # long settled: nobody waits for a node that may write to it
        try:
            source = DatadirSource(scratch)
            source.resume(None)
            source.locate(0, lambda height: source.network.genesis_hash if height == 0 else None)
            for batch in source.read(1, source.end().height, 1 << 20):
                decode(batch, source.network)
        except ReflowError as error:
            return one_line(error)
    return True


def check_script(data: bytes) -> bool:
    """Accounts, addresses and descriptions of any script; an address leads back to the script's account."""
    account = account_of(data)
    assert account == plain_parser.account(data)
    for network in (MAIN, REGTEST):
        assert describe(data, network)
        address = address_of(data, network)
        if address is not None:
            assert account_of(script_of(address, network)) == account
    return True


def check_address(data: bytes) -> bool:
    """Any text as an address: what is taken is written back the same, but for capitals."""
    text = data.decode("utf-8", "replace")
    try:
        script = script_of(text, MAIN)
    except AddressError:
        return False
    assert address_of(script, MAIN) in (text, text.lower())
    return True


# ---- files ----


def _file(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], bool]:
    def check(data: bytes) -> bool:
        with tempfile.TemporaryDirectory(dir=_SCRATCH) as scratch:
            path = Path(scratch, name)
            path.write_bytes(data)
            try:
                read(path)
            except ReflowError as error:
                return one_line(error)
        return True

    return check


def _labels(path: Path) -> None:
    check_labels([path], MAIN)
    read_labels([path], MAIN)


def check_vendor(data: bytes) -> bool:
    """CSV, JSON, JSON lines or Parquet, whatever it looks like: told by content."""
    return _file("vendor.csv", read_vendor_file)(data)


def check_results(data: bytes) -> bool:
    """run.json and metrics.csv: the first two bytes say how long run.json is."""
    size = int.from_bytes(data[:2], "little")
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as scratch:
        Path(scratch, "run.json").write_bytes(data[2 : 2 + size])
        Path(scratch, "metrics.csv").write_bytes(data[2 + size :])
        try:
            read_results(scratch)
        except ReflowError as error:
            return one_line(error)
    return True


# ---- RPC ----

METHODS: Final = (
    *("getblockchaininfo", "getnetworkinfo", "getblockhash", "getblockheader", "getblock", "getchaintips"),
    "",
)
"""Whose answer an input replaces, by its first byte; the last stands for the whole body of an answer."""


class _Node(BaseHTTPRequestHandler):
    """A node with two blocks, one of whose answers is made up."""

    method = ""
    text = b""
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        calls = asked if isinstance(asked, list) else [asked]
        bodies = [self._answer(call) for call in calls]
        body = b"[" + b",".join(bodies) + b"]" if isinstance(asked, list) else bodies[0]
        if not self.method:
            body = self.text
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, call: dict[str, Any]) -> bytes:
        result = self.text if call["method"] == self.method else json.dumps(_usual(call)).encode()
        end = json.dumps({"error": None, "id": call.get("id")}).encode()
        return b'{"result": ' + result + b", " + end[1:]

    def log_message(self, *_: object) -> None:
        pass


@cache
def usual_answers() -> dict[str, Any]:
    """What the node answers otherwise, by method and parameter."""
    answers: dict[str, Any] = json.loads((CORPUS / "answers.json").read_text())
    return answers


def _usual(call: dict[str, Any]) -> Any:
    answers = usual_answers()[call["method"]]
    parameter = str(call["params"][0]) if call.get("params") else ""
    return answers.get(parameter, answers.get(""))


@cache
def _node() -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Node)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def check_rpc(data: bytes) -> bool:
    """An ingest's questions to a node that answers one of them oddly."""
    port = _node().server_address[1]
    _Node.method, _Node.text = METHODS[data[0] % len(METHODS)] if data else "", data[1:]
    try:
        source = RpcSource(f"http://user:password@127.0.0.1:{port}", patience=0.2)
        source.resume(None)
        below = int(usual_answers()["below"])
        hashes = usual_answers()["getblockhash"]
        fork = source.locate(below, lambda height: bytes.fromhex(hashes.get(str(height), "00" * 32)))
        for batch in source.read(fork + 1, min(source.end().height, fork + 2), 1 << 20):
            decode(batch, source.network)
    except ReflowError as error:
        return one_line(error)
    return True


TARGETS: Final = {
    "block": Target(check_block),
    "undo": Target(check_undo),
    "folder": Target(check_folder),
    "script": Target(check_script, 200),
    "address": Target(check_address, 120),
    "rpc": Target(check_rpc),
    "labels": Target(_file("labels.csv", _labels)),
    "tagpack": Target(_file("tags.yaml", _labels)),
    "pools": Target(_file("pools.csv", lambda path: read_pools([path], MAIN))),
    "methodology": Target(_file("method.toml", lambda path: Methodology.read(str(path)))),
    "grid": Target(_file("grid.toml", read_grid)),
    "prices": Target(_file("prices.csv", read_prices)),
    "vendor": Target(check_vendor),
    "vendor-parquet": Target(_file("vendor.parquet", read_vendor_file), 8192),
    "prices-parquet": Target(_file("prices.parquet", read_prices), 8192),
    "results": Target(check_results),
}


def corpus(name: str) -> list[Path]:
    """The kept inputs of a target."""
    return sorted(path for path in (CORPUS / name).iterdir() if path.is_file())
