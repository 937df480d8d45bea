"""Temporary tables of one connection: how a query's answer is kept for the next query."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

_BATCH: Final = 500_000


def keep(con: DuckDBPyConnection, table: str, sql: str, parameters: dict[str, object] | None = None) -> None:
    """Keep the answer of `sql` as the temporary table `table`, in place of one that has that name.

    A ledger open for reading only takes temporary tables too; they go when the connection is closed.
    """
    con.execute(f"CREATE TEMPORARY TABLE kept AS {sql}", parameters or {})
    con.execute(f"DROP TABLE IF EXISTS temp.{table}")
    con.execute(f"ALTER TABLE temp.kept RENAME TO {table}")


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


def columns(
    con: DuckDBPyConnection, sql: str, parameters: dict[str, object] | None = None
) -> dict[str, NDArray[Any]]:
    """The answer of `sql` as one numpy array a column; no column may have nulls."""
    return dict(con.sql(sql, params=parameters or {}).fetchnumpy())


def batches(
    con: DuckDBPyConnection, sql: str, parameters: dict[str, object] | None = None
) -> Iterator[tuple[NDArray[Any], ...]]:
    """The answer batch by batch, as one numpy array a column: for answers larger than memory; without nulls."""
    for batch in con.sql(sql, params=parameters or {}).to_arrow_reader(_BATCH):
        yield tuple(column.to_numpy() for column in batch.columns)


def memory_limit(con: DuckDBPyConnection) -> int:
    """Bytes that DuckDB may take."""
    return count(con, "SELECT parse_formatted_bytes(current_setting('memory_limit'))")


@contextmanager
def memory_for_arrays(con: DuckDBPyConnection) -> Iterator[int]:
    """Half of the memory that DuckDB may take, for arrays beside it; meanwhile DuckDB has the other half."""
    limit = memory_limit(con)
    con.execute("SET memory_limit = $half", {"half": f"{limit // 2} bytes"})
    try:
        yield limit // 2
    finally:
        con.execute("SET memory_limit = $all", {"all": f"{limit} bytes"})
