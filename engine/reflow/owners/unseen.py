"""Labels that a ledger has never seen: typing errors, addresses of later blocks, or a wallet nobody used."""

import polars as pl

from reflow.ledger.ledger import Ledger
from reflow.store.relations import LABEL_ACCOUNT


def unseen_labels(ledger: Ledger, labels: pl.DataFrame) -> pl.DataFrame:
    """Of labels (account, address, entity, category) those that no output of the ledger pays, sorted by address."""
    with ledger.store("compare with labels") as store:
        store.keep(LABEL_ACCOUNT, labels.select("account").to_arrow())
        unseen = [row["account"] for row in store.rows("unseen_labels")]
    found = labels.filter(pl.col("account").is_in(pl.Series(unseen, dtype=pl.Int64).implode()))
    return found.select("address", "entity", "category").sort("address")
