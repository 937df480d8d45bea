"""Run as a program in a network namespace of its own: every verb, in a folder with an odd name; prints what each did.

Its one argument is the folder. Only this machine's own address is there (`lo`), so that `serve` can be asked.
"""

import fcntl
import json
import signal
import socket
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from support.command import run

_SET_FLAGS, _UP = 0x8914, 0x1


def main() -> None:
    """Raise `lo`, then run the verbs one after the other."""
    _raise_loopback()
    folder = Path(sys.argv[1])
    told: dict[str, Any] = {"reached": _reached()}
    demo = _run(told, "demo", folder / "demo")
    files = {name: str(folder / path) for name, path in json.loads(demo)["files"].items()}
    ledger, labels, out = folder / "md:ledger", ["--labels", files["labels"]], folder / "out"
    day = json.loads(_run(told, "ingest", ledger, "--datadir", files["blocks"]))  # names the network it found
    assert day["network"] == "regtest"
    _run(told, "verify", ledger)
    _run(told, "labels check", files["labels"], "--ledger", ledger)
    _run(told, "metrics", "Flow*Ntv", "--labels", files["labels"], "--network", "regtest")
    made = json.loads(_run(told, "recompute", ledger, *labels, "--prices", files["prices"], "--out", out))
    _run(told, "pools", ledger, *labels, "--out", folder / "pools")
    _run(told, "clusters", ledger, *labels, "--out", folder / "clusters")
    _run(told, "explain", ledger, "BlkCnt", made["first_day"], *labels, "--graph", folder / "graph")
    vendor = ["--vendor", files["vendor"]]
    _run(told, "crosscheck", "--metrics", out, *vendor, "--out", out, "--ledger", ledger, *labels)
    _run(told, "sweep", ledger, *labels, *vendor, "--out", out, "--metrics", "BlkCnt")
    _run(told, "report", out, "--out", folder / "report.html", "--ledger", ledger, *labels)
    told["serve"] = _ask_server(out, "--ledger", ledger, *labels, *vendor)
    print(json.dumps(told))


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh", b"lo", _UP))


def _reached() -> bool:
    """Whether there is a network after all: an address of the block that is kept for documents."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        return any_socket.connect_ex(("192.0.2.1", 53)) == 0


def _run(told: dict[str, Any], verb: str, *args: object) -> str:
    done = run(*verb.split(), *args, "--json")
    told[verb] = [done.returncode, done.stderr]
    return done.stdout


def _ask_server(*args: object) -> list[Any]:
    command = [sys.executable, "-m", "reflow.cli", "serve", *map(str, args), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            line = server.stdout.readline()
            if not line:
                return [0, server.communicate(timeout=60)[1]]
            url = json.loads(line)["url"].rstrip("/")
            series = f"{url}/v4/timeseries/asset-metrics?assets=btc&metrics=BlkCnt"
            with urllib.request.urlopen(series, timeout=60) as answer:
                status = answer.status
        finally:
            server.send_signal(signal.SIGTERM)
            _, complaints = server.communicate(timeout=60)
    return [status, complaints]


if __name__ == "__main__":
    main()
