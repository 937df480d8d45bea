"""A real node reindexes the simulator's blk files: same tip under full validation, and the same rev files."""

from pathlib import Path

import pytest

from reflow.simulate.blockfiles import write_chain
from reflow.simulate.economy import Simulation, simulate
from support.reindex import reindexed_tip


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate()


@pytest.mark.parametrize(("xor_key", "window"), [(b"", 0), (bytes(range(11, 19)), 12)])
def test_same_tip_and_same_undo_files(
    tmp_path: Path, bitcoind_path: Path, simulation: Simulation, xor_key: bytes, window: int
) -> None:
    folder = tmp_path / "regtest" / "blocks"
    blocks, stale = simulation.blocks, simulation.stale
    write_chain(folder, blocks, stale=stale, window=window, xor_key=xor_key, max_file_size=1 << 20)
    ours = {path.name: path.read_bytes() for path in sorted(folder.glob("rev*.dat"))}
    for path in folder.glob("rev*.dat"):
        path.unlink()  # whatever is there afterwards, the node wrote
    assert reindexed_tip(bitcoind_path, tmp_path, len(blocks) - 1) == blocks[-1].hash[::-1].hex()
    theirs = {path.name: path.read_bytes() for path in sorted(folder.glob("rev*.dat"))}
    assert len(ours) == 3
    assert list(ours) == list(theirs)
    assert all(ours[name] == theirs[name] for name in ours)
