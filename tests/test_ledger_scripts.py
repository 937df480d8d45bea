"""Scripts of accounts: kept by the ledger, or read again from the node's files or over its RPC.

The simulated economy has every kind of script; what is found must hash to the account, and nothing may be missing
wherever the files lie, however they are XOR-ed, shuffled and cut into several.
"""

import shutil
from collections import defaultdict
from pathlib import Path

import coincurve
import pytest

from reflow.blocks.lookup import RpcLookup
from reflow.blocks.undo_writer import compress_script, expand_script
from reflow.errors import SourceError
from reflow.ledger.ledger import Ledger
from reflow.ledger.scripts import Origin, Posting, Scripts, _look_up, find_scripts
from reflow.script import account_script
from reflow.simulate.blockfiles import write_chain
from support.chains import KEY, ingest_folder, simulation, write_simulation
from support.plain_parser import account, parse_block, parse_undo

Transactions = dict[bytes, list[int]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several small files with a key, blocks out of order, stale ones among them; and a ledger made from them."""
    base = tmp_path_factory.mktemp("scripts")
    chain = simulation()
    write_chain(base / "blocks", chain.blocks, stale=chain.stale, window=7, xor_key=KEY, max_file_size=60_000)
    ingest_folder(base / "ledger", base / "blocks")
    assert len(list((base / "blocks").glob("blk*.dat"))) > 3
    return base


def everything() -> tuple[dict[int, bytes], Transactions]:
    """Every script that a transaction of the economy spends or pays, by account, and all transactions."""
    scripts: dict[int, bytes] = {}
    transactions: Transactions = defaultdict(list)
    for block in simulation().blocks[1:]:
        assert block.undo is not None
        parsed = parse_block(block.raw)
        transactions[block.hash[::-1]] = list(range(len(parsed)))
        seen = [script for transaction in parsed for _, script in transaction.outputs]
        seen += [coin.script for coins in parse_undo(block.undo) for coin in coins]
        scripts |= {account(script): account_script(script) for script in seen}
    return scripts, transactions


def look(home: Path, origin: Origin = Origin()) -> tuple[dict[int, bytes], str | None]:  # noqa: B008
    scripts, transactions = everything()
    with Ledger.open(home / "ledger", read_only=True) as ledger:
        found = find_scripts(ledger, scripts.keys(), transactions, origin)
    return found.of_account, found.warning


def test_every_script_of_the_economy_is_found_again(home: Path) -> None:
    assert look(home) == (everything()[0], None)


def test_one_transaction_shows_its_own_accounts_only(home: Path) -> None:
    block = next(block for block in simulation().blocks[1:] if block.undo and len(parse_undo(block.undo)) > 2)
    own = {account(script) for _, script in parse_block(block.raw)[2].outputs}
    own |= {account(coin.script) for coin in parse_undo(block.undo or b"")[1]}
    with Ledger.open(home / "ledger", read_only=True) as ledger:
        kept = {row[0] for row in ledger.con.execute("SELECT account FROM script").fetchall()}
        every = everything()[0].keys()
        found = find_scripts(ledger, every, {block.hash[::-1]: [2]})
    assert found.of_account.keys() == own | kept
    left = len(every - found.of_account.keys())
    assert f"no address for {left:,} accounts: the blocks do not show them" in str(found.warning)


def test_what_is_paid_to_a_key_directly_is_told_place_by_place(home: Path) -> None:
    """Both sides of every transaction, and nothing that pays a hash."""
    scripts, transactions = everything()
    expected = set()
    for block in simulation().blocks[1:]:
        sides = [[script for _, script in transaction.outputs] for transaction in parse_block(block.raw)]
        spent = [[coin.script for coin in coins] for coins in parse_undo(block.undo or b"")]
        for is_debit, lists in ((False, sides), (True, [[], *spent])):
            expected |= {
                Posting(block.hash[::-1], position, is_debit, account(script))
                for position, one in enumerate(lists)
                for script in one
                if len(script) in (35, 67) and script[-1:] == b"\xac"
            }
    with Ledger.open(home / "ledger", read_only=True) as ledger:
        found = find_scripts(ledger, scripts.keys(), transactions)
        known = find_scripts(ledger, scripts.keys(), transactions, labelled=scripts)
    assert found.to_key == known.to_key == expected
    assert {posting.is_debit for posting in expected} == {True, False}


def test_no_block_is_read_for_accounts_that_can_be_paid_in_one_form_only(home: Path) -> None:
    scripts, transactions = everything()
    single = {key: script for key, script in scripts.items() if script[:3] != b"\x76\xa9\x14"}
    with Ledger.open(home / "ledger", read_only=True) as ledger:
        found = find_scripts(ledger, single.keys(), transactions, labelled=single)
        assert found == (single, set(), None)
        with pytest.raises(SourceError, match="no such folder"):
            find_scripts(ledger, scripts.keys(), transactions, Origin(home / "none"), scripts)


def test_files_that_moved_are_found_where_the_user_says(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "blocks", tmp_path / "elsewhere")
    assert look(home, Origin(tmp_path / "elsewhere")) == (everything()[0], None)


def test_files_of_another_node_are_searched(home: Path, tmp_path: Path) -> None:
    write_simulation(tmp_path / "blocks")
    assert look(home, Origin(tmp_path / "blocks")) == (everything()[0], None)


def test_a_block_that_is_not_there_is_told(home: Path, tmp_path: Path) -> None:
    write_simulation(tmp_path / "blocks", 400)
    found, warning = look(home, Origin(tmp_path / "blocks"))
    assert 0 < len(found) < len(everything()[0])
    assert "in its files; name the blocks with --datadir" in str(warning)


def test_a_folder_that_is_gone_is_a_warning_and_one_asked_for_an_error(home: Path, tmp_path: Path) -> None:
    shutil.copy(home / "ledger", tmp_path / "ledger")
    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.con.execute("UPDATE source.folder SET path = $path", {"path": str(tmp_path / "gone")})
    found, warning = look(tmp_path)
    assert 0 < len(found) < len(everything()[0])
    assert f"{tmp_path / 'gone'}: no such folder; name the blocks with --datadir" in str(warning)
    with pytest.raises(SourceError, match="no such folder"):
        look(tmp_path, Origin(tmp_path / "none"))


def test_a_ledger_that_came_over_rpc_says_so(home: Path, tmp_path: Path) -> None:
    shutil.copy(home / "ledger", tmp_path / "ledger")
    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.con.execute("DELETE FROM source.folder")
    assert "the ledger was read over RPC" in str(look(tmp_path)[1])


class FakeNode:
    """Answers as RpcSource.block does; the block at `wrong` is another one than asked for."""

    def __init__(self, wrong: int = -1) -> None:
        self.blocks = {block.hash[::-1]: block for block in simulation().blocks[1:]}
        self.wrong = simulation().blocks[wrong].hash[::-1] if wrong >= 0 else b""

    def block(self, block_hash: bytes) -> tuple[bytes, bytes]:
        if block_hash not in self.blocks:
            raise SourceError("the node answers: Block not found")
        found = self.blocks[simulation().blocks[9].hash[::-1] if block_hash == self.wrong else block_hash]
        return found.raw, found.undo or b""


def over_rpc(node: FakeNode, transactions: Transactions) -> tuple[dict[int, bytes], str]:
    found = Scripts({}, set(), None)
    reason = _look_up(RpcLookup(node), transactions, everything()[0].keys(), found)  # type: ignore[arg-type]
    return found.of_account, reason


def test_rpc_gives_the_same() -> None:
    scripts, transactions = everything()
    assert over_rpc(FakeNode(), transactions)[0] == scripts


def test_another_block_than_asked_for_is_not_taken() -> None:
    transactions = everything()[1]
    wrong = simulation().blocks[300].hash[::-1]
    assert over_rpc(FakeNode(300), {wrong: transactions[wrong]}) == (
        {},
        f"the node answers with another block than {wrong.hex()}",
    )
    assert over_rpc(FakeNode(), {bytes(32): [0]}) == ({}, "the node answers: Block not found")


def test_expanding_a_script_undoes_compressing_it() -> None:
    keys = [coincurve.PrivateKey(bytes([number]) * 32).public_key for number in range(1, 20)]
    pay_to_keys = [
        bytes([len(key)]) + key + b"\xac" for k in keys for key in (k.format(), k.format(compressed=False))
    ]
    kinds = set()
    spent = [
        coin.script for b in simulation().blocks if b.undo for coins in parse_undo(b.undo) for coin in coins
    ]
    for script in [*spent, *pay_to_keys]:
        short = compress_script(script)
        kinds.add(min(short[0], 6))
        if short[0] < 6:
            assert expand_script(short[0], short[1:]) == script
    assert kinds == set(range(7))
