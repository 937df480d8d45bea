"""A ledger is a file of this machine, whatever its name: nothing else is opened, no extension looked for."""

import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import reflow
from reflow.errors import LedgerError
from reflow.ledger.ingest import ingest
from reflow.ledger.ledger import Ledger
from reflow.network import REGTEST
from reflow.store.duckdb import ParquetStore, connect
from reflow.store.relations import METRIC_VALUE

ENGINE = Path(reflow.__file__).parent

ODD_NAMES = (
    *("md:x", "sqlite:x", "duckdb:x", "postgres:dbname=x", "s3:", "file:x", ":memory:x", "-dash", "a b", "~"),
    *("it's", 'quo"te', "h#x", "p%41", "new\nline", "ü—字", "star*[1]", "{a,b}", "x;y"),
)


def test_duckdb_is_connected_to_at_one_place() -> None:
    """Only that place says what a connection may reach."""
    ways = re.compile(r"duckdb\.(connect|sql|execute|query|read_\w+|from_\w+)\(|from duckdb import .*connect")
    places = [
        path.relative_to(ENGINE).as_posix() for path in ENGINE.rglob("*.py") if ways.search(path.read_text())
    ]
    assert places == ["store/duckdb.py"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_is_that_of_a_file_in_this_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Ledger.open(name, REGTEST) as ledger:
        ledger.con.execute("INSERT INTO meta VALUES ('mark', 'here')")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with Ledger.open(name, read_only=True) as ledger:
        assert ledger.con.execute("SELECT value FROM meta WHERE key = 'mark'").fetchall() == [("here",)]


def make_sqlite(path: Path) -> None:
    with sqlite3.connect(path) as con:
        con.execute("CREATE TABLE meta (key, value)")


def make_other_duckdb(path: Path) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE other (key INTEGER)")


def make_with_pipe_as_log(path: Path) -> None:
    Ledger.open(path, REGTEST).close()
    os.mkfifo(f"{path}.wal")


NO_LEDGERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "sqlite": (make_sqlite, "not a ledger: a SQLite file"),
    "text": (lambda path: path.write_text("address,entity\n" * 9), "not a ledger: not a DuckDB file"),
    "empty": (Path.touch, "not a ledger: empty"),
    "folder": (Path.mkdir, "Is a directory"),
    "pipe": (os.mkfifo, "a named pipe, expected a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "a device, expected a regular file"),
    "another database": (make_other_duckdb, "a DuckDB file, but not a ledger"),
    "pipe as log": (make_with_pipe_as_log, "a named pipe, expected a regular file"),
    "back\\slash": (lambda path: None, r"must have no \\ and no \?"),
    "x?access_mode=read_only": (lambda path: None, r"must have no \\ and no \?"),
    "long" * 100: (lambda path: None, "File name too long"),
    os.fsdecode(b"\xff"): (lambda path: None, "must be UTF-8"),
}


@pytest.mark.parametrize("name", NO_LEDGERS)
@pytest.mark.parametrize("read_only", [True, False])
def test_what_is_no_ledger_is_refused_in_a_line(name: str, read_only: bool, tmp_path: Path) -> None:
    make, reason = NO_LEDGERS[name]
    path = tmp_path / name
    make(path)
    with pytest.raises(LedgerError, match=reason) as caught:
        Ledger.open(path, REGTEST, read_only=read_only)
    assert "\n" not in str(caught.value)


def test_a_ledger_in_memory_is_not_what_its_name_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LedgerError, match="in memory would be gone"):
        ingest(":memory:", None)  # type: ignore[arg-type]  # refused before a source is asked


def test_a_view_in_a_ledger_cannot_read_files(tmp_path: Path) -> None:
    """Whoever made the file could have put there what reads this machine's files, or the network."""
    (tmp_path / "secret.csv").write_text("key,value\nnetwork,regtest\nschema_version,2\n")
    path = tmp_path / "ledger"
    with duckdb.connect(str(path)) as con:
        con.execute(f"CREATE VIEW meta AS SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')")
    with pytest.raises(LedgerError, match="not a ledger"):
        Ledger.open(path, read_only=True)


@pytest.mark.parametrize(
    "statement",
    [
        "INSTALL sqlite",
        "LOAD sqlite",
        "ATTACH 'md:x'",
        "ATTACH 'other.duckdb'",
        "COPY (SELECT 1) TO 'out.csv'",
        "FROM read_csv('/etc/passwd')",
        "FROM 'https://127.0.0.1/x.parquet'",
        "SET enable_external_access = true",
        "SET autoload_known_extensions = true",
        "SET allowed_paths = ['/etc/passwd']",
        "SET lock_configuration = false",
    ],
)
def test_a_connection_reaches_nothing_else(
    statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for con in (connect(), connect(tmp_path / "x")):
        with con, pytest.raises(duckdb.Error, match=r"disabled|locked|Cannot access"):
            con.execute(statement)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("statement", ["LOAD httpfs", "ATTACH 'md:x'", "FROM 'https://127.0.0.1/x.parquet'"])
def test_a_served_file_is_read_without_extensions(statement: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({"asset": ["btc"]}), tmp_path / "series.parquet")
    con = ParquetStore(METRIC_VALUE, tmp_path / "series.parquet", "100MB").con
    assert con.execute(f"SELECT * FROM {METRIC_VALUE.name}").fetchall() == [("btc",)]
    with con, pytest.raises(duckdb.Error, match=r"disabled|extension"):
        con.execute(statement)


def test_one_process_may_read_a_ledger_twice(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    Ledger.open(path, REGTEST).close()
    with (
        Ledger.open(path, read_only=True),
        Ledger.open(path, read_only=True, memory="1GB", threads=1) as second,
    ):
        assert second.tip() is None


def test_ledger_with_little_memory_still_has_its_temporary_files(tmp_path: Path) -> None:
    """They lie beside it, though no other file can be reached."""
    with Ledger.open(tmp_path / "ledger", REGTEST, memory="60MB", threads=1) as ledger:
        sorted_rows = (
            "CREATE TEMPORARY TABLE t AS SELECT md5(range::VARCHAR) AS m FROM range(2000000) ORDER BY m"
        )
        ledger.con.execute(sorted_rows)
        assert (tmp_path / "ledger.tmp").is_dir()
