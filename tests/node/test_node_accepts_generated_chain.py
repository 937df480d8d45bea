"""A real node reindexes a small mainnet-shaped chain: same tip under full validation, and the same rev file."""

from pathlib import Path

from support.generated import generate
from support.reindex import reindexed_tip


def test_same_tip_and_same_undo_file(tmp_path: Path, bitcoind_path: Path) -> None:
    totals = generate(tmp_path)
    rev = tmp_path / "regtest" / "blocks" / "rev00000.dat"
    ours = rev.read_bytes()
    rev.unlink()
    assert reindexed_tip(bitcoind_path, tmp_path, totals["blocks"]) == totals["tip"]
    assert rev.read_bytes() == ours
