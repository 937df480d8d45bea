"""Who is compared: how each is made ready and run on a chain, and what it must have found.

Every one is a process of its own, so that start-up counts and peak memory is its own. Other projects' tools live in
virtual environments of their own, made from others/NAME.txt, and get a smaller chain: the first blocks of
the same one, in a real node's folder, since two of them need its indexes or its RPC.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from compare.figures import Measured, measured, reflow_command

HERE: Final = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "tests"))

from support.bitcoin_node import running_node  # noqa: E402  # the tests' own way to start a node

REGTEST_MAGIC: Final = bytes.fromhex("fabfb5da")
_PATIENCE_SECONDS: Final = 3600


class Input(NamedTuple):
    """A chain on disk, as `-datadir` of a regtest node."""

    folder: Path
    blocks: int
    """Above genesis."""
    transactions: int
    byte_count: int
    """Bytes of blocks and undo data, genesis and the files' frames left out."""


class Place(NamedTuple):
    """Where things are made and found."""

    work: Path
    """Files that are thrown away."""
    environments: Path
    """Virtual environments, kept."""
    bitcoind: Path | None
    threads: int


class Contender(NamedTuple):
    """One line of the table."""

    name: str
    does: str
    """What it does with the blocks."""
    on_slice: bool
    run: Callable[[Input, Place], Measured]


def ingest(chain: Input, place: Place) -> Measured:
    """The whole pipeline, from files to a new ledger."""
    ledger = place.work / "ledger.duckdb"
    ledger.unlink(missing_ok=True)
    done = measured(
        reflow_command("ingest", ledger, "--datadir", chain.folder, "--threads", place.threads, "--json")
    )
    ledger.unlink()
    _expect("blocks", json.loads(done.output)["blocks"], chain.blocks)
    return done


def warm_up(chain: Input, place: Place) -> None:
    """Have reflow's kernels compiled, and the files in the kernel's cache."""
    ledger = place.work / "warm.duckdb"
    measured(reflow_command("ingest", ledger, "--datadir", chain.folder, "--to-height", 1))
    ledger.unlink()
    limit("read")(chain, place)


def limit(what: str) -> Callable[[Input, Place], Measured]:
    """One of benchmarks/compare/limits.py."""

    def run(chain: Input, place: Place) -> Measured:
        done = measured([sys.executable, HERE / "limits.py", what, chain.folder, place.threads])
        if what == "decode":
            _expect("blocks", int(done.output), chain.blocks)
        return done

    return run


def blockchain_parser(chain: Input, place: Place) -> Measured:
    """Needs nothing but the blk files."""
    python = environment("blockchain_parser", place)
    done = measured([python, HERE / "others" / "blockchain_parser.py", chain.folder / "regtest" / "blocks"])
    return _checked(done, chain)


def py_bitcoinkernel(chain: Input, place: Place) -> Measured:
    """Reads the folder that a node left."""
    python = environment("py_bitcoinkernel", place)
    index(chain, place)
    return _checked(measured([python, HERE / "others" / "py_bitcoinkernel.py", chain.folder]), chain)


def bitcoin_etl(chain: Input, place: Place) -> Measured:
    """Asks a running node for blocks and transactions, and writes them as JSON lines."""
    python = environment("bitcoin_etl", place)
    index(chain, place)
    blocks, transactions = place.work / "etl-blocks.json", place.work / "etl-transactions.json"
    with _node(chain, place) as provider:
        done = measured(
            [
                *(
                    python.with_name("bitcoinetl"),
                    "export_blocks_and_transactions",
                    "--provider-uri",
                    provider,
                ),
                *("--start-block", 0, "--end-block", chain.blocks, "--batch-size", 1),
                *("--max-workers", place.threads, "--blocks-output", blocks),
                *("--transactions-output", transactions),
            ]
        )
    counts = [sum(1 for _ in path.open("rb")) for path in (blocks, transactions)]
    _expect("blocks and transactions", counts, [chain.blocks + 1, chain.transactions + 1])
    return done


