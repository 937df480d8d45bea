"""Open a ledger, append blocks to it, roll blocks back, ask for its tip.

A ledger is one DuckDB file with the tables of queries/schema.sql. Blocks enter and leave whole, in transactions, so the
tip never stands above rows that are missing (methodology 2).
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import duckdb
import pyarrow as pa

from reflow.errors import LedgerError, ReflowError
from reflow.ledger.damage import REMEDY, raise_if_damaged, structure_fault
from reflow.ledger.kept_days import take_back_days
from reflow.ledger.rows import SPAN, LedgerRows, Past
from reflow.ledger.rows import Tip as Tip
from reflow.network import NETWORKS, PERIOD, Network
from reflow.store.duckdb import DuckDbStore, connect, count, memory_limit
from reflow.store.relations import WANTED_BLOCK
from reflow.store.resources import query
from reflow.text import is_utf8, one_line, open_regular

SCHEMA_VERSION: Final = 2
"""Version of queries/schema.sql and of what its columns mean; a ledger with any other is refused.

1: an account was always one exact scriptPubKey. 2: pay-to-public-key outputs are in the account of their key's address.
"""

DEFAULT_MEMORY: Final = 4_000_000_000
"""Bytes; the machine's size would make the memory of a run grow with its ledger."""

_MAGIC: Final = slice(8, 12)
"""Where DUCK stands in a file of DuckDB's, after a checksum."""

_ROLLED_BACK_BY_TX: Final = ("tx", "debit", "credit", "script")
_ROLLED_BACK_BY_HEIGHT: Final = ("block", "coinbase")


