"""Who may call the server: by which names it is known, and what a page on another site gets to read."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reflow.serve.server import host_name
from support.command import run
from support.serving import SERIES, Reply, Server, known_values, results, serving

GOOD = f"{SERIES}?assets=btc&metrics=FlowMinerIn0HopAllExNtv"
LOOPBACK = [
    "localhost",
    "LocalHost:8080",
    "127.0.0.1",
    "127.0.0.1:1",
    "[::1]:80",
    "[0:0:0:0:0:0:0:1]",
    "localhost:",
]
OTHERS = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "evil.example@localhost",
    "localhost, evil.example",
    "localhost:80:80",
    "localhost:x",
    "127.0.0.2",
    "0.0.0.0",
    "[::2]",
    "[::1",
    "[zz]",
    "[:.:]",
    "*",
    "\xe4",
    "",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(results(tmp_path_factory.mktemp("served"), known_values())) as running:
        yield running


def assert_refused(reply: Reply) -> None:
    assert (reply.status, reply.headers["content-type"]) == (403, "application/json"), reply.text()
    assert reply.json()["error"]["type"] == "forbidden"
    assert "Host" in reply.json()["error"]["message"]
    assert b"\n" not in reply.body


@pytest.mark.parametrize("host", LOOPBACK)
def test_the_machine_itself_is_answered(server: Server, host: str) -> None:
    assert server.raw(GOOD, Host=host).status == 200


@pytest.mark.parametrize("host", OTHERS)
def test_another_name_is_refused(server: Server, host: str) -> None:
    """A page whose name was given this machine's address reads nothing, not even what was answered before."""
    assert server.raw(GOOD).status == 200
    for path in (
        GOOD,
        "/explain?metric=MOMR&time=2020-01-02",
        "/",
        "/openapi.json",
        "/none",
        f"/?{'x' * 10_000}",
    ):
        assert_refused(server.raw(path, Host=host))
    assert_refused(server.raw(GOOD, "POST", Host=host))


@pytest.mark.parametrize(
    "hosts", ["", "Host: localhost\r\nHost: evil.example\r\n", "Host: localhost\r\n" * 2]
)
def test_one_name_is_expected(server: Server, hosts: str) -> None:
    with socket.create_connection(server.address, timeout=20) as connection:
        connection.sendall(f"GET {GOOD} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())
        assert connection.makefile("rb").readline() == b"HTTP/1.1 403 Forbidden\r\n"


def test_pages_of_other_sites_may_not_read(server: Server) -> None:
    for reply in (
        server.raw(GOOD, Origin="http://evil.example"),
        server.raw("/openapi.json", Origin="null"),
        server.raw(GOOD, "OPTIONS", Origin="http://evil.example", Access_Control_Request_Method="GET"),
    ):
        assert not [name for name in reply.headers if name.startswith("access-control-")]


def test_names_that_the_operator_adds(tmp_path: Path) -> None:
    names = (
        "--allow-host",
        "Some.Example",
        "--allow-host",
        "[FE80:0::1]",
        "--allow-host",
        "b\xfccher.example",
    )
    with serving(results(tmp_path, known_values()), *names) as server:
        for host in ("some.example:99", "SOME.example", "[fe80::1]:80", "xn--bcher-kva.example", *LOOPBACK):
            assert server.raw(GOOD, Host=host).status == 200, host
        for host in ("example", "x.some.example", "some.example.", "[fe80::2]"):
            assert_refused(server.raw(GOOD, Host=host))
    with serving(tmp_path, "--allow-host", "*") as server:
        for host in ("evil.example", ""):
            assert server.raw(GOOD, Host=host).status == 200


def test_the_address_that_is_listened_on_is_a_name(tmp_path: Path) -> None:
    with serving(results(tmp_path, known_values()), "--host", "127.0.0.2") as server:
        assert server.raw(GOOD).status == 200  # by that address
        assert_refused(server.raw(GOOD, Host="127.0.0.3"))


def test_what_can_be_no_name_is_wrong_usage(tmp_path: Path) -> None:
    for name in ("some.example:80", "http://some.example", "", "a b", "a/b", "*.example", "[::1"):
        with pytest.raises(ValueError, match="expected a name or an address"):
            host_name(name)
    done = run("serve", tmp_path, "--allow-host", "some.example:80")
    assert (done.returncode, "--allow-host: 'some.example:80'" in done.stderr) == (2, True)


def test_whoever_listens_on_all_addresses_is_told_to_name_them(tmp_path: Path) -> None:
    folder = results(tmp_path, known_values())
    command = [
        sys.executable,
        "-u",
        "-m",
        "reflow.cli",
        "serve",
        str(folder),
        "--host",
        "0.0.0.0",
        "--port",
        "0",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        process.terminate()
    assert "by other names than localhost only with --allow-host NAME" in line
