"""Let a real node judge a blocks folder: start it with -reindex and ask for its tip."""

import json
import socket
import subprocess
import time
from pathlib import Path


def reindexed_tip(bitcoind: Path, datadir: Path, height: int, patience: float = 120) -> str:
    """The node's tip hash after it rebuilt the regtest chain of `datadir` from its blk files up to `height`.

    Full validation, loopback only. Raises RuntimeError with the end of the node's log when it stops or does not
    get there within `patience` seconds.
    """
    rpc = f"-rpcport={_free_port()}"
    common = ["-regtest", f"-datadir={datadir}", rpc]
    options = ["-reindex", "-daemon=0", "-server", "-listen=0", "-connect=0", "-dnsseed=0", "-par=1"]
    log = datadir / "node.log"
    with (
        log.open("wb") as out,
        subprocess.Popen([bitcoind, *common, *options], stdout=out, stderr=out) as node,
    ):
        try:
            give_up = time.monotonic() + patience
            while node.poll() is None and time.monotonic() < give_up:
                asked = subprocess.run(
                    [bitcoind.with_name("bitcoin-cli"), *common, "getblockchaininfo"],
                    capture_output=True,
                    check=False,
                )
                if asked.returncode == 0 and json.loads(asked.stdout)["blocks"] >= height:
                    return str(json.loads(asked.stdout)["bestblockhash"])
                time.sleep(0.2)
        finally:
            node.terminate()  # in order: it flushes its files
            node.wait(60)
    raise RuntimeError(f"the node did not reach height {height}: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