CONTENDERS: Final = (
    Contender("reflow ingest", "blocks and undo, all checks, into DuckDB", False, ingest),
    Contender("reflow, decoding only", "blocks and undo, all checks, nothing stored", False, limit("decode")),
    Contender("limit: reading, cold", "the files, not in memory before", False, limit("read-cold")),
    Contender("limit: reading, warm", "the files, in memory before", False, limit("read")),
    Contender("limit: SHA-256d", "hashlib over the files, one thread", False, limit("sha256d")),
    Contender("reflow ingest, slice", "the same as above, start-up included", True, ingest),
    Contender("py-bitcoinkernel", "blocks and undo of a node's folder, no checks", True, py_bitcoinkernel),
    Contender("blockchain-parser", "blocks in file order, no undo, no checks", True, blockchain_parser),
    Contender("bitcoin-etl", "a node's RPC to JSON, inputs without values", True, bitcoin_etl),
)


def cut(chain: Path, folder: Path, byte_count: int) -> Input:
    """The first blocks of a generated chain in a folder of their own, about that many bytes of them."""
    blocks = folder / "regtest" / "blocks"
    shutil.rmtree(folder, ignore_errors=True)
    blocks.mkdir(parents=True)
    count = -1  # genesis is not counted
    for name in ("blk", "rev"):
        with (chain / "regtest" / "blocks" / f"{name}00000.dat").open("rb") as file:
            behind = 0 if name == "blk" else 32  # the checksum
            frames, left = [], byte_count if name == "blk" else count
            while left > 0 and (head := file.read(8))[:4] == REGTEST_MAGIC:
                frames.append(head + file.read(int.from_bytes(head[4:], "little") + behind))
                left -= len(frames[-1]) if name == "blk" else 1
            count = len(frames) - 1 if name == "blk" else count
        (blocks / f"{name}00000.dat").write_bytes(b"".join(frames))
    ledger = folder / "ledger.duckdb"
    done = json.loads(measured(reflow_command("ingest", ledger, "--datadir", folder, "--json")).output)
    ledger.unlink()
    _expect("blocks", done["blocks"], count)
    return Input(folder, done["blocks"], done["transactions"], done["byte_count"])


def index(chain: Input, place: Place) -> None:
    """Have a node build its indexes over the chain, unless it did already."""
    if (chain.folder / "regtest" / "blocks" / "index").exists():
        return
    with _node(chain, place, "-reindex"):
        pass


def environment(name: str, place: Place) -> Path:
    """The Python of a virtual environment with the tool, which is made if need be. RuntimeError if that fails."""
    folder, wanted = place.environments / name, HERE / "others" / f"{name}.txt"
    python, stamp = folder / "bin" / "python", folder / "requirements.txt"
    if not stamp.exists() or stamp.read_bytes() != wanted.read_bytes():
        shutil.rmtree(folder, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "--python", python]
        measured([sys.executable, "-m", "venv", "--without-pip", folder])
        measured([*pip, "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r", wanted])
        shutil.copy(wanted, stamp)
    return python


@contextmanager
def _node(chain: Input, place: Place, *options: str) -> Iterator[str]:
    """A node on the chain; gives the address of its RPC, with user and password, once it has all blocks."""
    if place.bitcoind is None:
        raise RuntimeError("no bitcoind: --bitcoind, or REFLOW_BITCOIND")
    with running_node(place.bitcoind, chain.folder, *options) as node:
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while node.height() < chain.blocks:
            if time.monotonic() > give_up:
                raise RuntimeError(f"the node is at height {node.height()}, expected {chain.blocks}")
            time.sleep(0.2)
        yield f"http://{node.cookie.read_text()}@{node.address}"


def _checked(done: Measured, chain: Input) -> Measured:
    """What the scripts in others/ print: blocks and transactions, genesis included."""
    _expect(
        "blocks and transactions",
        [int(word) for word in done.output.split()[:2]],
        [chain.blocks + 1, chain.transactions + 1],
    )
    return done


def _expect(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise RuntimeError(f"{what}: found {found}, expected {expected}")


def attempt(contender: Contender, chain: Input, place: Place) -> Measured | str:
    """What it took, or in one line why it could not be run."""
    try:
        return contender.run(chain, place)
    except (RuntimeError, OSError, ValueError, subprocess.SubprocessError) as error:
        return " ".join(str(error).split())[:200]
