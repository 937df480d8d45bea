"""Check a whole ledger again, from its rows alone: links, times, numbers, conservation, sums, scripts and digests.

No table is believed: each is counted anew from the others, and the digest covers what no other column decides
(methodology 1, 2 and 6). The ledger is read once, in pieces that fit in memory, by several threads.
"""

import hashlib
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import duckdb
import numpy as np

from reflow.errors import LedgerError
from reflow.ledger.faults import Fault, Faults
from reflow.ledger.kept_days import check_days
from reflow.ledger.ledger import Ledger, Tip, memory_bytes, raise_if_storage_failed
from reflow.ledger.scan_state import check_scan
from reflow.ledger.verify_blocks import Before, Blocks, Longs, check_blocks, genesis, pieces, read_blocks
from reflow.ledger.verify_coins import CoinCheck
from reflow.ledger.verify_rows import Counted, check_scripts, count_rows
from reflow.progress import Progress, silent
from reflow.store.duckdb import DuckDbStore
from reflow.store.resources import database_bytes, in_order, query
from reflow.text import one_line

CHUNK: Final = 10_000
"""Heights whose blocks have a digest together: from one multiple of this to the next."""

DEFAULT_MEMORY: Final = "2GB"
"""The memory of the whole process, by default."""

_OTHER_BYTES: Final = 500_000_000
"""What Python and the rows that are being counted take, as measured with two threads: not DuckDB's."""

PIECE_BYTES: Final = 64 << 20
"""Blocks of that many bytes have about 0.8 million debits and credits, which are counted at once."""


class ChunkDigest(NamedTuple):
    """The digest of some consecutive blocks: equal on every machine with the same chain."""

    first_height: int
    last_height: int
    digest: str
    """SHA-256 (hex) over network, and height, hash and recomputed row digest of each block."""


class Verification(NamedTuple):
    """The content of a ledger by its rows, and its faults."""

    network: str
    height: int
    """Of the tip; 0 while the ledger is empty."""
    tip_hash: str
    rows: dict[str, int]
    """Table to its number of rows."""
    supply: int
    """Sat that the coinbases issued, all in all."""
    digest: str
    """`Ledger.digest`, as in run.json; of what the ledger says of itself."""
    chunks: list[ChunkDigest]
    fault_count: int
    faults: list[Fault]
    """The first of them, in chain order."""
    seconds: float


def database_memory(memory: str) -> str:
    """DuckDB's part when the whole process has `memory`, such as "2GB". Raises LedgerError if that is no size."""
    return f"{database_bytes(memory_bytes(memory), _OTHER_BYTES)} bytes"


def facts(result: Verification) -> dict[str, Any]:
    """The result for JSON."""
    told = [fault._asdict() | {"text": str(fault)} for fault in result.faults]
    return result._asdict() | {"chunks": [chunk._asdict() for chunk in result.chunks], "faults": told}


def verify(ledger: Ledger, *, progress: Progress = silent, threads: int | None = None) -> Verification:
    """Check every row of the ledger, which may be open for reading only; the result does not depend on `threads`.

    `progress` is called with the stage (`blocks`, then `days` that are kept), how many are done and how many there are.
    Raises LedgerError when the ledger cannot be read; faults in its content are in the result.
    """
    try:
        return _Verify(ledger, progress, threads or 2).run()
    except duckdb.Error as error:
        raise_if_storage_failed(error, f"{ledger.path}: cannot verify the ledger")
        raise LedgerError(
            f"{ledger.path}: cannot read the ledger: {one_line(error)}; "
            "delete the file and run `reflow ingest` again"
        ) from error
    except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError) as error:
        # Values that no other check calls wrong and that cannot be counted with; the cause is in __cause__.
        raise LedgerError(
            f"{ledger.path}: cannot verify the ledger: its values make no sense: {one_line(error)}; "
            "delete the file and run `reflow ingest` again"
        ) from error


