"""What a connection may cost: requests that do not end and answers that nobody takes, however many there are."""

import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from reflow.serve import server as server_module
from support.serving import SERIES, Server, known_values, results, serving, serving_here

HALF = b"GET /methodology HTTP/1.1\r\nHost: local"
SECONDS = 0.5
"""For which the server waits in these tests."""
STALLED_SECONDS = 2.0
"""The same for who takes nothing of an answer; a busy machine must not make a slow reader look like one."""
PATIENCE = 60.0
"""Seconds after which a connection is taken for one that the server never closes."""
LONG = 40_000
"""Days of an answer that no socket's buffers hold."""
Address = tuple[str, int]


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_REQUEST_SECONDS", SECONDS)
    monkeypatch.setattr(server_module, "_STALLED_SECONDS", STALLED_SECONDS)


def seconds_until_closed(connection: socket.socket, drip: bytes = b"") -> float:
    """How long the server keeps a connection on which nothing comes but a byte of `drip` now and then."""
    start = time.monotonic()
    connection.settimeout(SECONDS / 5)
    sent = 0
    while time.monotonic() - start < PATIENCE:
        try:
            if not connection.recv(1 << 16):
                break
        except TimeoutError:
            try:
                connection.sendall(drip[sent : sent + 1])
            except ConnectionError:
                break
            sent += 1
        except ConnectionError:
            break
    return time.monotonic() - start


@pytest.mark.usefixtures("in_a_hurry")
def test_who_does_not_end_a_request_is_hung_up_on(tmp_path: Path) -> None:
    results(tmp_path, known_values())
    whole = b"GET /methodology HTTP/1.1\r\nHost: localhost\r\n"
    starts = {
        "nothing": (b"", b""),
        "half a line": (b"GE", b""),
        "half a head": (HALF, b""),
        "a head byte by byte": (HALF, b"host\r\nX: " + b"x" * 1000),
        "empty lines": (b"", b"\r\n" * 1000),
        "half a body": (whole + b"Content-Length: 1000\r\n\r\nhalf", b"x" * 900),
        "half of the next request": (whole + b"\r\n" + HALF, b"host\r\nX: " + b"x" * 1000),
    }
    kept: dict[str, float] = {}

    def ask(address: Address) -> None:
        for name, (start, drip) in starts.items():
            with socket.create_connection(address, timeout=20) as connection:
                connection.sendall(start)
                kept[name] = seconds_until_closed(connection, drip)

    serving_here(tmp_path, ask)
    assert {name: seconds for name, seconds in kept.items() if not SECONDS / 2 < seconds < PATIENCE} == {}


def half_sent(server: Server, number: int, stack: ExitStack) -> list[socket.socket]:
    """Connections that each have half a request, and leave it at that."""
    connections = []
    for _ in range(number):
        connection = stack.enter_context(socket.create_connection(server.address, timeout=20))
        connection.sendall(HALF)
        connections.append(connection)
    return connections


def test_hundreds_of_half_sent_requests_keep_nobody_out(tmp_path: Path) -> None:
    """Not even where the system grants fewer files than there are connections; an answer under way is not disturbed."""
    metrics = {"BlkCnt": [10**18] * LONG, "MOMR": [1] * LONG}
    with serving(results(tmp_path, metrics), files=512) as server, ExitStack() as stack:
        reader = stack.enter_context(socket.socket())
        ask_for_all(reader, server.address)
        start = time.monotonic()
        connections = half_sent(server, 600, stack)
        for _ in range(5):
            begun = time.monotonic()
            assert server.get(SERIES, assets="btc", metrics="BlkCnt").status == 200
            assert time.monotonic() - begun < 5
        assert len(read_all(reader)) == LONG
        for connection in connections:
            connection.settimeout(30)
            assert hung_up(connection)
        assert time.monotonic() - start < 30
        assert server.get("/methodology").status == 200


def hung_up(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def ask_for_all(connection: socket.socket, address: Address) -> None:
    """Ask for a long answer, with little room for what has not been taken yet."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    connection.settimeout(30)
    connection.connect(address)
    target = f"{SERIES}?assets=btc&metrics=*&format=json_stream"
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())


def read_all(connection: socket.socket, pause: float = 0) -> list[object]:
    """The rows of the answer, however slowly they are taken; raises ConnectionError if it ends before its end."""
    received = bytearray()
    while piece := connection.recv(1 << 16):
        received += piece
        time.sleep(pause)
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK"), head
    if not body.endswith(b"\r\n0\r\n\r\n"):
        raise ConnectionError("the answer is not whole")
    rows, place = b"", 0
    while size := int(body[place : body.index(b"\r\n", place)], 16):
        place = body.index(b"\r\n", place) + 2
        rows, place = rows + body[place : place + size], place + size + 2
    return [json.loads(line) for line in rows.splitlines()]


@pytest.mark.usefixtures("in_a_hurry")
def test_who_takes_nothing_of_an_answer_is_hung_up_on_and_who_is_slow_is_not(tmp_path: Path) -> None:
    results(tmp_path, {"BlkCnt": [10**18] * LONG, "MOMR": [1] * LONG})
    rows: list[object] = []

    def ask(address: Address) -> None:
        with socket.socket() as slow:
            ask_for_all(slow, address)
            rows.extend(read_all(slow, pause=0.01))
        with socket.socket() as idle:
            ask_for_all(idle, address)
            time.sleep(5 * STALLED_SECONDS)
            with pytest.raises(ConnectionError):
                read_all(idle)

    serving_here(tmp_path, ask)
    assert len(rows) == LONG
