"""Every query states its contract in its header, parses, and can be carried to Spark."""

import re

import pytest
import sqlglot

from reflow.resources import folder

QUERIES = sorted(path.stem for path in folder("queries").glob("*.sql") if path.stem != "schema")


@pytest.mark.parametrize("name", QUERIES)
def test_query(name: str) -> None:
    text = (folder("queries") / f"{name}.sql").read_text(encoding="utf-8")
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
