"""A real node's chain, ingested from its files while it runs and over its RPC: one ledger, and the node's own figures.

The chain has every kind of output, several days and a reorg (tests/support/regtest_chain.py). Every table is compared
row for row; heights, sizes, fees, times, supply and balances are asked from the node.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from reflow.blocks.datadir import DatadirSource
from reflow.blocks.rpc import RpcSource
from reflow.ledger.ingest import IngestResult, ingest
from reflow.ledger.ledger import Ledger
from reflow.ledger.rows import SCHEMAS
from reflow.ledger.verify import verify
from reflow.network import REGTEST
from reflow.script import account_of
from support import regtest_chain
from support.bitcoin_node import Node, running_node


@pytest.fixture(scope="module", params=[(), ("-fastprune", "-blocksxor=0")], ids=["xor", "small files"])
def node(
    request: pytest.FixtureRequest, bitcoind_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    with running_node(bitcoind_path, tmp_path_factory.mktemp("node"), *request.param) as node:
        regtest_chain.build(node)
        yield node


def from_files(node: Node, ledger: Path) -> IngestResult:
    return ingest(ledger, DatadirSource(node.datadir))


def over_rpc(node: Node, ledger: Path) -> IngestResult:
    return ingest(ledger, RpcSource(node.url, cookie=node.cookie))


def content(ledger: Path) -> tuple[dict[str, list[tuple[object, ...]]], str]:
    """All rows of all tables in stored order, and the digest."""
    with Ledger.open(ledger, read_only=True) as opened:
        tables = {table: opened.con.execute(f"SELECT * FROM {table}").fetchall() for table in SCHEMAS._fields}
        return tables, opened.digest()


def query(ledger: Path, sql: str) -> list[Any]:
    with duckdb.connect(str(ledger), read_only=True) as con:
        return con.execute(sql).fetchall()


def test_files_of_a_running_node_and_its_rpc_give_the_same_ledger(node: Node, tmp_path: Path) -> None:
    files, rpc = from_files(node, tmp_path / "files.duckdb"), over_rpc(node, tmp_path / "rpc.duckdb")
    assert (files.network, files.height) == ("regtest", node.height())
    assert (files.tip_hash, files.blocks) == (node.rpc("getbestblockhash"), node.height())
    assert files._replace(seconds=0, byte_count=0) == rpc._replace(seconds=0, byte_count=0)
    assert content(tmp_path / "files.duckdb") == content(tmp_path / "rpc.duckdb")


def test_both_ledgers_are_verified_and_have_the_same_digests(node: Node, tmp_path: Path) -> None:
    from_files(node, tmp_path / "files.duckdb")
    over_rpc(node, tmp_path / "rpc.duckdb")
    for path in (tmp_path / "files.duckdb", tmp_path / "rpc.duckdb"):
        with Ledger.open(path, read_only=True) as ledger:
            found = verify(ledger)
        assert (found.fault_count, found.height) == (0, node.height())
        assert found.chunks[-1].last_height == node.height()
    assert content(tmp_path / "files.duckdb")[1] == found.digest


def test_blocks_are_as_the_node_tells_them(node: Node, tmp_path: Path) -> None:
    from_files(node, tmp_path / "l.duckdb")
    columns = (
        "height, lower(hex(hash)), lower(hex(prev_hash)), time, mediantime, size, tx_count, fees, issuance"
    )
    for row in query(tmp_path / "l.duckdb", f"SELECT {columns} FROM block ORDER BY height"):
        block = node.rpc("getblock", row[1], 2)
        header = tuple(block[name] for name in ("height", "hash", "previousblockhash", "time", "mediantime"))
        [fees] = node.rpc("getblockstats", row[0], ["totalfee"]).values()
        claimed = sum(output["value"] for output in block["tx"][0]["vout"])
        assert row == (*header, block["size"], block["nTx"], fees, int(claimed.scaleb(8)) - fees)


def test_a_reward_that_a_coinbase_leaves_lowers_the_issuance(node: Node, tmp_path: Path) -> None:
    from_files(node, tmp_path / "l.duckdb")
    rows = query(tmp_path / "l.duckdb", "SELECT height, issuance FROM block")
    left = [height for height, issuance in rows if issuance != REGTEST.subsidy(height)]
    assert len(left) == 2  # blocks that generateblock makes do not claim their fees


def test_transactions_stand_in_the_order_of_the_chain(node: Node, tmp_path: Path) -> None:
    from_files(node, tmp_path / "l.duckdb")
    rows = query(tmp_path / "l.duckdb", "SELECT tx, height, lower(hex(txid)) FROM tx ORDER BY tx")
    expected = [
        (height, txid)
        for height in range(1, node.height() + 1)
        for txid in node.rpc("getblock", node.rpc("getblockhash", height), 1)["tx"]
    ]
    assert rows == [(tx, *pair) for tx, pair in enumerate(expected)]


def test_supply_is_what_the_node_counts_as_unspent_plus_what_was_burned(node: Node, tmp_path: Path) -> None:
    from_files(node, tmp_path / "l.duckdb")
    unspent = node.rpc("gettxoutsetinfo")["total_amount"]
    [(supply,)] = query(tmp_path / "l.duckdb", "SELECT sum(issuance)::BIGINT FROM block")
    assert supply == int(unspent.scaleb(8)) + regtest_chain.BURNED
    assert balances(tmp_path / "l.duckdb")[regtest_chain.burned_account()] == regtest_chain.BURNED


def test_balances_are_what_the_node_finds_for_each_script(node: Node, tmp_path: Path) -> None:
    from_files(node, tmp_path / "l.duckdb")
    scripts = set(regtest_chain.SPENDABLE.values()) - {b""}
    for wallet in regtest_chain.WALLETS:
        addresses = [row["address"] for row in node.rpc("listreceivedbyaddress", 1, True, wallet=wallet)]
        info = (node.rpc("getaddressinfo", address, wallet=wallet) for address in addresses)
        scripts |= {bytes.fromhex(one["scriptPubKey"]) for one in info}
    found = node.rpc("scantxoutset", "start", [f"raw({script.hex()})" for script in sorted(scripts)])
    expected = dict.fromkeys(map(account_of, scripts), 0)
    for output in found["unspents"]:
        expected[account_of(bytes.fromhex(output["scriptPubKey"]))] += int(output["amount"].scaleb(8))
    ledger = balances(tmp_path / "l.duckdb")
    assert len(expected) > 60
    assert {account: ledger[account] for account in expected} == expected


def balances(ledger: Path) -> dict[int, int]:
    postings = "SELECT account, value FROM credit UNION ALL SELECT account, -value FROM debit"
    rows = query(ledger, f"SELECT account, sum(value)::BIGINT FROM ({postings}) AS posting GROUP BY account")
    return dict(rows)


def test_an_ingest_goes_on_where_the_last_one_stopped(node: Node, tmp_path: Path) -> None:
    for name, source in (("files", from_files), ("rpc", over_rpc)):
        ledger = tmp_path / f"{name}.duckdb"
        source(node, ledger)
        regtest_chain.pay(node, "pool", "stranger", "bech32m", Decimal(2))
        node.mine(3, regtest_chain.address(node, "pool", "bech32"), tip_time(node) + 600)
        second = source(node, ledger)
        assert (second.blocks, second.rolled_back, second.height) == (3, 0, node.height())
        source(node, tmp_path / f"{name}-fresh.duckdb")
        assert content(ledger) == content(tmp_path / f"{name}-fresh.duckdb")
        assert source(node, ledger).blocks == 0


def test_a_reorg_leaves_what_a_fresh_ingest_gives(node: Node, tmp_path: Path) -> None:
    for name, source in (("files", from_files), ("rpc", over_rpc)):
        ledger = tmp_path / f"{name}.duckdb"
        source(node, ledger)
        regtest_chain.reorganize(node, depth=4, clock=tip_time(node) + 3600)
        second = source(node, ledger)
        assert (second.blocks, second.rolled_back, second.height) == (5, 4, node.height())
        assert second.tip_hash == node.rpc("getbestblockhash")
        source(node, tmp_path / f"{name}-fresh.duckdb")
        assert content(ledger) == content(tmp_path / f"{name}-fresh.duckdb")


def test_an_ingest_can_stop_early_and_the_other_source_go_on(node: Node, tmp_path: Path) -> None:
    ledger, fresh = tmp_path / "l.duckdb", tmp_path / "fresh.duckdb"
    first = ingest(ledger, RpcSource(node.url, cookie=node.cookie), to_height=50)
    assert (first.height, first.tip_hash) == (50, node.rpc("getblockhash", 50))
    assert from_files(node, ledger).blocks == node.height() - 50
    from_files(node, fresh)
    assert content(ledger) == content(fresh)


def test_scripts_that_can_be_printed_are_those_of_coinbase_payees(node: Node, tmp_path: Path) -> None:
    from_files(node, tmp_path / "l.duckdb")
    coinbases = (
        node.rpc("getblock", node.rpc("getblockhash", h), 2)["tx"][0] for h in range(1, node.height() + 1)
    )
    expected = {output["scriptPubKey"]["hex"] for tx in coinbases for output in tx["vout"] if output["value"]}
    rows = query(tmp_path / "l.duckdb", "SELECT account, script FROM script")
    assert {bytes(script).hex() for _, script in rows} == expected
    assert all(account == account_of(script) for account, script in rows)


def tip_time(node: Node) -> int:
    return int(node.rpc("getblockheader", node.rpc("getbestblockhash"))["time"])


def test_the_network_is_found_from_either_source(node: Node) -> None:
    assert DatadirSource(node.datadir).network is REGTEST
    assert DatadirSource(node.datadir / "regtest" / "blocks").network is REGTEST
    assert RpcSource(node.url, cookie=node.cookie).network is REGTEST
