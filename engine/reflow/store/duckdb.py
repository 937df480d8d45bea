"""A store over one connection of DuckDB: relations that are made are its temporary tables, lent ones its views."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from reflow.store.relations import Relation
from reflow.store.resources import Arrays, bytes_for_arrays, in_order, query
from reflow.store.store import Store

_BATCH: Final = 500_000
_ROWS: Final = 50_000
"""In a batch that may become Python objects."""

Item = TypeVar("Item")
Result = TypeVar("Result")

DatabaseError = duckdb.Error
"""What DuckDB raises."""

_CLOSED: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    "allowed_configs": ["memory_limit", "threads", "disabled_optimizers"],
    "lock_configuration": True,
}
"""No extension is looked for, a table that is missing is no variable of Python's, and that stays so."""


def connect(
    file: Path | None = None,
    *,
    read_only: bool = False,
    other_files: bool = False,
    settings: dict[str, Any] | None = None,
) -> DuckDBPyConnection:
    """The one door to DuckDB: a database in `file`, or in memory, that reaches no network, and no `other_files`.

    That holds whatever it is asked, and whatever a view in the file says; temporary files go beside `file`. The path is
    taken for a file's, be it `md:x` or `sqlite:x`. Raises DatabaseError.
    """
    name = ":memory:" if file is None else str(file.absolute())
    config: dict[str, Any] = _CLOSED | {"enable_external_access": other_files} | (settings or {})
    return duckdb.connect(name, read_only=read_only, config=config)


class DuckDbStore:
    """Asks and keeps through the connection `con`, whose temporary tables die with it.

    A ledger open for reading only takes temporary tables too.
    """

    def __init__(self, con: DuckDBPyConnection) -> None:
        self.con: Final = con

    @contextmanager
    def own(self) -> Iterator["DuckDbStore"]:
        """A store of its own over the same database, for one thread."""
        con = self.con.cursor()
        try:
            yield DuckDbStore(con)
        finally:
            con.close()

    def keep(self, relation: Relation, source: str | pa.Table, /, **parameters: object) -> None:
        """Make a relation from the answer of a question, or from a table, in place of one that has its name."""
        with self._select(relation, source) as sql:
            self.con.execute(f"CREATE TEMPORARY TABLE kept AS {sql}", parameters)
        self.con.execute(f"DROP TABLE IF EXISTS temp.{relation.name}")
        self.con.execute(f"ALTER TABLE temp.kept RENAME TO {relation.name}")

    def add(self, relation: Relation, source: str | pa.Table, /, **parameters: object) -> None:
        """Add the answer of a question, or a table, to a relation that was made."""
        with self._select(relation, source) as sql:
            self.con.execute(f"INSERT INTO temp.{relation.name} BY NAME {sql}", parameters)

    def empty(self, relation: Relation, /) -> None:
        """Make a relation without rows."""
        columns = ", ".join(f'"{name}" {kind}' for name, kind in relation.columns.items())
        self.con.execute(f"CREATE OR REPLACE TEMPORARY TABLE {relation.name} ({columns})")

    def drop(self, relation: Relation, /) -> None:
        """Take back a relation that was made, for the room that it takes."""
        self.con.execute(f"DROP TABLE temp.{relation.name}")

    @contextmanager
    def lend(self, relation: Relation, table: pa.Table, /) -> Iterator[None]:
        """Let questions that are asked inside read `table` as the relation."""
        self.con.register(relation.name, table)
        try:
            yield
        finally:
            self.con.unregister(relation.name)

    def rows(self, question: str, /, **parameters: object) -> list[dict[str, Any]]:
        """The answer as one dictionary a row, for answers of a few thousand rows at most."""
        return rows(self.con, query(question), parameters)

    def columns(self, question: str, /, **parameters: object) -> dict[str, NDArray[Any]]:
        """The answer as one numpy array a column; no column may have nulls."""
        return dict(self.con.sql(query(question), params=parameters).fetchnumpy())

    def batches(self, question: str, /, **parameters: object) -> Iterator[tuple[NDArray[Any], ...]]:
        """The answer batch by batch, as one numpy array a column: for answers larger than memory; without nulls."""
        for batch in self.con.sql(query(question), params=parameters).to_arrow_reader(_BATCH):
            yield tuple(column.to_numpy() for column in batch.columns)

    def reader(self, question: str, /, **parameters: object) -> pa.RecordBatchReader:
        """The answer as Arrow batches: for answers larger than memory, of any type. Ask nothing else meanwhile."""
        return self.con.sql(query(question), params=parameters).to_arrow_reader(_ROWS)

    def over_ranges(
        self, work: Callable[[Store, Item], Result], ranges: Iterable[Item], workers: int
    ) -> Iterator[Result]:
        """`work` on each of the ranges, on `workers` threads, each call with a store of its own; in order."""

        def of_one(part: Item) -> Result:
            with self.own() as own:
                return work(own, part)

        return in_order(of_one, ranges, workers)

    @property
    def threads(self) -> int:
        """How many threads the database uses."""
        return count(self.con, "SELECT current_setting('threads')")

    @contextmanager
    def memory(self) -> Iterator[int]:
        """Bytes for arrays beside the database: half of its memory, which has the other half meanwhile."""
        limit = memory_limit(self.con)
        arrays = bytes_for_arrays(limit)
        self.con.execute("SET memory_limit = $rest", {"rest": f"{limit - arrays} bytes"})
        try:
            yield arrays
        finally:
            self.con.execute("SET memory_limit = $all", {"all": f"{limit} bytes"})

    def spill(self) -> Arrays:
        """Makes arrays in files, in the database's temporary folder or where that would be."""
        [(folder,)] = self.con.execute("SELECT current_setting('temp_directory')").fetchall()
        place = Path(folder)
        return Arrays(place if place.is_dir() else place.parent)

    @contextmanager
    def _select(self, relation: Relation, source: str | pa.Table) -> Iterator[str]:
        """The SQL of a question, or one that reads a table as the relation's columns and types."""
        if isinstance(source, str):
            yield query(source)
            return
        self.con.register("table_of_relation", source)
        try:
            columns = (f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in relation.columns.items())
            yield f"SELECT {', '.join(columns)} FROM table_of_relation"
        finally:
            self.con.unregister("table_of_relation")


class ParquetStore(DuckDbStore):
    """A store of one relation, a Parquet file; the file is read when questions are asked."""

    def __init__(self, relation: Relation, file: Path, memory: str) -> None:
        """`memory` is all that the database may take; one thread a question. Raises DatabaseError."""
        super().__init__(connect(other_files=True, settings={"threads": 1, "memory_limit": memory}))
        self.con.read_parquet(str(file)).create_view(relation.name)


def count(con: DuckDBPyConnection, sql: str) -> int:
    """The one number that `sql` answers with."""
    [(number,)] = con.execute(sql).fetchall()
    return int(number)


def rows(
    con: DuckDBPyConnection, sql: str, parameters: dict[str, object] | None = None
) -> list[dict[str, Any]]:
    """The answer of `sql` as one dictionary a row, for answers of a few thousand rows at most."""
    answer = con.sql(sql, params=parameters or {})
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]


def memory_limit(con: DuckDBPyConnection) -> int:
    """Bytes that DuckDB may take."""
    return count(con, "SELECT parse_formatted_bytes(current_setting('memory_limit'))")
