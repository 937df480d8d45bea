"""What a query's header says is so: it reads tables and relations of the one page, and answers as it promises."""

import ast
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlglot

import reflow
from reflow.ledger.ledger import Ledger
from reflow.network import REGTEST
from reflow.store.duckdb import DuckDbStore
from reflow.store.relations import RELATIONS, Relation
from reflow.store.resources import query, query_files

ENGINE = Path(reflow.__file__).parent
QUERIES = sorted(name for name in query_files() if name != "schema")
ANSWERS = [name for name in QUERIES if "\n-- Returns " in query(name)]
LENT = "lent"
INCOMING = "incoming"
"""What a query that changes the ledger takes in; each describes it for itself."""

VALUES = {
    "BIGINT": 1,
    "BOOLEAN": True,
    "DATE": date(2021, 1, 1),
    "INTEGER": 1,
    "SMALLINT": 1,
    "VARCHAR": "any_input",
    "VARCHAR[]": ["BlkCnt"],
}


def header(name: str, part: str) -> list[str]:
    """The lines of one part of a header, without the word that begins it."""
    found: list[str] = []
    inside = False
    for line in query(name).splitlines():
        if not line.startswith("--"):
            break
        if re.match(r"-- \w", line):
            inside = line.startswith(f"-- {part} ")
        if inside:
            found.append(line[3 + len(part) :] if line.startswith(f"-- {part}") else line[2:])
    return found


def said_to_read(name: str) -> set[str]:
    text = re.sub(r"\([^()]*\)", "", header(name, "Reads")[0]).strip()
    if described := re.match(r"(\w+) {2,}", text):
        return {described[1]}
    return {part.split()[0] for part in re.split(r",\s+", text) if part} - {"nothing"}


def columns_said(lines: list[str]) -> dict[str, str]:
    """`name, name  TYPE  what it is` to name and type."""
    found: dict[str, str] = {}
    for line in lines:
        if match := re.match(r" {1,3}\$?([\w$, ]+?) {2,}([A-Z]+(?:\[\]|\(\d+,\d+\))?)(?:[ ,]|$)", line):
            found |= {name.strip("$ "): match[2] for name in match[1].split(",")}
    return found


def tables_in(sql: str) -> set[str]:
    """The tables that a statement reads or changes, its own common table expressions left out."""
    [tree] = sqlglot.parse(sql, read="duckdb")
    assert tree is not None
    own = {cte.alias for cte in tree.find_all(sqlglot.exp.CTE)}
    return {
        f"{table.db}.{table.name}" if table.db else table.name for table in tree.find_all(sqlglot.exp.Table)
    } - own


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    with Ledger.open(None, REGTEST) as opened:
        store = DuckDbStore(opened.con)
        for relation in RELATIONS:
            store.empty(relation)
        yield opened


def describe(ledger: Ledger, name: str) -> dict[str, str]:
    given: dict[str, Any] = {key: VALUES[kind] for key, kind in columns_said(header(name, "Params")).items()}
    answer = ledger.con.sql(query(name), params=given)
    return {column: str(kind) for column, kind in zip(answer.columns, answer.types, strict=True)}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_reads_what_its_header_says(ledger: Ledger, name: str) -> None:
    said = said_to_read(name)
    changed = {word for line in header(name, "Changes") for word in line.strip(" s").split(", ")}
    assert tables_in(query(name)) | changed == said | changed
    tables = {"source." + t for t in ("folder", "file", "header", "print")} | {
        "kept." + t for t in ("until", "day", "holding")
    }
    tables |= {row[0] for row in ledger.con.execute("SHOW TABLES").fetchall()}
    assert said <= tables | ({INCOMING} if changed else set())


@pytest.mark.parametrize("name", ANSWERS)
def test_a_query_answers_with_what_its_header_says(ledger: Ledger, name: str) -> None:
    assert describe(ledger, name) == columns_said(header(name, "Returns")[1:])


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
def test_the_page_says_who_makes_and_who_reads_a_relation(ledger: Ledger, relation: Relation) -> None:
    readers = [name for name in QUERIES if relation.name in said_to_read(name)]
    assert sorted(relation.read_by.split(", ")) == readers
    for maker in relation.made_by.split(", "):
        if maker != LENT:
            made = columns_said(header(maker, "Returns")[1:])
            assert made == relation.columns


def test_every_relation_is_there_once() -> None:
    names = [relation.name for relation in RELATIONS]
    assert len(set(names)) == len(names)


def modules() -> list[Path]:
    """Those of the rooms above the ledger."""
    return [
        path for path in ENGINE.rglob("*.py") if path.relative_to(ENGINE).parts[0] not in ("store", "ledger")
    ]


def test_only_store_and_ledger_know_the_database() -> None:
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert "duckdb" not in {name.name.split(".")[0] for name in node.names}, path
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] != "duckdb", path
            if isinstance(node, ast.Attribute):
                assert node.attr != "con", f"{path}:{node.lineno}"


def test_no_sql_outside_store_ledger_and_queries() -> None:
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.match(
                    r"\s*(SELECT|INSERT|DELETE|CREATE|DROP|UPDATE|WITH) [a-z(*]", node.value
                ), f"{path}:{node.lineno}"
