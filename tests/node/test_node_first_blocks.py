"""The first 4,313 blocks of mainnet from a real node that took them in again: its RPC and its files give one ledger,
and that ledger the figures of the vendor.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reflow.blocks.rpc import RpcSource
from reflow.flows.recompute import recompute
from reflow.ledger.ingest import ingest
from reflow.ledger.ledger import Ledger
from reflow.network import MAIN
from reflow.owners.labels import read_labels
from reflow.results.write import write
from support.bitcoin_node import Node, running_node
from support.chains import content, ingest_folder, unpack_first_blocks
from support.vendor_2009 import assert_every_cell_is_the_vendors, read_rows

HEIGHT = 4312


@pytest.fixture(scope="module")
def node(bitcoind_path: Path, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """It has the blocks and no network; undo data and index it makes anew."""
    datadir = unpack_first_blocks(shared_data, 4313, tmp_path_factory.mktemp("node"))
    (datadir / "blocks" / "rev00000.dat").unlink()
    with running_node(bitcoind_path, datadir, "-reindex", network=MAIN) as node:
        give_up = time.monotonic() + 120
        while node.height() < HEIGHT and time.monotonic() < give_up:
            time.sleep(0.1)
        assert node.height() == HEIGHT
        yield node


def test_rpc_and_files_give_one_ledger_with_the_vendors_figures(
    node: Node, shared_data: Path, tmp_path: Path
) -> None:
    folder = unpack_first_blocks(shared_data, 4313, tmp_path / "files")
    ingest_folder(tmp_path / "files.duckdb", folder)
    ingest_folder(tmp_path / "node.duckdb", node.datadir)
    ingest(tmp_path / "rpc.duckdb", RpcSource(node.url, cookie=node.cookie))
    first, *others = [content(tmp_path / f"{name}.duckdb") for name in ("files", "node", "rpc")]
    assert others == [first, first]
    labels = tmp_path / "labels.csv"
    labels.write_text("address,entity\n34xp4vRoCGJym3xR7yCVPFHoCNxv4Twseo,BNB\n")
    with Ledger.open(tmp_path / "rpc.duckdb", read_only=True) as ledger:
        write(recompute(ledger, read_labels([labels], MAIN)), tmp_path)
        digest = ledger.digest()
    with Ledger.open(tmp_path / "files.duckdb", read_only=True) as ledger:
        assert ledger.digest() == digest
    assert_every_cell_is_the_vendors(read_rows(tmp_path / "metrics.csv"), shared_data)
