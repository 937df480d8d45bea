"""Reading a node's files: however the blocks lie in them the chain comes out the same, and no harmed byte passes.

The files are those of the simulated economy, written as Bitcoin Core leaves them.
"""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reflow.blocks.datadir import DatadirSource
from reflow.blocks.headers import Header, HeaderTree
from reflow.errors import ReflowError, SourceError
from reflow.ledger.ledger import Ledger
from reflow.ledger.scan_state import load_scan
from reflow.network import MAIN, REGTEST, meets_target, target_of, work_of
from reflow.simulate.blockfiles import BlockFileWriter, write_chain
from reflow.simulate.chain import Chain, Payee
from support.chains import KEY, content, ingest_folder, simulation, write_simulation
from support.plain_parser import sha256d

BLOCKS = 160
"""Enough for spends of mature coinbases; small enough to be written and read often."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[object, ...]]]:
    """What a ledger of the first blocks holds, read from files in the plainest order."""
    folder = tmp_path_factory.mktemp("plain")
    write_simulation(folder / "blocks", BLOCKS)
    ingest_folder(folder / "ledger", folder / "blocks")
    return content(folder / "ledger")


@pytest.mark.parametrize(
    "how",
    [
        {"xor_key": KEY},
        {"window": 30},
        {"stale": True},
        {"preallocate": False},
        {"max_file_size": 20_000},
        {"xor_key": KEY, "window": 30, "stale": True, "max_file_size": 20_000},
    ],
    ids=str,
)
def test_the_same_chain_however_it_lies_in_the_files(
    tmp_path: Path, expected: dict[str, list[tuple[object, ...]]], how: dict[str, object]
) -> None:
    if how.get("stale"):
        how = how | {"stale": [block for block in simulation().stale if block.height <= BLOCKS]}
    write_simulation(tmp_path / "blocks", BLOCKS, **how)
    ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    assert content(tmp_path / "ledger") == expected


@pytest.mark.parametrize("inner", ["regtest/blocks", "blocks", ""])
def test_data_directory_network_folder_and_blocks_folder_are_all_found(tmp_path: Path, inner: str) -> None:
    write_simulation(tmp_path / inner, 3)
    source = DatadirSource(tmp_path)
    assert source.network is REGTEST
    assert source.folder.path == tmp_path / inner


def test_several_networks_need_to_be_told_apart(tmp_path: Path) -> None:
    write_simulation(tmp_path / "regtest" / "blocks", 3)
    write_simulation(tmp_path / "signet" / "blocks", 3)
    with pytest.raises(SourceError, match=r"several networks.*--network"):
        DatadirSource(tmp_path)
    assert DatadirSource(tmp_path, REGTEST).folder.path == tmp_path / "regtest" / "blocks"


def test_another_network_than_asked_for(tmp_path: Path) -> None:
    write_simulation(tmp_path, 3)
    with pytest.raises(SourceError, match="blocks of network regtest, expected main"):
        DatadirSource(tmp_path, MAIN)


def test_no_folder_no_files_no_magic(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        DatadirSource(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="no blk files"):
        DatadirSource(tmp_path)
    (tmp_path / "blk00000.dat").write_bytes(b"nonsense" * 100)
    with pytest.raises(SourceError, match=r"blk00000.dat, offset 0: magic 6e6f6e73"):
        DatadirSource(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SourceError, match="not a folder"):
        DatadirSource(tmp_path / "file")


def test_a_key_of_the_wrong_length(tmp_path: Path) -> None:
    write_simulation(tmp_path, 3)
    (tmp_path / "xor.dat").write_bytes(b"short")
    with pytest.raises(SourceError, match=r"xor.dat: key of 5 bytes, expected 8"):
        DatadirSource(tmp_path)


def test_no_rev_files(tmp_path: Path) -> None:
    write_simulation(tmp_path / "blocks", 3)
    (tmp_path / "blocks" / "rev00000.dat").unlink()
    with pytest.raises(
        SourceError, match=r"rev00000.dat: no such file, expected undo data of block .* height 1"
    ):
        ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    assert not (tmp_path / "ledger").exists()


def test_a_rev_file_missing_in_between(tmp_path: Path) -> None:
    write_simulation(tmp_path / "blocks", BLOCKS, max_file_size=20_000)
    (tmp_path / "blocks" / "rev00001.dat").unlink()
    with pytest.raises(SourceError, match=r"rev00001.dat: no such file"):
        ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    with Ledger.open(tmp_path / "ledger", read_only=True) as ledger:
        tip = ledger.tip()
    assert tip is not None
    assert 0 < tip.height < BLOCKS


def test_a_blk_file_missing_in_between(tmp_path: Path) -> None:
    write_simulation(tmp_path / "blocks", BLOCKS, max_file_size=20_000)
    (tmp_path / "blocks" / "blk00001.dat").unlink()
    with pytest.raises(
        ReflowError, match=r"blk00001.dat: no such file; block .* parent .* damaged or missing"
    ):
        ingest_folder(tmp_path / "ledger", tmp_path / "blocks")


def test_a_pruned_node_names_its_first_height(tmp_path: Path) -> None:
    write_simulation(tmp_path / "blocks", BLOCKS, max_file_size=20_000)
    first = min(h for h in range(1, BLOCKS) if position_of(tmp_path / "blocks" / "blk00000.dat", h) < 0)
    for name in ("blk00000.dat", "rev00000.dat"):
        (tmp_path / "blocks" / name).unlink()
    with pytest.raises(SourceError, match=f"pruned node: the first block in the files has height {first}, "):
        ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    assert not (tmp_path / "ledger").exists()


def position_of(file: Path, height: int) -> int:
    """Where a block of the simulation lies in a plain blk file, -1 if elsewhere."""
    return file.read_bytes().find(simulation().blocks[height].raw)


def test_undo_data_not_written_yet_are_the_end_not_an_error(tmp_path: Path) -> None:
    """The node has stored three blocks that it has not connected."""
    chain = simulation().blocks[: BLOCKS + 1]
    waiting = [block._replace(undo=None) for block in chain[-3:]]
    write_chain(tmp_path / "blocks", chain[:-3], preallocate=False)
    with (tmp_path / "blocks" / "blk00000.dat").open("ab") as file:
        file.writelines(REGTEST.magic + len(b.raw).to_bytes(4, "little") + b.raw for b in waiting)
    result = ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    assert result.height == BLOCKS - 3
    assert "not connected the last 3 blocks" in result.warnings[0]


def test_blocks_that_hang_in_the_air_are_counted_and_named(tmp_path: Path) -> None:
    """Downloaded ahead, their parent still on its way: no undo data, so no damage."""
    chain = simulation().blocks
    write_chain(tmp_path / "blocks", chain[:50], preallocate=False)
    with (tmp_path / "blocks" / "blk00000.dat").open("ab") as file:
        file.writelines(REGTEST.magic + len(b.raw).to_bytes(4, "little") + b.raw for b in chain[60:65])
    result = ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    assert result.height == 49
    assert "5 blocks do not connect to the chain" in result.warnings[0]
    assert chain[60].hash[::-1].hex() in result.warnings[0]


def test_a_block_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    """Frame and half a header are on disk; the rest is still the zeros of the preallocation."""
    chain = simulation().blocks
    write_chain(tmp_path / "blocks", chain[:50])
    blk = tmp_path / "blocks" / "blk00000.dat"
    data = blk.read_bytes()
    used = len(data.rstrip(b"\0")) + 8
    end = data.find(chain[49].raw) + len(chain[49].raw)
    assert end <= used
    head = REGTEST.magic + len(chain[50].raw).to_bytes(4, "little") + chain[50].raw[:40]
    blk.write_bytes(data[:end] + head + data[end + len(head) :])
    assert ingest_folder(tmp_path / "ledger", tmp_path / "blocks").height == 49
    shutil.rmtree(tmp_path / "blocks")
    write_chain(tmp_path / "blocks", chain[:60])
    assert ingest_folder(tmp_path / "ledger", tmp_path / "blocks").height == 59


def test_growing_files_are_read_from_where_they_were_read_to(tmp_path: Path) -> None:
    """Only new blocks are scanned: an old one, made unreadable afterwards, is not looked at again."""
    folder = write_simulation(tmp_path / "blocks", 100, max_file_size=20_000)
    ingest_folder(tmp_path / "ledger", folder)
    shutil.rmtree(folder)
    write_simulation(folder, BLOCKS, max_file_size=20_000)
    ingest_folder(tmp_path / "ledger", folder)
    source = DatadirSource(folder)
    with Ledger.open(tmp_path / "ledger", read_only=True) as ledger:
        source.resume(load_scan(ledger))
        assert source.new == []
        assert not source.state().is_fresh


def test_siblings_with_undo_data_of_the_same_shape(tmp_path: Path) -> None:
    """A block that lost and its rival both have undo data, on one parent, with equal counts: each gets its own."""
    chain = simulation().blocks
    height = next(h for h in range(110, BLOCKS) if (chain[h].undo or b"\0") != b"\0")
    loser = chain[height]
    with BlockFileWriter(tmp_path / "blocks", REGTEST.magic) as files:
        for block in chain[: height + 1]:
            number = files.add_block(block.raw)
            if block.undo is not None:
                files.add_undo(number, block.prev_hash, block.undo)
        rival, rest = rebuild(height)
        for raw, undo in ((rival, loser.undo), *((b, b"\0") for b in rest)):
            files.add_undo(files.add_block(raw), raw[4:36], undo or b"\0")
    result = ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    assert result.height == height + len(rest)


def rebuild(height: int) -> tuple[bytes, list[bytes]]:
    """A rival of the block at `height` with the same transactions and another nonce, and an empty block on top."""
    raw = bytearray(simulation().blocks[height].raw)
    nonce = int.from_bytes(raw[76:80], "little")
    while True:
        nonce += 1
        raw[76:80] = nonce.to_bytes(4, "little")
        rival = sha256d(bytes(raw[:80]))
        if meets_target(rival, 0x207FFFFF):
            break
    chain = Chain()
    chain.blocks.extend(simulation().blocks[1:height])
    chain.blocks.append(simulation().blocks[height]._replace(hash=rival))
    return bytes(raw), [chain.mine(0, [Payee(b"\x51", 1)], b"/rival/", []).raw]


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_simulation(tmp_path_factory.mktemp("intact"), 130, preallocate=False)


def ingest_harmed(folder: Path, intact: Path, name: str, bit: int) -> ReflowError | None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(intact, folder / "blocks")
    data = bytearray((folder / "blocks" / name).read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    (folder / "blocks" / name).write_bytes(data)
    try:
        ingest_folder(folder / "ledger", folder / "blocks")
    except ReflowError as error:
        return error
    return None


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_passes_in_a_blk_file(tmp_path: Path, intact: Path, data: st.DataObject) -> None:
    """The last block's header aside: a flipped bit there makes another block, and nothing stands on it to tell.

    Of genesis, which is not in the ledger, the transaction and the frame's size: no other block is lost by them.
    """
    size = (intact / "blk00000.dat").stat().st_size
    last = size - len(simulation().blocks[130].raw)
    genesis = len(simulation().blocks[0].raw)
    untold = {*range(last, last + 80), *range(4, 8), *range(88, 8 + genesis)}
    bit = data.draw(st.integers(0, 8 * size - 1).filter(lambda bit: bit // 8 not in untold))
    error = ingest_harmed(tmp_path, intact, "blk00000.dat", bit)
    assert error is not None
    assert "\n" not in str(error)
    assert ".dat" in str(error)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_passes_in_a_rev_file(tmp_path: Path, intact: Path, data: st.DataObject) -> None:
    size = (intact / "rev00000.dat").stat().st_size
    bit = data.draw(st.integers(0, 8 * size - 1))
    error = ingest_harmed(tmp_path, intact, "rev00000.dat", bit)
    assert error is not None
    assert "\n" not in str(error)
    assert "rev00000.dat" in str(error)


@pytest.mark.parametrize("name", ["blk00000.dat", "rev00000.dat"])
@pytest.mark.parametrize("cut", [1, 33, 50, 5000])
def test_a_file_cut_short(tmp_path: Path, intact: Path, name: str, cut: int) -> None:
    shutil.copytree(intact, tmp_path / "blocks")
    with (tmp_path / "blocks" / name).open("r+b") as file:
        file.truncate((intact / name).stat().st_size - cut)
    with pytest.raises(ReflowError, match=f"{name}.*cut short"):
        ingest_folder(tmp_path / "ledger", tmp_path / "blocks")


def test_what_was_committed_before_stays(tmp_path: Path, intact: Path) -> None:
    first = write_simulation(tmp_path / "first", 60)
    ingest_folder(tmp_path / "ledger", first)
    before = content(tmp_path / "ledger")
    shutil.copytree(intact, tmp_path / "blocks")
    blk = tmp_path / "blocks" / "blk00000.dat"
    data = bytearray(blk.read_bytes())
    data[position_of(blk, 62) - 9] ^= 1
    blk.write_bytes(data)
    with pytest.raises(ReflowError, match="block at height 61: Merkle root"):
        ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    assert content(tmp_path / "ledger") == before


def header(name: int, prev: int, bits: int = 0x207FFFFF, offset: int = 0) -> Header:
    return Header(name.to_bytes(32, "little"), prev.to_bytes(32, "little"), bits, 1, 0, offset, 100)


def test_most_work_wins_not_most_blocks() -> None:
    genesis = int.from_bytes(REGTEST.genesis_hash, "big")
    tree = HeaderTree(REGTEST)
    for item in (
        header(genesis, 0),
        header(1, genesis),
        header(2, 1),
        header(3, 2),
        header(4, genesis, 0x1F00FFFF),
    ):
        tree.add(item)
    assert tree.best is not None
    assert tree.best.hash == (4).to_bytes(32, "little")
    assert [h.height for h in tree.chain(tree.best, -1)] == [0, 1]


def test_equal_work_goes_to_the_block_that_lies_first() -> None:
    genesis = int.from_bytes(REGTEST.genesis_hash, "big")
    tree = HeaderTree(REGTEST)
    for item in (header(genesis, 0), header(1, genesis, offset=900), header(2, genesis, offset=500)):
        tree.add(item)
    assert tree.best is not None
    assert tree.best.offset == 500


def test_children_found_before_their_parent_connect_later() -> None:
    genesis = int.from_bytes(REGTEST.genesis_hash, "big")
    tree = HeaderTree(REGTEST)
    for item in (header(3, 2), header(genesis, 0), header(2, 1)):
        tree.add(item)
    assert [h.height for h in tree.unconnected] == [-1, -1]
    tree.add(header(1, genesis))
    assert tree.unconnected == []
    assert tree.best is not None
    assert tree.best.height == 3


def test_targets_and_work() -> None:
    """Difficulty 1: bits 1d00ffff, target 00000000ffff0000..., work 2^32 / 0xffff * 0xffff rounded as Core does."""
    assert target_of(0x1D00FFFF) == 0xFFFF << 208
    assert work_of(0x1D00FFFF) == 0x100010001
    assert target_of(0x1D80FFFF) == 0
    assert meets_target(REGTEST.genesis_hash[::-1], 0x207FFFFF)
    assert not meets_target(bytes(31) + b"\xff", 0x207FFFFF)
