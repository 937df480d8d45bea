"""A real node that refuses: wrong password, wrong cookie, pruned blocks. Each is one line, and no ledger is left."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reflow.blocks.datadir import DatadirSource
from reflow.blocks.rpc import RpcSource
from reflow.errors import SourceError
from reflow.ledger.ingest import ingest
from support import regtest_chain
from support.bitcoin_node import Node, running_node

BLOCKS = 900
ADDRESS = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202"


@pytest.fixture(scope="module")
def node(bitcoind_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A chain long enough to be pruned in files of 64 KiB."""
    options = ("-fastprune", "-prune=1", "-disablewallet")
    with running_node(bitcoind_path, tmp_path_factory.mktemp("pruned"), *options) as node:
        node.rpc("setmocktime", regtest_chain.START)
        node.rpc("generatetoaddress", BLOCKS, ADDRESS)
        yield node


@pytest.fixture(scope="module")
def first_height(node: Node, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Prunes; gives the first height that the node still has. Before that, a ledger of the first 100 is made."""
    ledger = tmp_path_factory.mktemp("ledger") / "l.duckdb"
    assert ingest(ledger, RpcSource(node.url, cookie=node.cookie), to_height=100).height == 100
    node.rpc("pruneblockchain", 600)
    return int(node.rpc("getblockchaininfo")["pruneheight"])


def test_wrong_password(node: Node) -> None:
    address = node.url.removeprefix("http://")
    with pytest.raises(SourceError) as caught:
        RpcSource(f"http://user:s3cret-word@{address}")
    assert str(caught.value).startswith(f"{node.url}: the node refuses the RPC user or password (401)")
    assert "s3cret-word" not in str(caught.value)


def test_cookie_of_another_start(node: Node, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("__cookie__:0123456789abcdef")
    with pytest.raises(SourceError, match="refuses the RPC user or password") as caught:
        RpcSource(node.url, cookie=tmp_path / "old")
    assert "0123456789abcdef" not in str(caught.value)
    with pytest.raises(SourceError, match="none: cannot read the cookie file: No such file"):
        RpcSource(node.url, cookie=tmp_path / "none")
    (tmp_path / "odd").write_text("nonsense")
    with pytest.raises(SourceError, match="odd: not a cookie file: expected user:password"):
        RpcSource(node.url, cookie=tmp_path / "odd")


def test_pruned_node_over_rpc_names_the_first_height_it_has(
    node: Node, first_height: int, tmp_path: Path
) -> None:
    assert 100 < first_height <= 601
    with pytest.raises(SourceError) as caught:
        ingest(tmp_path / "l.duckdb", RpcSource(node.url, cookie=node.cookie))
    assert f"pruned node: its first block is {first_height}" in str(caught.value)
    assert not (tmp_path / "l.duckdb").exists()


def test_pruned_files_are_told_as_such(node: Node, first_height: int, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        ingest(tmp_path / "l.duckdb", DatadirSource(node.datadir))
    assert "pruned" in str(caught.value)
    assert not (tmp_path / "l.duckdb").exists()
    assert first_height > 1
