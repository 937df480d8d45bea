"""Whether a ledger is at fault when work on it fails: its tables against the schema, its rows against each other."""

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from duckdb import DuckDBPyConnection

from reflow.errors import LedgerError
from reflow.store.resources import query

if TYPE_CHECKING:
    from reflow.ledger.ledger import Ledger

REMEDY: Final = "`reflow verify` lists what is wrong; delete the file and run `reflow ingest` again"

_YOUNGER: Final = {"source.print"}
"""Tables that ledgers of the same version may lack: the next ingest makes them."""

_COLUMNS: Final = (
    "SELECT schema_name, table_name, column_name, data_type, is_nullable "
    "FROM duckdb_columns() WHERE NOT internal"
)

Columns = dict[str, tuple[str, bool]]
"""Column to its type and whether it takes nulls."""


@cache
def schema_tables() -> dict[str, Columns]:
    """Each table of queries/schema.sql with its columns."""
    text = re.sub(r"--[^\n]*", "", query("schema"))
    return {
        name: dict(_column(line) for line in body.split(",") if line.strip())
        for name, body in re.findall(r"CREATE TABLE (\S+)\s*\((.*?)\);", text, re.DOTALL)
    }


def _column(text: str) -> tuple[str, tuple[str, bool]]:
    name, kind, *more = text.split()
    return name.strip('"'), (kind, not ({"NULL", "PRIMARY"} & set(more)))


def structure_fault(con: DuckDBPyConnection) -> str | None:
    """The first table that is not as the schema has it, told in words; None if all are."""
    tables: dict[str, Columns] = {}
    for schema, table, column, kind, nullable in con.execute(_COLUMNS).fetchall():
        name = table if schema == "main" else f"{schema}.{table}"
        tables.setdefault(name, {})[column] = kind, bool(nullable)
    for name, expected in schema_tables().items():
        found = tables.get(name)
        if found is None and name not in _YOUNGER:
            return f"table {name} is missing"
        for column in expected if found is not None else ():
            if found is not None and found.get(column) != expected[column]:
                return f"column {column} of table {name} is missing or of another type"
        if found is not None and (others := found.keys() - expected.keys()):
            return f"table {name} has a column {min(others)} that no ledger has"
    return None


def has_prints(con: DuckDBPyConnection) -> bool:
    """Whether the ledger has the table of fingerprints of what it knows of files."""
    return any(row[:2] == ("source", "print") for row in con.execute(_COLUMNS).fetchall())


def raise_if_damaged(ledger: "Ledger", doing: str, error: Exception) -> None:
    """Raise LedgerError, in one line, if the ledger's content can be why work on it failed: if `verify` finds faults.

    `doing` is what could not be done. On a sound ledger nothing is raised: then `error` is a bug, and remains one.
    """
    from reflow.ledger.verify import verify  # it uses what is above

    try:
        verification = verify(ledger)
    except LedgerError as unreadable:
        raise LedgerError(str(unreadable)) from error
    if verification.fault_count:
        first = verification.faults[0]
        raise LedgerError(
            f"{ledger.path}: cannot {doing}: the ledger is damaged: {first}; {REMEDY}"
        ) from error
