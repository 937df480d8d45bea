"""The blocks folder that the simulator writes: records, XOR key, file limit, tails, arrival order."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reflow.blocks.undo_writer import sha256d
from reflow.network import REGTEST
from reflow.simulate.blockfiles import BLOCK_CHUNK, UNDO_CHUNK, write_chain
from reflow.simulate.chain import Block, Chain, Payee

KEY = bytes(range(1, 9))


@pytest.fixture(scope="module")
def chain() -> Chain:
    chain = Chain()
    for height in range(1, 40):
        chain.mine(1_600_000_000 + 600 * height, [Payee(b"\x51", 1)], b"/tag/", [])
    return chain


def records(path: Path, *, trailer: int = 0, key: bytes = bytes(8)) -> Iterator[bytes]:
    """The payloads (with `trailer` bytes behind each) of a blk or rev file, up to its tail."""
    data = bytes(
        byte ^ key[i % 8] for i, byte in enumerate(path.read_bytes()[:50_000])
    )  # all of it but the tail
    position = 0
    while data[position : position + 4] == REGTEST.magic:
        end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "little") + trailer
        yield data[position + 8 : end]
        position = end


def test_files_hold_every_block_and_every_undo_record(tmp_path: Path, chain: Chain) -> None:
    write_chain(tmp_path, chain.blocks, preallocate=False)
    assert list(records(tmp_path / "blk00000.dat")) == [block.raw for block in chain.blocks]
    undo = list(records(tmp_path / "rev00000.dat", trailer=32))
    assert undo == [b"\x00" + sha256d(block.prev_hash + b"\x00") for block in chain.blocks[1:]]


def test_xor_changes_every_byte_but_the_tail(tmp_path: Path, chain: Chain) -> None:
    for name, key in (("plain", b""), ("hidden", KEY)):
        write_chain(tmp_path / name, chain.blocks, xor_key=key)
    assert (tmp_path / "hidden" / "xor.dat").read_bytes() == KEY
    assert not (tmp_path / "plain" / "xor.dat").exists()
    for file, chunk in (("blk00000.dat", BLOCK_CHUNK), ("rev00000.dat", UNDO_CHUNK)):
        plain, hidden = ((tmp_path / name / file).read_bytes() for name in ("plain", "hidden"))
        used = len(plain.rstrip(b"\x00")) + 40
        assert len(plain) == len(hidden) == chunk
        assert hidden[used:] == bytes(chunk - used)
        assert list(records(tmp_path / "hidden" / file, key=KEY)) == list(records(tmp_path / "plain" / file))


def test_a_full_file_is_followed_by_the_next_and_has_no_tail(tmp_path: Path, chain: Chain) -> None:
    write_chain(tmp_path, chain.blocks, max_file_size=2_000)
    files = sorted(tmp_path.glob("blk*.dat"))
    assert len(files) > 3
    assert all(path.stat().st_size < 2_000 for path in files[:-1])
    assert files[-1].stat().st_size == BLOCK_CHUNK
    assert [raw for path in files for raw in records(path)] == [block.raw for block in chain.blocks]
    for blk in files:
        blocks = list(records(blk))
        undo = list(records(blk.with_name(blk.name.replace("blk", "rev")), trailer=32))
        mates = [block for block in chain.blocks[1:] if block.raw in blocks]
        assert undo == [b"\x00" + sha256d(block.prev_hash + b"\x00") for block in mates]


def test_shuffled_blocks_keep_their_undo_in_chain_order(tmp_path: Path, chain: Chain) -> None:
    stale: list[Block] = [chain.stale_sibling(height, Payee(b"\x52", 1)) for height in (10, 20)]
    write_chain(tmp_path, chain.blocks, stale=stale, window=6)
    written = list(records(tmp_path / "blk00000.dat"))
    expected = [block.raw for block in [*chain.blocks, *stale]]
    assert written[0] == chain.blocks[0].raw
    assert written != expected
    assert sorted(written) == sorted(expected)
    undo = list(records(tmp_path / "rev00000.dat", trailer=32))
    assert undo == [b"\x00" + sha256d(block.prev_hash + b"\x00") for block in chain.blocks[1:]]
