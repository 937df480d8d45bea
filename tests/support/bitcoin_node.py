"""A real node, on regtest or with given blocks of another chain, in a folder of its own, on loopback only."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bitcoinrpc.authproxy import AuthServiceProxy, JSONRPCException

from reflow.network import REGTEST, Network

_PATIENCE_SECONDS = 120
_WARMING_UP = -28


class Node:
    """A running node: ask it with `rpc`, let it mine with `mine`."""

    def __init__(self, datadir: Path, port: int, network: Network) -> None:
        self.datadir = datadir
        self.address = f"127.0.0.1:{port}"
        self.cookie = datadir / network.folder / ".cookie"

    @property
    def url(self) -> str:
        """The RPC address without user and password."""
        return f"http://{self.address}"

    def rpc(self, method: str, *params: object, wallet: str | None = None) -> Any:
        """The result of one call; a connection of its own, since the node drops idle ones."""
        path = f"/wallet/{wallet}" if wallet else ""
        proxy = AuthServiceProxy(
            f"http://{self.cookie.read_text()}@{self.address}{path}", timeout=_PATIENCE_SECONDS
        )
        try:
            return getattr(proxy, method)(*params)
        finally:
            proxy._AuthServiceProxy__conn.close()

    def mine(self, count: int, address: str, clock: int, step: int = 600) -> int:
        """Mine blocks `step` seconds apart from `clock` on; gives the time after the last."""
        for _ in range(count):
            self.rpc("setmocktime", clock)
            self.rpc("generatetoaddress", 1, address)
            clock += step
        return clock

    def height(self) -> int:
        """Height of the tip."""
        return int(self.rpc("getblockcount"))

    def wait(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        """Until the node answers; RuntimeError with the end of its log if it stops or takes too long."""
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < give_up:
            try:
                self.rpc("getblockcount")
            except (OSError, JSONRPCException) as error:
                if isinstance(error, JSONRPCException) and error.code != _WARMING_UP:
                    raise
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"the node did not start: {log.read_text()[-2000:]}")


@contextmanager
def running_node(bitcoind: Path, datadir: Path, *options: str, network: Network = REGTEST) -> Iterator[Node]:
    """Start a node of `network` in `datadir` with further options; it is stopped in order at the end."""
    datadir.mkdir(parents=True, exist_ok=True)
    port = free_port()
    common = [
        f"-chain={network.name}",
        f"-datadir={datadir}",
        f"-rpcport={port}",
        "-server",
        "-daemon=0",
        "-fallbackfee=0.0001",
    ]
    alone = ["-listen=0", "-connect=0", "-dnsseed=0", "-fixedseeds=0", "-par=1"]
    log = datadir / "node.log"
    node = Node(datadir, port, network)
    with (
        log.open("wb") as out,
        subprocess.Popen([bitcoind, *common, *alone, *options], stdout=out, stderr=out) as process,
    ):
        try:
            node.wait(process, log)
            yield node
        finally:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
