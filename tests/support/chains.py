"""Chains that several tests share, made once a session: the simulated economy, and how to put it on disk."""

import tarfile
from functools import cache
from pathlib import Path

import numpy as np

from reflow.blocks.datadir import DatadirSource
from reflow.blocks.source import RawBatch, byte_array
from reflow.ledger.ingest import IngestResult, ingest
from reflow.ledger.ledger import Ledger
from reflow.simulate.blockfiles import write_chain
from reflow.simulate.economy import Simulation, simulate
from support.plain_parser import sha256d

KEY = bytes.fromhex("1f2e3d4c5b6a7988")

LEDGER_TABLES = ("meta", "block", "tx", "debit", "credit", "coinbase", "script")


def batch_of(
    first_height: int, blocks: list[bytes], undos: list[bytes], hashes: list[bytes] | None = None
) -> RawBatch:
    """Blocks and undo data as a source would hand them over."""
    hashes = hashes or [sha256d(block[:80]) for block in blocks]
    return RawBatch(
        first_height,
        byte_array(b"".join(blocks)),
        np.cumsum([0, *map(len, blocks)]),
        byte_array(b"".join(undos)),
        np.cumsum([0, *map(len, undos)]),
        byte_array(b"".join(hashes)).reshape(-1, 32),
        np.zeros(len(blocks), np.int64),
        None,
        lambda block: f"block {block} of the test",
    )


@cache
def simulation() -> Simulation:
    """The simulated economy that `reflow demo` shows: 800 regtest blocks, every kind of script."""
    return simulate()


def write_simulation(folder: Path, blocks: int | None = None, **how: object) -> Path:
    """The first `blocks` blocks above genesis as blk and rev files; gives the blocks folder."""
    chain = simulation().blocks
    write_chain(folder, chain if blocks is None else chain[: blocks + 1], **how)  # type: ignore[arg-type]
    return folder


def unpack_first_blocks(shared_data: Path, count: int, folder: Path) -> Path:
    """The blocks folder of a real node with the first `count` blocks of mainnet, laid into `folder`; gives it."""
    with tarfile.open(shared_data / f"mainnet-first-{count}-blocks.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def ingest_folder(ledger: Path, folder: Path, **how: object) -> IngestResult:
    """Ingest a blocks folder the usual way."""
    return ingest(ledger, DatadirSource(folder), **how)  # type: ignore[arg-type]


def content(ledger: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of a ledger, table by table, in storage order; what the ledger knows of files is left out."""
    with Ledger.open(ledger, read_only=True) as opened:
        return {table: opened.con.execute(f"SELECT * FROM {table}").fetchall() for table in LEDGER_TABLES}
