"""Which chain of a node's files is the best: most work among blocks that the node connected, damage not in between.

The node is a model (tests/support/node_model.py); tests/node/test_node_best_chain.py asks a real one.
"""

import json
import random
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reflow.blocks.datadir import DatadirSource
from reflow.blocks.source import Behind
from reflow.errors import BadBlockError, ReflowError
from reflow.ledger.ledger import Ledger
from reflow.network import REGTEST
from reflow.simulate.blockfiles import write_chain
from reflow.simulate.chain import Block
from support.chains import content, ingest_folder, simulation, write_simulation
from support.command import run
from support.node_model import ModelNode, branch


def best_hash(folder: Path) -> bytes:
    """Hash of the last block that a fresh look at the files gives, as it is on the wire."""
    source = DatadirSource(folder)
    source.resume(None)
    source.locate(0, lambda height: None if height else REGTEST.genesis_hash)
    *_, last = source.read(1, source.end().height, 1 << 20)
    return bytes(last.hashes[-1].tobytes())


def trunk(length: int) -> list[Block]:
    return branch(simulation().blocks, 0, length, b"/trunk/")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    forks=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 6)), min_size=1, max_size=8),
    window=st.integers(0, 8),
    seed=st.integers(0, 1000),
)
def test_it_is_the_nodes_chain_whatever_arrives_in_whatever_order(
    tmp_path: Path, forks: list[tuple[int, int]], window: int, seed: int
) -> None:
    """Branches off branches, stored before their parents or after; some blocks fail when they are connected.

    Those have no sibling here: which of two empty blocks on one parent was connected shows in what stands on them only.
    """
    chains = [trunk(6)]
    for n, (where, length) in enumerate(forks):
        origin = chains[where % len(chains)]
        chains.append(branch(origin, where % len(origin), length, b"/%d/" % n))
    blocks = list(dict.fromkeys(block for chain in chains for block in chain[1:]))
    chance = random.Random(seed)
    shutil.rmtree(tmp_path / "blocks", ignore_errors=True)
    node = ModelNode(tmp_path / "blocks", max_file_size=2000)
    alone = [block for block in blocks if [b.prev_hash for b in blocks].count(block.prev_hash) == 1]
    node.rejected = {block.hash for block in chance.sample(alone, len(alone) // 8) if block.height > 1}
    order = sorted(range(len(blocks)), key=lambda at: at + chance.uniform(0, window))
    node.receive(*(blocks[at] for at in order))
    assert best_hash(node.folder) == node.tip.hash


def test_a_thousand_heavier_blocks_that_were_never_connected(tmp_path: Path) -> None:
    """They hold nothing back, and the result says how many there are, and which is the heaviest."""
    chain = simulation().blocks[:161]
    fakes = branch(chain, 5, 1000, b"/fake/")
    write_chain(tmp_path / "blocks", chain, preallocate=False)
    with (tmp_path / "blocks" / "blk00000.dat").open("ab") as file:
        file.writelines(REGTEST.magic + len(b.raw).to_bytes(4, "little") + b.raw for b in fakes[6:])
    expected = Behind(1005 - 160, 1005, fakes[-1].hash[::-1].hex())
    for _ in range(2):  # the second has nothing to do and says the same
        result = ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
        assert (result.height, result.tip_hash) == (160, chain[-1].hash[::-1].hex())
        assert result.behind == expected
        [warning] = result.warnings
        assert "845 blocks off the chain have more work than its tip" in warning
        assert expected.hash is not None
        assert expected.hash in warning


def test_behind_the_node_is_exit_status_0_with_a_warning_and_in_the_json(tmp_path: Path) -> None:
    old = trunk(20)
    node = ModelNode(tmp_path / "blocks")
    new = branch(old, 12, 10)
    node.rejected = {new[13].hash}
    node.receive(*old[1:], *new[13:])
    told = run("ingest", tmp_path / "ledger", "--datadir", node.folder, "--json")
    behind = {"blocks": 2, "height": 22, "hash": new[-1].hash[::-1].hex()}
    assert (told.returncode, json.loads(told.stdout)["behind"], told.stderr) == (0, behind, "")
    told = run("ingest", tmp_path / "ledger", "--datadir", node.folder)
    assert told.returncode == 0
    assert re.fullmatch(r"reflow: warning: .*: 2 blocks off the chain have more work .*\n", told.stderr)


def test_what_was_behind_is_followed_once_the_node_connects_it(tmp_path: Path) -> None:
    old = trunk(20)
    new = branch(old, 12, 10)
    node = ModelNode(tmp_path / "blocks")
    node.rejected = {new[13].hash}
    node.receive(*old[1:], *new[13:])
    first = ingest_folder(tmp_path / "ledger", node.folder)
    assert first.behind == Behind(2, 22, new[-1].hash[::-1].hex())
    node.rejected = set()
    node.receive(branch(new, 22, 1)[-1])
    second = ingest_folder(tmp_path / "ledger", node.folder)
    assert (second.rolled_back, second.height, second.behind) == (8, 23, None)
    ingest_folder(tmp_path / "fresh", node.folder)
    assert content(tmp_path / "ledger") == content(tmp_path / "fresh")


@pytest.mark.parametrize("length", [7, 8])
def test_a_node_told_to_leave_its_chain_for_one_with_no_more_work(tmp_path: Path, length: int) -> None:
    """Its files hold both chains connected: the first stays, and a warning names the block connected last."""
    old = trunk(20)
    new = branch(old, 12, length)
    node = ModelNode(tmp_path / "blocks")
    node.receive(*old[1:], *new[13:])
    assert ingest_folder(tmp_path / "ledger", node.folder).warnings == []
    for block in new[13:]:
        node.connect(block)
    for ledger in ("ledger", "fresh"):
        result = ingest_folder(tmp_path / ledger, node.folder)
        assert result.tip_hash == old[-1].hash[::-1].hex()
        assert result.behind is None
        assert (
            f"connected block {new[-1].hash[::-1].hex()} at height {new[-1].height} after"
            in result.warnings[0]
        )
    node.receive(*branch(new, new[-1].height, 21 - new[-1].height)[-1:])
    result = ingest_folder(tmp_path / "ledger", node.folder)
    assert (result.height, result.warnings) == (21, []) if length == 8 else (20, result.warnings)


def test_reorgs_of_every_depth_between_ingests(tmp_path: Path) -> None:
    """Each is followed, and the ledger is what a fresh ingest gives."""
    node = ModelNode(tmp_path / "blocks", max_file_size=10_000)
    chain = trunk(110)
    node.receive(*chain[1:])
    ingest_folder(tmp_path / "ledger", node.folder)
    for depth in (1, 2, 30, 100):
        new = branch(chain, len(chain) - 1 - depth, depth + 1, b"/%d/" % depth)
        node.receive(*new[len(chain) - depth :])
        chain = new
        result = ingest_folder(tmp_path / "ledger", node.folder)
        assert (result.rolled_back, result.tip_hash) == (depth, chain[-1].hash[::-1].hex())
    ingest_folder(tmp_path / "fresh", node.folder)
    assert content(tmp_path / "ledger") == content(tmp_path / "fresh")


def test_a_rival_that_was_never_connected_does_not_get_the_record_of_its_sibling(tmp_path: Path) -> None:
    """Same parent, same shape, and first in the files; but blocks stand on the other one."""
    chain = trunk(20)
    rival = branch(chain, 9, 1)[-1]
    node = ModelNode(tmp_path / "blocks")
    node.rejected = {rival.hash}
    node.receive(*chain[1:10], rival, *chain[10:])
    assert best_hash(node.folder) == chain[-1].hash
    source = DatadirSource(node.folder)
    source.resume(None)
    source.locate(0, lambda height: None)
    undo = {h.hash: source._records.find(h) is not None for h in source.new if h.prev_hash == chain[9].hash}
    assert undo == {rival.hash: False, chain[10].hash: True}


BLOCKS = 400
BAD = 330
"""Height of the bad block: several days are complete before it."""


def break_magic(folder: Path) -> None:
    """The frame of a block is harmed: it is lost, and those on top hang in the air."""
    flip(folder / "blk00000.dat", simulation().blocks[BAD].raw, -8)


def break_block(folder: Path) -> None:
    """A transaction is harmed."""
    flip(folder / "blk00000.dat", simulation().blocks[BAD].raw, 150)


def break_undo(folder: Path) -> None:
    undo = simulation().blocks[BAD].undo
    assert undo is not None
    assert len(undo) > 1
    flip(folder / "rev00000.dat", undo, len(undo) - 1)


def flip(path: Path, needle: bytes, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(needle) + at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [break_magic, break_undo])
def test_blocks_before_a_bad_one_are_kept_on_a_first_ingest_too(tmp_path: Path, harm: object) -> None:
    """With the figures of their complete days; and the next ingest, of repaired files, goes on from there."""
    assert callable(harm)
    write_simulation(tmp_path / "blocks", BLOCKS)
    shutil.copytree(tmp_path / "blocks", tmp_path / "repaired")
    harm(tmp_path / "blocks")
    for _ in range(2):
        with pytest.raises(BadBlockError, match=r"\.dat"):
            ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
        with Ledger.open(tmp_path / "ledger", read_only=True) as ledger:
            tip = ledger.tip()
            days = ledger.con.execute("SELECT count(*) FROM kept.day").fetchone()
            complete = ledger.con.execute("SELECT count(DISTINCT day) - 1 FROM block").fetchone()
        assert tip is not None
        assert tip.height == BAD - 1
        assert days == complete
    shutil.rmtree(tmp_path / "blocks")
    (tmp_path / "repaired").rename(tmp_path / "blocks")
    result = ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    assert (result.blocks, result.height) == (BLOCKS - BAD + 1, BLOCKS)
    ingest_folder(tmp_path / "fresh", tmp_path / "blocks")
    assert content(tmp_path / "ledger") == content(tmp_path / "fresh")


def test_damage_to_the_files_takes_nothing_from_a_ledger(tmp_path: Path) -> None:
    write_simulation(tmp_path / "blocks", BLOCKS)
    ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    before = content(tmp_path / "ledger")
    break_magic(tmp_path / "blocks")
    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.con.execute("DELETE FROM source.folder")  # nothing is remembered: all files are read again
    with pytest.raises(ReflowError, match=r"blk00000.dat, offset"):
        ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    assert content(tmp_path / "ledger") == before


def test_files_that_end_below_the_ledger_are_said_to(tmp_path: Path) -> None:
    write_simulation(tmp_path / "long", 160)
    write_simulation(tmp_path / "short", 100)
    ingest_folder(tmp_path / "ledger", tmp_path / "long")
    result = ingest_folder(tmp_path / "ledger", tmp_path / "short")
    assert "ends at height 100, below the ledger's tip at 160: nothing to do" in result.warnings[0]
