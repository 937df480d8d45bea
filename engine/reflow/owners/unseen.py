"""Labels that a ledger has never seen: typing errors, addresses of later blocks, or a wallet nobody used."""

import polars as pl

from reflow.ledger.ledger import Ledger
from reflow.store.duckdb import keep, rows
from reflow.store.resources import query


def unseen_labels(ledger: Ledger, labels: pl.DataFrame) -> pl.DataFrame:
    """Of labels (account, address, entity, category) those that no output of the ledger pays, sorted by address."""
    con = ledger.con.cursor()
    try:
        con.register("incoming", labels.select("account").to_arrow())
        keep(con, "label_account", "SELECT account FROM incoming")
        con.unregister("incoming")
        unseen = [row["account"] for row in rows(con, query("unseen_labels"))]
    finally:
        con.close()
    found = labels.filter(pl.col("account").is_in(pl.Series(unseen, dtype=pl.Int64).implode()))
    return found.select("address", "entity", "category").sort("address")
