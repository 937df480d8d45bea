"""Loads reflow once, then forks for each call that a test asks for, with the shim, if there is one, armed in the child.

    [LD_PRELOAD=shim.so] python -m support.fork_server (shim.so | -) [FOLDER_OF_BLOCKS]

A line of JSON comes in for each call and goes out for each result (see support/shim.py). A fork costs milliseconds
where a start of Python costs more than a second. With a folder of blocks it ingests them once, so that the kernels
are loaded too. No database is open and no pool of threads has begun when it forks.
"""

import ctypes
import gc
import io
import json
import mmap
import os
import select
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

from reflow.cli.main import app
from reflow.errors import ReflowError

_SHARED = 256
HUNG = -999


def _load() -> None:
    """Import what the verbs import when they run, so that forks need not."""
    import altair
    import duckdb
    import jinja2
    import matplotlib
    import networkx
    import polars
    import pyarrow.parquet

    import reflow

    for module in walk_packages(reflow.__path__, "reflow."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    _ = altair, duckdb, jinja2, matplotlib, networkx, polars, pyarrow.parquet


def _load_kernels(folder: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        ledger = f"{scratch}/ledger"
        _ingest_in_small_steps(ledger, folder)
        with redirect_stdout(io.StringIO()), suppress(SystemExit):
            app(["verify", ledger], prog_name="reflow")
    gc.collect()
    gc.freeze()  # so that forks share what is here


def _ingest_in_small_steps(ledger: str, folder: str) -> None:
    """An ingest that commits often."""
    from reflow.blocks.datadir import DatadirSource
    from reflow.ledger.ingest import ingest

    try:
        ingest(ledger, DatadirSource(folder), batch_bytes=30_000, commit_bytes=60_000, threads=2)
    except (ReflowError, MemoryError, OSError) as error:  # as the command line does
        print("reflow:", " ".join(str(error).split()) or "not enough memory", file=sys.stderr)
        raise SystemExit(1) from None


def _replace(name: str, text: str, *flushes: str) -> None:
    """Replace a file by way of another; `flushes` are `file`, `folder`, both or none. For tests of the shim itself."""
    part = Path(f"{name}.part")
    with part.open("w") as file:
        file.write(text)
        if "file" in flushes:
            file.flush()
            os.fsync(file.fileno())
    part.replace(name)
    if "folder" in flushes:
        handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(handle)
        os.close(handle)
    Path("done").write_text("done")


_OTHERS: dict[str, Callable[..., None]] = {
    "ingest-in-small-steps": _ingest_in_small_steps,
    "replace": _replace,
}
"""Calls that are no verbs."""


def _child(request: dict[str, Any], shim: ctypes.CDLL | None, shared: int, out: int, err: int) -> None:
    """Run the call and leave; never returns."""
    status = 70
    try:
        os.chdir(request["cwd"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.environ.clear()
        os.environ.update(request["environment"])
        if shim is not None and request["arm"] is not None:
            kinds, action, nth, error, least, journal, saves = request["arm"]
            shim.shim_arm(
                ctypes.c_void_p(shared),
                request["cwd"].encode(),
                kinds,
                action,
                ctypes.c_int64(nth),
                error,
                ctypes.c_int64(least),
                journal.encode(),
                saves.encode(),
            )
        args = request["args"]
        if args and args[0] in _OTHERS:
            _OTHERS[args[0]](*args[1:])
        else:
            app(args, prog_name="reflow")
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 1
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)


def _wait(pid: int, patience: float) -> int:
    """The exit status, or minus the signal, or HUNG after `patience` seconds."""
    handle = os.pidfd_open(pid)
    ready, _, _ = select.select([handle], [], [], patience)
    os.close(handle)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if ready else HUNG


def _run(request: dict[str, Any], shim: ctypes.CDLL | None, memory: mmap.mmap) -> list[dict[str, Any]]:
    """All calls of a request, begun together, each after its delay; what became of each."""
    shared = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    memory[:_SHARED] = bytes(_SHARED)
    children = []
    for args, delay in request["calls"]:
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        pid = os.fork()
        if pid == 0:
            time.sleep(delay)
            _child({**request, "args": args}, shim, shared, out.fileno(), err.fileno())
        children.append((pid, out, err))
    results = []
    for pid, out, err in children:
        status = _wait(pid, request["patience"])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
            file.close()
        count, struck = struct.unpack("qq", memory[:16])
        what = memory[16:_SHARED].split(b"\0")[0].decode(errors="replace") if struck else ""
        results.append({"status": status, "out": texts[0], "err": texts[1], "calls": count, "what": what})
    return results


def _serve(shim: ctypes.CDLL | None) -> None:
    memory = mmap.mmap(-1, 4096)
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line), shim, memory)), flush=True)


if __name__ == "__main__":
    library = None if sys.argv[1] == "-" else ctypes.CDLL(sys.argv[1])
    _load()
    for blocks in sys.argv[2:]:
        _load_kernels(blocks)
    _serve(library)
    os._exit(0)  # libraries have nothing to clean up that matters here
