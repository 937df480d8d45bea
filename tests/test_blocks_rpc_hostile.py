"""A node that lies, stumbles or hangs: the right ledger, or one line within the deadline; never a secret in it.

The mock node (tests/support/mock_node.py) serves the simulated chain, and misbehaves as each test says.
"""

import base64
import copy
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reflow.blocks.rpc import RpcSource
from reflow.errors import ReflowError, SourceError
from reflow.ledger.ingest import ingest
from support.chains import content, ingest_folder, write_simulation
from support.mock_node import HEIGHT, PASSWORD, USER, Handler, Misbehaviour, block_answer, honest, mock_node
from support.mock_node import result_of as honest_result

PATIENCE = 1.5
SECRETS = (PASSWORD, USER, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[object, ...]]]:
    folder = tmp_path_factory.mktemp("plain")
    ingest_folder(folder / "ledger", write_simulation(folder / "blocks", HEIGHT))
    return content(folder / "ledger")


@pytest.fixture(autouse=True)
def short_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reflow.blocks.rpc_client._TRY_SECONDS", 0.5)


def ingest_from(misbehave: Misbehaviour, ledger: Path) -> tuple[str, int]:
    """Ingest from a node that misbehaves; gives the error, empty if there is none, and the number of requests."""
    began, message = time.monotonic(), ""
    with mock_node(misbehave) as server:
        try:
            ingest(ledger, RpcSource(server.url, patience=PATIENCE))
        except ReflowError as error:
            message = str(error)
        requests = server.requests
    assert time.monotonic() - began < 20
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 1000
    assert not [secret for secret in SECRETS if secret in message]
    return message, requests


def at_first(times: int, misbehave: Misbehaviour) -> Misbehaviour:
    """Misbehave at the first requests of every kind of call, and then no more."""
    left: dict[str, int] = {}

    def behave(handler: Handler) -> None:
        method = handler.calls[0]["method"]
        left[method] = left.get(method, times) - 1
        (misbehave if left[method] >= 0 else honest)(handler)

    return behave


def busy(handler: Handler) -> None:
    handler.answer(b"Work queue depth exceeded", 503, "text/plain")


def starting(handler: Handler) -> None:
    error = {"code": -28, "message": "Loading block index..."}
    handler.answer([{"id": call["id"], "error": error} for call in handler.calls])


def reset(handler: Handler) -> None:
    handler.connection.close()


def hang(handler: Handler) -> None:
    handler.server.is_over.wait(10)


def cut_short(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'[{"id"')
    handler.close_connection = True


def cut_chunk(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"ff\r\n[{")
    handler.close_connection = True


def trickle_head(handler: Handler) -> None:
    trickle(handler, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000)


def trickle_body(handler: Handler) -> None:
    trickle(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b" " * 1000, at_once=40)


def trickle(handler: Handler, data: bytes, at_once: int = 1) -> None:
    handler.wfile.write(data[:at_once])
    for byte in data[at_once:]:
        if handler.server.is_over.wait(0.1):
            return
        handler.wfile.write(bytes([byte]))


