"""Hostile sizes: whatever a file claims, no more memory is asked for than its bytes can fill, and one line tells.

Counts and lengths in blk and rev files are overwritten with huge ones, checksums made to fit again, and the files are
ingested with little address space left to the process: an allocation by what is claimed would fail.
"""

import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reflow.blocks.decode import lay_out_block
from reflow.blocks.kernels import TX_INPUTS, TX_WITNESS, Layout
from reflow.blocks.source import byte_array
from reflow.blocks.undo_writer import undo_checksum, varint
from reflow.errors import ReflowError
from reflow.ledger.ledger import Ledger
from support.chains import ingest_folder, simulation, write_simulation

BLOCKS = 130
SPARE_BYTES = 1 << 30
"""Address space beyond what the process has: threads' stacks and the database need some."""

CLAIMS = {
    "2**16 - 1": b"\xfd\xff\xff",
    "2**32 - 1": b"\xfe\xff\xff\xff\xff",
    "2**63 - 1": b"\xff" + (2**63 - 1).to_bytes(8, "little"),
    "2**64 - 1": b"\xff" * 9,
}
"""CompactSizes."""

VARINTS = {
    "2**40": varint(1 << 40),
    "2**55": varint(1 << 55),
    "overflow": b"\xff" * 12 + b"\x00",
    "without end": b"\xff" * 40,
}
"""Core's VARINTs, in the place of whatever is there."""


@contextmanager
def little_memory() -> Iterator[None]:
    """Let the process have no more than SPARE_BYTES of address space beyond what it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + SPARE_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files, which little memory is enough for, once all is loaded and compiled: that takes memory of its own."""
    folder = write_simulation(tmp_path_factory.mktemp("intact") / "blocks", BLOCKS, preallocate=False)
    ingest_folder(folder.parent / "first", folder)
    with little_memory():
        ingest_folder(folder.parent / "ledger", folder)
    return folder


def harmed(intact: Path, folder: Path, name: str, change: Callable[[bytearray], object]) -> str:
    """What an ingest says of the files with one of them changed; the blocks in front are in the ledger."""
    shutil.copytree(intact, folder / "blocks")
    data = bytearray((intact / name).read_bytes())
    change(data)
    (folder / "blocks" / name).write_bytes(data)
    with little_memory(), pytest.raises(ReflowError) as caught:
        ingest_folder(folder / "ledger", folder / "blocks")
    if (folder / "ledger").exists():
        with Ledger.open(folder / "ledger", read_only=True) as ledger:
            tip = ledger.tip()
        assert tip is not None
        assert tip.height == HEIGHT - 1
    message = str(caught.value)
    assert "\n" not in message
    assert ".dat" in message
    return message


def _busiest() -> int:
    """Height of the block with the most undo data among those that have a witness in their second transaction."""
    candidates = [
        block
        for block in simulation().blocks[1 : BLOCKS - 5]
        if block.undo and len(block.undo) > 1 and _witness(block.raw)
    ]
    return max(candidates, key=lambda block: len(block.undo or b"")).height


def _witness(raw: bytes) -> bool:
    layout = _layout(raw)
    return len(layout.transactions) > 1 and bool(
        layout.transactions[1][TX_INPUTS] > layout.transactions[1][0] + 4
    )


def _layout(raw: bytes) -> Layout:
    layout = lay_out_block(byte_array(raw))
    assert layout is not None
    return layout


HEIGHT = _busiest()
BLOCK = simulation().blocks[HEIGHT]


def places() -> dict[str, int]:
    """Where counts and lengths of the second transaction stand in the block; all of them take one byte."""
    layout = _layout(BLOCK.raw)
    inputs = int(layout.transactions[1][TX_INPUTS])
    script = int(layout.scripts[layout.outputs[0]][0])
    witness = int(layout.transactions[1][TX_WITNESS])
    return {
        "transactions": 80,
        "inputs": inputs,
        "scriptSig": inputs + 37,
        "outputs": script - 10,
        "scriptPubKey": script - 1,
        "witness items": witness,
        "witness item": witness + 1,
    }


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("place", places())
def test_counts_and_lengths_in_a_block(tmp_path: Path, intact: Path, place: str, claim: str) -> None:
    def change(data: bytearray) -> None:
        start = data.index(BLOCK.raw) + places()[place]
        data[start : start + len(CLAIMS[claim])] = CLAIMS[claim]

    message = harmed(intact, tmp_path, "blk00000.dat", change)
    assert "cut short" in message or place == "transactions"


@pytest.mark.parametrize("size", [0, 80, 4_000_000, 4_000_001, 2**31, 2**32 - 1])
@pytest.mark.parametrize("name", ["blk00000.dat", "rev00000.dat"])
def test_sizes_of_frames(tmp_path: Path, intact: Path, name: str, size: int) -> None:
    def change(data: bytearray) -> None:
        start = data.index(BLOCK.raw if name.startswith("blk") else BLOCK.undo or b"")
        data[start - 4 : start] = size.to_bytes(4, "little")

    harmed(intact, tmp_path, name, change)


def with_undo(change: Callable[[bytearray], object]) -> Callable[[bytearray], object]:
    """Change the block's undo data and make size and checksum fit."""

    def replace(data: bytearray) -> None:
        assert BLOCK.undo is not None
        old = len(BLOCK.undo).to_bytes(4, "little") + BLOCK.undo + undo_checksum(BLOCK.prev_hash, BLOCK.undo)
        undo = bytearray(BLOCK.undo)
        change(undo)
        new = len(undo).to_bytes(4, "little") + undo + undo_checksum(BLOCK.prev_hash, bytes(undo))
        start = data.index(old)
        data[start : start + len(old)] = new

    return replace


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("place", [0, 1])
def test_counts_in_undo_data(tmp_path: Path, intact: Path, place: int, claim: str) -> None:
    """Transactions of the block, inputs of the first."""

    def change(undo: bytearray) -> None:
        undo[place : place + 1] = CLAIMS[claim]

    message = harmed(intact, tmp_path, "rev00000.dat", with_undo(change))
    assert "cut short" in message or place == 0


@pytest.mark.parametrize(
    ("part", "number"),
    [
        ("code", "overflow"),
        ("code", "without end"),
        *((part, number) for part in ("amount", "script") for number in VARINTS),
    ],
)
def test_numbers_in_undo_data(tmp_path: Path, intact: Path, part: str, number: str) -> None:
    """Of the first coin: height, amount, kind or length of the script. A height may be any number: it is not used."""

    def change(undo: bytearray) -> None:
        position = 2
        for name in ("code", "zero", "amount", "script"):
            end = position + 1
            while undo[end - 1] >= 0x80:
                end += 1
            if name == part:
                undo[position:end] = VARINTS[number]
                return
            position = end

    harmed(intact, tmp_path, "rev00000.dat", with_undo(change))


@pytest.mark.parametrize("name", ["rev00000.dat", "xor.dat"])
def test_a_file_of_a_size_that_no_node_makes(tmp_path: Path, intact: Path, name: str) -> None:
    """A terabyte of nothing: it takes no room on disk, and must take none in memory."""
    shutil.copytree(intact, tmp_path / "blocks")
    with (tmp_path / "blocks" / name).open("ab") as file:
        file.truncate(1 << 40)
    with (
        little_memory(),
        pytest.raises(ReflowError, match=rf"{name}: (key of )?{1 << 40} bytes, expected") as caught,
    ):
        ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    assert "\n" not in str(caught.value)