class _Verify:
    """One run, and what it found so far."""

    def __init__(self, ledger: Ledger, progress: Progress, threads: int) -> None:
        self._ledger = ledger
        self._progress = progress
        self._threads = threads
        self._began = time.monotonic()
        self._faults = Faults()
        self._rows = {"block": 0, "tx": 0, "debit": 0, "credit": 0, "coinbase": 0}
        self._issuance = 0
        self._payees: list[tuple[Longs, Longs]] = []
        self._chunks: dict[int, Any] = {}
        self._heights: dict[int, tuple[int, int]] = {}

    def run(self) -> Verification:
        """Check all."""
        store = DuckDbStore(self._ledger.con)
        [counts] = store.rows("verify_counts")
        with store.memory() as memory:
            coins = CoinCheck(memory, counts["credit"], counts["debit"])
            for counted in self._counted():
                self._add(counted)
                if not self._faults.count:
                    coins.follow(counted.first_tx, counted.debits, counted.credited)
                self._progress("blocks", self._rows["block"], counts["block"])
            self._compare_counts(counts)
            if not self._faults.count:  # else it is no news that what depends on the rows is wrong too
                self._faults.extend(*coins.faults(store, counts["tx"], self._threads, self._progress))
        counts["script"] = check_scripts(self._ledger.con, self._payees, self._faults)
        for fault in check_scan(self._ledger):
            self._faults.add(fault)
        if not self._faults.count:
            for what in check_days(self._ledger.con, progress=self._progress):
                self._faults.add(Fault(*what))
        tip = self._ledger.tip() or Tip(0, self._ledger.network.genesis_hash, 0)
        return Verification(
            network=self._ledger.network.name,
            height=tip.height,
            tip_hash=bytes(tip.hash).hex(),
            rows=counts,
            supply=self._issuance,
            digest=self._ledger.digest(),
            chunks=[
                ChunkDigest(*self._heights[chunk], digest.hexdigest())
                for chunk, digest in self._chunks.items()
            ],
            fault_count=self._faults.count,
            faults=self._faults.first,
            seconds=time.monotonic() - self._began,
        )

    def _compare_counts(self, counts: dict[str, int]) -> None:
        for table, count in counts.items():
            if self._rows[table] != count:
                self._faults.add(Fault(f"rows of {table} that belong to a block", self._rows[table], count))

    def _counted(self) -> Iterator[Counted]:
        """Every piece of the ledger, counted, in chain order."""
        ledger = self._ledger

        def count_piece(piece: tuple[Blocks, Faults]) -> Counted:
            blocks, faults = piece
            return count_rows(ledger.con, blocks, ledger.network, faults)

        return in_order(count_piece, self._pieces(), self._threads, self._threads + 1)

    def _pieces(self) -> Iterator[tuple[Blocks, Faults]]:
        """Blocks to be counted, each piece with the faults that are known of it already."""
        before: Before = genesis(self._ledger.network)
        con = self._ledger.con
        for (chunk,) in con.execute(query("verify_chunks"), {"heights": CHUNK}).fetchall():
            faults, known = Faults(), Faults()
            blocks = read_blocks(con, chunk * CHUNK, chunk * CHUNK + CHUNK - 1, faults)
            before = check_blocks(blocks, before, faults)
            known.extend_in_order([faults])
            for piece in pieces(blocks, PIECE_BYTES):
                yield piece, known
                known = Faults()

    def _add(self, counted: Counted) -> None:
        self._faults.extend(counted.faults.first, counted.faults.count)
        self._rows["block"] += len(counted.heights)
        for table, count in counted.rows.items():
            self._rows[table] += count
        self._issuance += counted.issuance
        self._payees.append((counted.payee_account, counted.payee_tx))
        columns = (counted.heights.tolist(), counted.hashes, counted.digests.astype("<i8"))
        for height, block_hash, digest in zip(*columns, strict=True):
            chunk = height // CHUNK
            if chunk not in self._chunks:
                self._chunks[chunk] = hashlib.sha256(self._ledger.network.name.encode())
                self._heights[chunk] = (height, height)
            self._heights[chunk] = (self._heights[chunk][0], height)
            self._chunks[chunk].update(height.to_bytes(8, "little", signed=True))
            self._chunks[chunk].update(block_hash.tobytes() + np.int64(digest).tobytes())