PASSING: dict[str, tuple[Misbehaviour, str]] = {
    "busy": (busy, "too busy to answer (503)"),
    "starting": (starting, "the node is starting up (Loading block index...): try again later"),
    "reset": (reset, "node not reachable"),
    "hang": (hang, "no answer within"),
    "cut short": (cut_short, "6 bytes of an answer of 1000"),
    "cut chunk": (cut_chunk, "ended in the middle of an answer"),
    "slow head": (trickle_head, "no answer within"),
    "slow body": (trickle_body, "no answer within"),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_tried_again(
    name: str, tmp_path: Path, expected: dict[str, list[tuple[object, ...]]]
) -> None:
    assert ingest_from(at_first(1, PASSING[name][0]), tmp_path / "ledger")[0] == ""
    assert content(tmp_path / "ledger") == expected


@pytest.mark.parametrize("name", PASSING)
def test_what_does_not_pass_ends_at_the_deadline(name: str, tmp_path: Path) -> None:
    misbehave, reason = PASSING[name]
    message, requests = ingest_from(misbehave, tmp_path / "ledger")
    assert reason in message
    assert requests > 1
    assert "tries in 1.5 s" in message
    assert not (tmp_path / "ledger").exists()


def endless(handler: Handler) -> None:
    """No length, and no end."""
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.is_over.is_set():
        handler.wfile.write(b"[" * 100_000)


def endless_chunks(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while not handler.server.is_over.is_set():
        handler.wfile.write(b"186a0\r\n" + b" " * 100_000 + b"\r\n")


def gigantic(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 60))
    handler.end_headers()
    handler.wfile.write(b"[")


def long_head(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n")


def raw(body: bytes, status: int = 200) -> Misbehaviour:
    return lambda handler: handler.answer(body, status)


def edited(edit: Callable[[list[dict[str, Any]]], object]) -> Misbehaviour:
    """The right answers, changed."""

    def behave(handler: Handler) -> None:
        answers = handler.honest()
        handler.answer(edit(answers) or answers)

    return behave


def echo(handler: Handler) -> None:
    """What the node knows of the secrets, in an error."""
    text = f"{handler.headers['Authorization']} {USER}:{PASSWORD} {PASSWORD}\x1b[31m\u202e\ud800" + "x" * 5000
    handler.answer([{"id": call["id"], "error": {"code": 1, "message": text}} for call in handler.calls])


def all_answers(**members: object) -> Misbehaviour:
    return edited(lambda answers: [answer | members for answer in answers])


LASTING: dict[str, tuple[Misbehaviour, str]] = {
    "wrong password": (raw(b"", 401), "refuses the RPC user or password (401)"),
    "not allowed": (raw(b"", 403), "refuses this computer (403)"),
    "not found": (raw(b"<html>", 404), "not a Bitcoin node: HTTP status 404"),
    "moved": (raw(b"", 302), "not a Bitcoin node: HTTP status 302"),
    "a page": (raw(b"<html>hello</html>"), "not a Bitcoin node: Expecting value"),
    "nothing": (raw(b""), "not a Bitcoin node: Expecting value"),
    "no text": (raw(b"[\xff\xfe]"), "not a Bitcoin node: 'utf-8' codec"),
    "half": (raw(b'[{"id": 1, "result": {"chain"'), "not a Bitcoin node: Expecting"),
    "deep": (raw(b"[" * 200_000), "nested too deeply"),
    "not a number": (raw(b'[{"id": 1, "result": NaN}]'), "NaN is no number"),
    "infinite": (raw(b'[{"id": 1, "result": -Infinity}]'), "-Infinity is no number"),
    "long number": (raw(b"[" + b"9" * 100_000 + b"]"), "not a Bitcoin node: Exceeds the limit"),
    "high power": (raw(b"[1e9999999999999999999]"), "not a Bitcoin node"),
    "not a list": (raw(b"7"), "not a list of answers"),
    "no objects": (raw(b"[1]"), "not a list of answers"),
    "refused": (raw(b'{"error": null}'), "an error without a message"),
    "odd error": (all_answers(error="code"), "an error without a message"),
    "odder error": (all_answers(error={"code": [], "message": {}}), "an error without a message"),
    "secrets": (echo, "the node answers: Basic ***"),
    "other ids": (edited(lambda answers: [a | {"id": a["id"] + 1} for a in answers]), "other ids"),
    "text ids": (edited(lambda answers: [a | {"id": str(a["id"])} for a in answers]), "other ids"),
    "too many": (edited(lambda answers: answers * 2), "2 answers to 1 questions"),
    "too few": (raw(b"[]"), "0 answers to 1 questions"),
    "no result": (edited(lambda answers: [{"id": a["id"]} for a in answers]), "missing JSON-RPC result"),
    "null": (all_answers(result=None), "found nothing, expected an object"),
    "endless": (endless, "more than 4,194,304 bytes"),
    "endless chunks": (endless_chunks, "more than 4,194,304 bytes"),
    "gigantic": (gigantic, "more than 4,194,304 bytes"),
    "long head": (long_head, "not a Bitcoin node: got more than 65536 bytes"),
}


@pytest.mark.parametrize("name", LASTING)
def test_nonsense_is_one_line_at_once(name: str, tmp_path: Path) -> None:
    misbehave, reason = LASTING[name]
    message, requests = ingest_from(misbehave, tmp_path / "ledger")
    assert reason in message
    assert message.startswith("http://127.0.0.1:")
    assert requests == 1
    assert not (tmp_path / "ledger").exists()


def test_answers_in_another_order_are_put_in_order(
    tmp_path: Path, expected: dict[str, list[tuple[object, ...]]]
) -> None:
    misbehave = edited(lambda answers: answers[::-1])
    assert ingest_from(misbehave, tmp_path / "ledger")[0] == ""
    assert content(tmp_path / "ledger") == expected


def with_block(edit: Callable[[dict[str, Any]], object], height: int = 150) -> Misbehaviour:
    """The right answers, but for one block's."""

    def behave(handler: Handler) -> None:
        answers = handler.honest()
        for call, answer in zip(handler.calls, answers, strict=True):
            if call["method"] == "getblock" and answer["result"]["height"] == height:
                answer["result"] = copy.deepcopy(answer["result"])
                edit(answer["result"])
        handler.answer(answers)

    return behave


def prevout(block: dict[str, Any]) -> dict[str, Any]:
    spent: dict[str, Any] = block["tx"][1]["vin"][0]["prevout"]
    return spent


SPENDING = next(
    h for h in range(110, HEIGHT) if len(block_answer(honest_result("getblockhash", [h]))["tx"]) > 1
)

FIELDS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "missing": (lambda b: b.pop("nonce"), "nonce: found nothing, expected a whole number from 0"),
    "null": (lambda b: b.update(time=None), "time: found nothing, expected a whole number"),
    "true": (lambda b: b.update(time=True), "time: found True, expected a whole number"),
    "negative": (lambda b: b.update(time=-1), "time: found -1, expected a whole number from 0"),
    "huge": (lambda b: b.update(nonce=10**400), "nonce: found 1000"),
    "fraction": (lambda b: b.update(time=Decimal("1.5")), "time: found Decimal('1.5'), expected a whole"),
    "no hex": (lambda b: b.update(bits="207fffzz"), "bits: found '207fffzz', expected 8 hex digits"),
    "short hex": (lambda b: b.update(merkleroot="00"), "merkleroot: found '00', expected 64 hex digits"),
    "spaced hex": (lambda b: b["tx"][0].update(hex="00 00"), "tx[0].hex: found '00 00', expected hex digits"),
    "no list": (lambda b: b.update(tx={}), "tx: found {}, expected a list"),
    "no transaction": (lambda b: b.update(tx=[3]), "tx[0]: found 3, expected an object"),
    "no inputs": (lambda b: b["tx"][1].pop("vin"), "tx[1].vin: found nothing, expected a list"),
    "odd input": (lambda b: b["tx"][1].update(vin=[[]]), "tx[1].vin[0]: found [], expected an object"),
    "no prevout": (lambda b: b["tx"][1]["vin"][0].pop("prevout"), "comes without prevouts"),
    "odd prevout": (
        lambda b: b["tx"][1]["vin"][0].update(prevout=""), "tx[1].vin[0].prevout: found '', expected an object"
    ),
    "no value": (lambda b: prevout(b).pop("value"), "vin[0].prevout.value: found nothing, expected an amount"),
    "below zero": (lambda b: prevout(b).update(value=Decimal(-1)), "prevout.value: found -1, expected an amount"),
    "text": (lambda b: prevout(b).update(value="1"), "prevout.value: found '1', expected an amount"),
    "half satoshi": (lambda b: prevout(b).update(value=Decimal("5E-9")), "expected an amount of at most eight"),
    "no script": (lambda b: prevout(b).pop("scriptPubKey"), "prevout.scriptPubKey: found nothing, expected an"),
    "odd script": (lambda b: prevout(b).update(scriptPubKey={"hex": 7}), "scriptPubKey.hex: found 7, expected"),
    "odd height": (lambda b: prevout(b).update(height="5"), "prevout.height: found '5', expected a whole"),
    "odd flag": (lambda b: prevout(b).update(generated=1), "prevout.generated: found 1, expected true or false"),
    "another block": (lambda b: b.update(nonce=b["nonce"] ^ 1), "its fields are those of another block"),
}  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_wrong_is_named_with_its_block(name: str, tmp_path: Path) -> None:
    edit, reason = FIELDS[name]
    message, _ = ingest_from(with_block(edit, SPENDING), tmp_path / "ledger")
    assert reason in message
    assert f"block {honest_result('getblockhash', [SPENDING])} at height {SPENDING}" in message


ODD: list[Any] = [
    None,
    True,
    -1,
    10**30,
    Decimal("1E+999999"),
    Decimal("1E-999999"),
    Decimal(0),
    "",
    "zz",
    "00" * 32,
]
ODD += [[], {}, [[[]]], {"hex": "00"}, "\ud800", "\u202e", "0" * 3000]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in an answer, as the container and the key."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_part_of_any_answer_may_be_anything(tmp_path: Path, data: st.DataObject) -> None:
    """A part of one answer is lost or becomes something else: a ledger or one line, nothing else."""
    method = data.draw(st.sampled_from(["getblock", "getblockchaininfo", "getnetworkinfo", "getblockhash"]))
    at, value = data.draw(st.integers(0, 1 << 16)), data.draw(st.sampled_from([*ODD, "lost"]))

    def behave(handler: Handler) -> None:
        answers = copy.deepcopy(handler.honest())
        if handler.calls[0]["method"] == method:
            spots = list(places(answers))
            container, key = spots[at % len(spots)]
            if value == "lost":
                container.pop(key)
            else:
                container[key] = value
        handler.answer(answers)

    (tmp_path / "ledger").unlink(missing_ok=True)
    ingest_from(behave, tmp_path / "ledger")


def test_a_larger_answer_than_expected_is_asked_for_in_smaller_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: dict[str, list[tuple[object, ...]]]
) -> None:
    """Blocks that suddenly grow: the limit holds for what is read at once, and one block fits into it."""
    monkeypatch.setattr("reflow.blocks.rpc._LARGEST_ANSWER", 60_000)
    assert ingest_from(honest, tmp_path / "ledger")[0] == ""
    assert content(tmp_path / "ledger") == expected
    monkeypatch.setattr("reflow.blocks.rpc._LARGEST_ANSWER", 600)
    message, _ = ingest_from(honest, tmp_path / "small")
    assert "the answer to getblock has more than 600 bytes" in message


def test_a_node_that_goes_away_in_between_is_waited_for(tmp_path: Path) -> None:
    """A connection that is refused ends it at once only if the node never answered."""

    def leave(handler: Handler) -> None:
        honest(handler)
        handler.close_connection = True

    with mock_node(leave) as server:
        source = RpcSource(server.url, patience=PATIENCE)
    with pytest.raises(SourceError, match=r"Connection refused \(\d+ tries in 1.5 s\)"):
        ingest(tmp_path / "ledger", source)


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://u:p@ss/word@h:1", "http://h:1/@x", "http://h:99999", "//"]
)
def test_an_odd_address_is_one_line_without_its_parts(url: str) -> None:
    with pytest.raises(
        SourceError, match=r"^RPC address: expected http://\[USER:PASSWORD@\]HOST:PORT, such as"
    ):
        RpcSource(url)