class Ledger:
    """An open ledger; use it as a context manager, or call `close`.

    `con` is the DuckDB connection, for queries of your own. One process at a time may have a ledger open for
    writing; several may read it while nobody writes.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, network: Network, path: Path | None) -> None:
        self.con: Final = con
        self.network: Final = network
        self.path: Final = path
        self._is_judged = False

    @classmethod
    def open(
        cls,
        path: str | Path | None,
        network: Network | None = None,
        *,
        read_only: bool = False,
        memory: str | None = None,
        threads: int | None = None,
    ) -> Self:
        """Open the ledger at `path`, or make one for `network` if there is none yet; None is a ledger in memory.

        `memory` is DuckDB's limit, such as "4GB"; where arrays are needed beside it, they take half of that from it. If
        left out it is DEFAULT_MEMORY, or what DuckDB takes by default if that is less. `threads` is DuckDB's number of
        threads. Results do not depend on either.
        Raises LedgerError: no ledger there (read_only, or no network given to make one), another network than asked
        for, a newer or older schema, not a ledger at all, or locked by another process.
        The path is always a file's: `md:x` and `sqlite:x` are files in this folder, and `:memory:` is refused.
        """
        file = None if path is None else Path(path)
        exists = file is not None and is_there(file)
        if not exists and (read_only or network is None):
            raise LedgerError(f"{path}: no ledger there")
        if file is not None and not exists and not file.absolute().parent.is_dir():
            raise LedgerError(f"{path}: no folder {file.absolute().parent} to make a ledger in")
        con = _connect(file, read_only)
        try:
            _configure(con, memory, threads)
            found = _create(con, network) if _is_new(con, network, read_only) else _identify(con, file)
            if fault := structure_fault(con):
                raise LedgerError(
                    f"{path}: the ledger is damaged: {fault}; delete it and run `reflow ingest` again"
                )
            if network is not None and found is not network:
                raise LedgerError(f"{path}: ledger of network {found.name}, expected {network.name}")
        except BaseException as error:
            con.close()
            if isinstance(error, duckdb.Error):
                raise_if_storage_failed(error, f"{path}: cannot open the ledger")
                raise LedgerError(f"{path}: cannot open the ledger: {one_line(error)}; {REMEDY}") from error
            raise
        return cls(con, found, file)

    def tip(self) -> Tip | None:
        """The last block, or None while the ledger is empty."""
        with self.working("read its tip"):
            rows = self.con.execute(query("tip")).fetchall()
            return Tip(*rows[0]) if rows else None

    def block_hash(self, height: int) -> bytes | None:
        """Hash of the block at `height`, in display order; the genesis hash at 0, None above the tip."""
        if height == 0:
            return self.network.genesis_hash
        rows = self.con.execute(
            "SELECT hash FROM block WHERE height = $height", {"height": height}
        ).fetchall()
        return bytes(rows[0][0]) if rows else None

    def recent_times(self) -> list[int]:
        """Header times of the last eleven blocks in chain order, genesis included: the predecessors for mediantime."""
        rows = self.con.execute(query("recent_times")).fetchall()
        times = [time for (time,) in rows]
        return times if len(times) == SPAN else [self.network.genesis_time, *times]

    def past(self) -> Past:
        """What its blocks decide about the next one."""
        past = Past.genesis(self.network)
        tip = self.tip()
        if tip is None:
            return past
        if self.network.retargets:
            for height, time in self.con.execute(query("period_times"), {"period": PERIOD}).fetchall():
                past = past.at_period(height, time)
        [(supply,)] = self.con.execute("SELECT sum(issuance) FROM block").fetchall()
        return past._replace(tip=tip, times=tuple(self.recent_times()), supply=int(supply))

    def append(self, rows: LedgerRows) -> None:
        """Add the rows of consecutive blocks on top of the tip: all tables or none.

        Raises LedgerError when they do not connect to the tip, or when the file cannot be written (disk full).
        """
        self._check_connects(rows)
        with self.transaction():
            for table, arrow in rows._asdict().items():
                if table != "script":
                    self.insert(table, arrow)
            self.run(query("append_scripts"), rows.script)

    def roll_back(self, height: int) -> int:
        """Remove every block above `height`; gives how many. What is left equals a fresh ingest up to there."""
        [(first_tx, count)] = self.con.execute(
            "SELECT min(first_tx), count(*) FROM block WHERE height > $height", {"height": height}
        ).fetchall()
        if first_tx is None:
            return 0
        with self.transaction():
            take_back_days(self.con, height)
            for table in _ROLLED_BACK_BY_TX:
                self.con.execute(f"DELETE FROM {table} WHERE tx >= $first_tx", {"first_tx": first_tx})
            for table in _ROLLED_BACK_BY_HEIGHT:
                self.con.execute(f"DELETE FROM {table} WHERE height > $height", {"height": height})
        return int(count)

    def digest(self) -> str:
        """SHA-256 (hex) over height, hash and row digest of every block: equal ledgers have equal digests.

        It does not depend on how the blocks came in: files or RPC, batch size, interruptions, reorgs.
        """
        digest = hashlib.sha256(self.network.name.encode())
        with self.working("compute its digest"):
            for batch in self.con.sql(query("block_digests")).to_arrow_reader(100_000):
                for name in ("height", "hash", "digest"):
                    column = batch.column(name)
                    digest.update(
                        b"".join(column.to_pylist()) if name == "hash" else column.to_numpy().tobytes()
                    )
        return digest.hexdigest()

    @contextmanager
    def store(self, doing: str = "read") -> Iterator[DuckDbStore]:
        """A store for the rooms above. The relations that are made in it end with it.

        Raises LedgerError as `working` does.
        """
        with self.working(doing), DuckDbStore(self.con).own() as store:
            yield store

    @contextmanager
    def working(self, doing: str) -> Iterator[None]:
        """Work on the ledger that may meet damage in it: every verb's is in one of these.

        Raises LedgerError, "cannot `doing`", when memory or disk do not suffice, or when the work fails in any other
        way and `verify` finds that the ledger is damaged. An error on a sound ledger is a bug and is raised as it is.
        """
        try:
            yield
        except ReflowError:
            raise
        except Exception as error:
            if isinstance(error, duckdb.Error):
                raise_if_storage_failed(error, f"{self.path}: cannot {doing}")
            if not self._is_judged:  # else it is verify that failed
                self._is_judged = True
                try:
                    raise_if_damaged(self, doing, error)
                finally:
                    self._is_judged = False
            raise

    def transaction(self) -> "_Transaction":
        """A database transaction as a context manager: commits at the end, rolls back on any exception."""
        return _Transaction(self.con, self.path)

    def close(self) -> None:
        """Close the file; the ledger cannot be used after that."""
        self.con.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _check_connects(self, rows: LedgerRows) -> None:
        tip = self.tip() or Tip(0, self.network.genesis_hash, 0)
        first = rows.block.slice(0, 1).to_pylist()[0]
        expected = (tip.height + 1, tip.hash, tip.next_tx)
        found = (first["height"], first["prev_hash"], first["first_tx"])
        if found != expected:
            raise LedgerError(
                f"block {first['hash'].hex()} does not connect: height {found[0]} on {found[1].hex()} at tx {found[2]}"
                f", expected height {expected[0]} on {expected[1].hex()} at tx {expected[2]}"
            )

    def insert(self, table: str, rows: pa.Table) -> None:
        """Append Arrow rows to a table, columns matched by name; in the transaction that is under way, if one is."""
        self.run(f"INSERT INTO {table} BY NAME SELECT * FROM incoming", rows)

    def ask(self, question: str, wanted_block: pa.Table | None = None) -> int:
        """The one number that a question answers with; it may read `wanted_block`."""
        if wanted_block is None:
            return count(self.con, query(question))
        with DuckDbStore(self.con).lend(WANTED_BLOCK, wanted_block):
            return count(self.con, query(question))

    def run(self, sql: str, incoming: pa.Table) -> None:
        """Execute a statement that reads `incoming`."""
        self.con.register("incoming", incoming)
        self.con.execute(sql)
        self.con.unregister("incoming")  # after a failure the rollback takes it away


class _Transaction:
    def __init__(self, con: duckdb.DuckDBPyConnection, path: Path | None) -> None:
        self._con = con
        self._path = path

    def __enter__(self) -> None:
        self._con.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._con.commit()
                return
            self._con.rollback()
        except duckdb.Error as failed:
            error = error or failed
        if isinstance(error, duckdb.Error):
            raise_if_storage_failed(error, f"{self._path}: cannot write the ledger")


def raise_if_storage_failed(error: duckdb.Error, doing: str) -> None:
    """Raise LedgerError, in one line, if the cause lies outside the program: no room on disk or in memory, bad disk.

    `doing` begins the line: file, and what could not be done. Any other error of the database is a bug, and not raised.
    """
    if isinstance(error, duckdb.OutOfMemoryException):
        raise LedgerError(
            f"{doing}: not enough memory: {one_line(error).partition(' Possible')[0]}"
        ) from error
    text = one_line(error)
    is_damage = any(word in text.lower() for word in ("corrupt", "checksum", "invalidated"))
    if is_damage or isinstance(
        error, duckdb.IOException | duckdb.FatalException | duckdb.TransactionException
    ):
        raise LedgerError(f"{doing}: {text}{f'; {REMEDY}' if is_damage else ''}") from error


def is_there(file: Path) -> bool:
    """Whether there is a file that may be a ledger. Raises LedgerError, before DuckDB sees it, for what cannot be one.

    DuckDB would look for extensions that read a file of another kind, and wait at a pipe.
    """
    if str(file) == ":memory:":
        raise LedgerError(f"{file}: expected a file, since a ledger in memory would be gone at the end")
    # DuckDB takes the one for a slash, and puts its write-ahead log before the other, into another folder perhaps.
    place = str(file.absolute())
    if "\\" in place or "?" in place or not is_utf8(place):
        raise LedgerError(f"{file}: a ledger's path must have no \\ and no ? in it, and must be UTF-8")
    head = _head(file)
    if head is None:
        return False
    if head[_MAGIC] != b"DUCK":
        kind = "a SQLite file" if head.startswith(b"SQLite") else "not a DuckDB file" if head else "empty"
        raise LedgerError(f"{file}: not a ledger: {kind}")
    _head(file.with_name(f"{file.name}.wal"))
    return True


def _head(file: Path) -> bytes | None:
    """The first bytes; None if there is no such file."""
    try:
        with open_regular(file) as stream:
            return stream.read(_MAGIC.stop)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise LedgerError(f"{file}: cannot open the ledger: {error.strerror}") from None


def _connect(file: Path | None, read_only: bool) -> duckdb.DuckDBPyConnection:
    try:
        return connect(file, read_only=read_only)
    except duckdb.IOException as error:
        text = one_line(error)
        if "lock" in text.lower():
            raise LedgerError(f"{file}: ledger is in use by another process ({text})") from None
        raise LedgerError(f"{file}: cannot open the ledger: {text}") from None
    except duckdb.Error as error:
        text = one_line(error)
        if "corrupt wal" in text.lower():  # power was lost while the database wrote its log
            raise LedgerError(f"{file}: the ledger is damaged: {text}; {REMEDY}") from None
        raise LedgerError(f"{file}: not a ledger: {text}") from None


def memory_bytes(memory: str) -> int:
    """A memory limit such as "4GB" or "80%" in bytes, as DuckDB reads it. Raises LedgerError if it is not one."""
    with connect() as con:
        _configure(con, memory, None)
        return memory_limit(con)


def _configure(con: duckdb.DuckDBPyConnection, memory: str | None, threads: int | None) -> None:
    # It counts deleted rows (DuckDB 2.0.0): after a roll back, ORDER BY … LIMIT gives rows that are not the last.
    con.execute("SET disabled_optimizers = 'row_group_pruner'")
    if memory is None:
        con.execute("SET memory_limit = $bytes", {"bytes": f"{min(DEFAULT_MEMORY, memory_limit(con))} bytes"})
    else:
        try:
            con.execute("SET memory_limit = $memory", {"memory": memory})
        except duckdb.Error as error:
            raise LedgerError(f"memory limit {memory}: {one_line(error)}") from None
    if threads is not None:
        con.execute("SET threads = $threads", {"threads": threads})


def _create(con: duckdb.DuckDBPyConnection, network: Network | None) -> Network:
    assert network is not None
    con.begin()
    con.execute(query("schema"))
    con.executemany(
        "INSERT INTO meta VALUES ($key, $value)",
        [
            {"key": "network", "value": network.name},
            {"key": "schema_version", "value": str(SCHEMA_VERSION)},
        ],
    )
    con.commit()
    return network


def _is_new(con: duckdb.DuckDBPyConnection, network: Network | None, read_only: bool) -> bool:
    """Whether the ledger must be made: it has no table yet, perhaps since an earlier run was killed."""
    [(tables,)] = con.execute("SELECT count(*) FROM information_schema.tables").fetchall()
    return tables == 0 and network is not None and not read_only


def _identify(con: duckdb.DuckDBPyConnection, file: Path | None) -> Network:
    try:
        meta = dict(con.execute("SELECT key, value FROM meta").fetchall())
        version = int(meta["schema_version"])
    except (duckdb.Error, KeyError, ValueError):
        raise LedgerError(
            f"{file}: a DuckDB file, but not a ledger: no network and schema_version in it"
        ) from None
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"{file}: ledger has schema {version}, this reflow knows up to {SCHEMA_VERSION}: update reflow"
        )
    if version < SCHEMA_VERSION:
        raise LedgerError(
            f"{file}: ledger has schema {version}, this reflow needs {SCHEMA_VERSION}, "
            "which defines accounts differently: delete it and run `reflow ingest` again"
        )
    if meta.get("network") not in NETWORKS:
        raise LedgerError(
            f"{file}: ledger of network {meta.get('network')}, expected one of {', '.join(NETWORKS)}"
        )
    return NETWORKS[meta["network"]]
