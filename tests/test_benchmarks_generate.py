"""The mainnet-shaped chain of the benchmarks: the engine finds its totals, and its shape is mainnet's."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from reflow.blocks.datadir import DatadirSource
from reflow.flows.prices import read_prices
from reflow.flows.recompute import recompute
from reflow.ledger.ingest import ingest
from reflow.ledger.ledger import Ledger
from reflow.owners.labels import read_labels
from support.generated import generate


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("generated")
    totals = generate(folder)
    ingest(folder / "ledger.duckdb", DatadirSource(folder))
    return folder, totals


def ask(folder: Path, sql: str) -> tuple[Any, ...]:
    with duckdb.connect(str(folder / "ledger.duckdb"), read_only=True) as con:
        row = con.execute(sql).fetchone()
    assert row is not None
    return row


def test_the_ledger_holds_the_totals(chain: tuple[Path, dict[str, Any]]) -> None:
    folder, totals = chain
    names = ("blocks", "transactions", "debits", "debit_value", "credits", "credit_value", "fees", "issuance")
    found = ask(
        folder,
        """
        SELECT (SELECT count(*) FROM block), (SELECT count(*) FROM tx), (SELECT count(*) FROM debit),
               (SELECT sum(value) FROM debit), (SELECT count(*) FROM credit), (SELECT sum(value) FROM credit),
               (SELECT sum(fees) FROM block), (SELECT sum(issuance) FROM block)
        """,
    )
    assert found == tuple(totals[name] for name in names)
    assert ask(folder, "SELECT lower(hex(max_by(hash, height))) FROM block") == (totals["tip"],)
    assert ask(folder, "SELECT sum(size) FROM block") == (totals["block_bytes"],)


def test_transactions_have_the_shape_of_mainnet(chain: tuple[Path, dict[str, Any]]) -> None:
    _, totals = chain
    payments = totals["transactions"] - totals["blocks"]
    assert 1.8 < totals["debits"] / payments < 2.8
    assert 2.4 < (totals["credits"] - totals["blocks"]) / payments < 3.4
    assert 450 < totals["block_bytes"] / payments < 650


def test_exchanges_gain_accounts_by_consolidation_and_flows_are_found(
    chain: tuple[Path, dict[str, Any]],
) -> None:
    folder, _ = chain
    with Ledger.open(folder / "ledger.duckdb", read_only=True) as ledger:
        labels = read_labels([folder / "labels.csv"], ledger.network)
        result = recompute(ledger, labels, prices=read_prices(folder / "prices.csv"))
    flows = {metric: sum(value or 0 for value in values) for metric, values in result.values.items()}
    assert len(result.days) == 1
    assert flows["FlowMinerOut0HopAllNtv"] > flows["FlowMinerOut1HopAllExNtv"] > 0
    assert result.clusters.conflicts == 0
    assert sum(result.clusters.accounts.values()) > 2 * sum(result.clusters.labelled.values())


def test_the_same_seed_gives_the_same_files(chain: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, totals = chain
    assert generate(tmp_path / "again") == totals
    assert generate(tmp_path / "other", "--seed", "2")["tip"] != totals["tip"]
    for name in ("blk00000.dat", "rev00000.dat"):
        ours, theirs = (base / "regtest" / "blocks" / name for base in (folder, tmp_path / "again"))
        assert ours.read_bytes() == theirs.read_bytes()
