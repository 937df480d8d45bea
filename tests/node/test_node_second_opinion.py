"""Every debit and credit of a ledger equals what Bitcoin Core's own code reads of the same blocks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reflow.ledger.ledger import Ledger
from reflow.network import MAIN, REGTEST, Network
from support import regtest_chain
from support.bitcoin_node import running_node
from support.chains import KEY, ingest_folder, unpack_first_blocks, write_simulation
from support.second_opinion import Entry, read_with_core
from support.surroundings import need_wheel


def entries(ledger: Path) -> Iterator[Entry]:
    """A ledger's transactions in the shape of Core's."""
    with Ledger.open(ledger, read_only=True) as opened:
        postings = {
            table: opened.con.execute(f"SELECT tx, account, value FROM {table} ORDER BY rowid").fetchall()
            for table in ("debit", "credit")
        }
        by_tx: dict[str, dict[int, list[tuple[int, int]]]] = {"debit": {}, "credit": {}}
        for table, rows in postings.items():
            for tx, account, value in rows:
                by_tx[table].setdefault(tx, []).append((account, value))
        for tx, height, txid in opened.con.execute("SELECT tx, height, txid FROM tx ORDER BY tx").fetchall():
            yield Entry(height, txid, by_tx["debit"].get(tx, []), by_tx["credit"].get(tx, []))


def assert_core_reads_the_same(blocks: Path, network: Network, folder: Path) -> int:
    """Compare all of a blocks folder; gives the number of postings."""
    ingest_folder(folder / "ledger", blocks)
    ours = list(entries(folder / "ledger"))
    cores = list(read_with_core(blocks, network, folder / "core"))
    assert len(ours) == len(cores)
    for mine, core in zip(ours, cores, strict=True):
        assert mine == core
    return sum(len(entry.debits) + len(entry.credits) for entry in ours)


@pytest.fixture(autouse=True)
def _kernel() -> None:
    need_wheel("pbk")


def test_of_the_first_4313_real_blocks(shared_data: Path, tmp_path: Path) -> None:
    blocks = unpack_first_blocks(shared_data, 4313, tmp_path / "node") / "blocks"
    assert assert_core_reads_the_same(blocks, MAIN, tmp_path) > 4_312


def test_of_the_simulated_economy(tmp_path: Path) -> None:
    blocks = write_simulation(tmp_path / "blocks", 300, xor_key=KEY, window=10, preallocate=False)
    assert assert_core_reads_the_same(blocks, REGTEST, tmp_path) > 3_000


@pytest.mark.parametrize("options", [(), ("-fastprune", "-blocksxor=0")], ids=["xor", "small files"])
def test_of_a_real_nodes_regtest_chain(tmp_path: Path, options: tuple[str, ...], bitcoind_path: Path) -> None:
    """Every kind of output, and a reorg: Core chooses the branch for itself."""
    with running_node(bitcoind_path, tmp_path / "node", *options) as node:
        regtest_chain.build(node)
    blocks = tmp_path / "node" / "regtest" / "blocks"
    assert assert_core_reads_the_same(blocks, REGTEST, tmp_path) > 300
