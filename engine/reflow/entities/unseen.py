"""Labels that a ledger has never seen: typing errors, addresses of later blocks, or a wallet nobody used."""

import polars as pl

from reflow.entities.labels import Labels
from reflow.ledger.ledger import Ledger
from reflow.resources import query
from reflow.tables import keep, rows


def unseen_labels(ledger: Ledger, labels: Labels) -> pl.DataFrame:
    """address, entity, category of the labelled accounts that no output of the ledger pays, sorted by address."""
    con = ledger.con.cursor()
    try:
        con.register("incoming", labels.frame.select("account").to_arrow())
        keep(con, "label_account", "SELECT account FROM incoming")
        con.unregister("incoming")
        unseen = [row["account"] for row in rows(con, query("unseen_labels"))]
    finally:
        con.close()
    found = labels.frame.filter(pl.col("account").is_in(pl.Series(unseen, dtype=pl.Int64).implode()))
    return found.select("address", "entity", "category").sort("address")
