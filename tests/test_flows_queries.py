"""Every query states its contract in its header, parses, and can be carried to Spark."""

import re

import pytest
import sqlglot

from reflow.store.resources import folder, query, query_files

QUERIES = sorted(name for name in query_files() if name != "schema")


@pytest.mark.parametrize("name", QUERIES)
def test_query(name: str) -> None:
    text = query(name)
    header = text.split("\n\n")[0]
    assert header.startswith(f"-- {name}: ")
    assert "-- Reads " in header
    assert re.search(r"^-- (Returns|Changes) ", text, re.MULTILINE)
    body = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    for parameter in re.findall(r"\$(\w+)", body):
        assert re.search(rf"^-- .*\${parameter}\b", text, re.MULTILINE), parameter
    [tree] = sqlglot.parse(text, read="duckdb")
    assert tree is not None
    spark = tree.sql(dialect="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)
    assert sqlglot.parse_one(spark, read="spark")


def test_every_query_has_a_name_of_its_own() -> None:
    files = list(folder("queries").rglob("*.sql"))
    assert len(query_files()) == len(files)
    assert {path.parent.name for path in files} == {
        "queries",
        "ledger",
        "owners",
        "flows",
        "explain",
        "serve",
    }
