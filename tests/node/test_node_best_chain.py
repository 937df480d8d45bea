"""A real node that is told to leave its chain, to come back, and to take in a heavier chain that is invalid.

Over RPC the ledger goes where the node goes. From its files it goes by the work of what the node connected.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reflow.blocks.datadir import DatadirSource
from reflow.blocks.rpc import RpcSource
from reflow.blocks.source import Behind
from reflow.ledger.ingest import IngestProgress, IngestResult, ingest
from reflow.network import REGTEST
from reflow.simulate.chain import Block, Chain, Payee, find_header, genesis
from reflow.simulate.serialize import (
    Output,
    coinbase_transaction,
    merkle_root,
    serialize_block,
    serialize_transaction,
    txid,
)
from support import regtest_chain
from support.bitcoin_node import Node, running_node
from support.chains import content

MINE, OTHER = (
    "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202",
    "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t",
)
BLOCKS = 130


@pytest.fixture
def node(bitcoind_path: Path, tmp_path: Path) -> Iterator[Node]:
    with running_node(bitcoind_path, tmp_path / "node", "-disablewallet") as node:
        node.rpc("setmocktime", regtest_chain.START)
        node.rpc("generatetoaddress", BLOCKS, MINE)
        yield node


def over_rpc(node: Node, ledger: Path, **how: object) -> IngestResult:
    return ingest(ledger, RpcSource(node.url, cookie=node.cookie), **how)  # type: ignore[arg-type]


def from_files(node: Node, ledger: Path) -> IngestResult:
    return ingest(ledger, DatadirSource(node.datadir))


def replace(node: Node, depth: int, length: int) -> str:
    """Have the node leave its last `depth` blocks and mine `length` others; gives the first block left."""
    left = str(node.rpc("getblockhash", node.height() - depth + 1))
    node.rpc("invalidateblock", left)
    if length:
        node.rpc("generatetoaddress", length, OTHER)
    return left


def test_over_rpc_the_ledger_goes_where_the_node_goes(node: Node, tmp_path: Path) -> None:
    """Left for a lighter chain, an equal one, nothing at all; and back again when the node reconsiders."""
    ledger = tmp_path / "rpc.duckdb"
    over_rpc(node, ledger)
    before = content(ledger)
    for depth, length in ((5, 0), (3, 3), (10, 7), (100, 20)):
        left = replace(node, depth, length)
        result = over_rpc(node, ledger)
        assert (result.rolled_back, result.blocks) == (depth, length)
        assert (result.height, result.tip_hash) == (node.height(), node.rpc("getbestblockhash"))
        fresh = tmp_path / f"fresh-{depth}.duckdb"
        over_rpc(node, fresh)
        assert content(ledger) == content(fresh)
        node.rpc("reconsiderblock", left)
        back = over_rpc(node, ledger)
        assert (back.height, back.tip_hash) == (BLOCKS, node.rpc("getbestblockhash"))
        assert content(ledger) == before or depth == length


def test_from_files_the_work_of_what_was_connected_counts(node: Node, tmp_path: Path) -> None:
    """A heavier replacement is followed; before it is heavier the files cannot tell, and a warning says so."""
    ledger = tmp_path / "files.duckdb"
    tip = from_files(node, ledger).tip_hash
    replace(node, 10, 10)
    for path in (ledger, tmp_path / "fresh.duckdb"):
        result = from_files(node, path)
        assert result.tip_hash == tip
        assert f"the node connected block {node.rpc('getbestblockhash')}" in result.warnings[0]
    node.rpc("generatetoaddress", 1, OTHER)
    result = from_files(node, ledger)
    assert (result.rolled_back, result.blocks, result.warnings) == (10, 11, [])
    over_rpc(node, tmp_path / "rpc.duckdb")
    assert content(ledger) == content(tmp_path / "rpc.duckdb")


def test_a_heavier_chain_that_the_node_could_not_connect(node: Node, tmp_path: Path) -> None:
    """Its blocks are in the files, the last with more work than the node's own: it is counted, and nothing waits."""
    best, chain = node.rpc("getbestblockhash"), Chain()
    chain.blocks.append(too_dear_block())
    while len(chain.blocks) <= BLOCKS + 1:
        chain.mine(chain.blocks[-1].time + 1, [Payee(b"\x51", 1)], b"/invalid/", [])
    for block in chain.blocks[1:]:
        assert node.rpc("submitblock", block.raw.hex()) in ("inconclusive", "bad-cb-amount")
    assert node.rpc("getbestblockhash") == best
    for result in (from_files(node, tmp_path / "files.duckdb"), over_rpc(node, tmp_path / "rpc.duckdb")):
        assert (result.tip_hash, result.height) == (best, BLOCKS)
        tip = chain.blocks[-1]
        if result.behind is not None:
            assert result.behind == Behind(1, tip.height, tip.hash[::-1].hex())
            assert "1 blocks off the chain have more work" in result.warnings[0]
    assert from_files(node, tmp_path / "files.duckdb").behind is not None
    assert content(tmp_path / "files.duckdb") == content(tmp_path / "rpc.duckdb")


def too_dear_block() -> Block:
    """A block on top of genesis whose coinbase claims one satoshi more than it may."""
    start = genesis()
    coinbase = coinbase_transaction(1, b"/invalid/", [Output(REGTEST.subsidy(1) + 1, b"\x51")], None)
    time = start.time + 600
    header, block_hash = find_header(start.hash, merkle_root([txid(coinbase)]), time)
    raw = serialize_block(header, [serialize_transaction(coinbase)])
    return Block(1, block_hash, start.hash, time, start.time, coinbase, raw, b"\0")


@pytest.mark.parametrize("depth", [1, 50, 100])
def test_a_reorg_between_two_batches_is_followed_at_once(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    """The node changes its chain while it is read; where the fork lies below, the same ingest goes back to it."""
    monkeypatch.setattr("reflow.blocks.rpc._MAX_BLOCKS_PER_CALL", 5)
    turned: list[str] = []

    def turn(progress: IngestProgress) -> None:
        if progress.stage == "blocks" and progress.height > BLOCKS - 40 and not turned:
            turned.append(replace(node, depth, depth + 2))

    result = over_rpc(node, tmp_path / "l.duckdb", progress=turn, batch_bytes=1, commit_bytes=1, threads=1)
    assert turned
    assert result.tip_hash == node.rpc("getblockhash", result.height)
    assert (result.rolled_back > 0, result.height > BLOCKS) == (depth > 40, depth > 40)
    over_rpc(node, tmp_path / "l.duckdb")
    over_rpc(node, tmp_path / "fresh.duckdb")
    assert content(tmp_path / "l.duckdb") == content(tmp_path / "fresh.duckdb")
