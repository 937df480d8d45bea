"""The ingest: the same rows whatever the threads, sizes and interruptions; on from the tip; back to the fork first."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reflow.blocks.datadir import DatadirSource
from reflow.blocks.decode import decode
from reflow.errors import LedgerError
from reflow.ledger.ingest import IngestProgress, ingest
from reflow.ledger.ledger import Ledger
from reflow.ledger.rows import Assembler, LedgerRows, Past, mediantimes
from reflow.network import REGTEST
from reflow.simulate.blockfiles import BlockFileWriter, write_chain
from reflow.simulate.chain import Block, Chain, Payee
from support.chains import KEY, batch_of, content, ingest_folder, simulation, write_simulation


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_simulation(
        tmp_path_factory.mktemp("chain") / "blocks", xor_key=KEY, window=10, max_file_size=1 << 20
    )


@pytest.fixture(scope="module")
def expected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[object, ...]]]:
    ledger = tmp_path_factory.mktemp("ledger") / "ledger"
    result = ingest_folder(ledger, folder)
    assert result.blocks == result.height == len(simulation().blocks) - 1
    assert result.tip_hash == simulation().blocks[-1].hash[::-1].hex()
    return content(ledger)


@pytest.mark.parametrize(
    ("threads", "batch_bytes", "commit_bytes"), [(1, 1, 1 << 30), (2, 50_000, 200_000), (4, 1 << 30, 1)]
)
def test_threads_and_sizes_change_nothing(
    tmp_path: Path,
    folder: Path,
    expected: dict[str, list[tuple[object, ...]]],
    threads: int,
    batch_bytes: int,
    commit_bytes: int,
) -> None:
    ingest_folder(
        tmp_path / "ledger", folder, threads=threads, batch_bytes=batch_bytes, commit_bytes=commit_bytes
    )
    assert content(tmp_path / "ledger") == expected


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stops=st.lists(st.integers(1, 803), max_size=4))
def test_stopping_early_and_going_on_changes_nothing(
    tmp_path: Path, folder: Path, expected: dict[str, list[tuple[object, ...]]], stops: list[int]
) -> None:
    (tmp_path / "ledger").unlink(missing_ok=True)
    for height in stops:
        assert ingest_folder(tmp_path / "ledger", folder, to_height=height).height >= height
    ingest_folder(tmp_path / "ledger", folder)
    assert content(tmp_path / "ledger") == expected


def test_nothing_new_is_nothing_done(tmp_path: Path, folder: Path) -> None:
    ingest_folder(tmp_path / "ledger", folder, to_height=300)
    again = ingest_folder(tmp_path / "ledger", folder, to_height=200)
    assert (again.blocks, again.height, again.byte_count) == (0, 300, 0)


def test_killed_anywhere_it_goes_on_from_what_was_committed(
    tmp_path: Path, folder: Path, expected: dict[str, list[tuple[object, ...]]]
) -> None:
    """SIGKILL after a random while, several times over; commits are made small so that it hits between them."""
    script = (
        "from reflow.blocks.datadir import DatadirSource; from reflow.ledger.ingest import ingest; "
        "print('go', flush=True); "
        f"ingest({str(tmp_path / 'ledger')!r}, DatadirSource({str(folder)!r}), batch_bytes=3000, commit_bytes=9000)"
    )
    heights = []
    chance = random.Random(7)
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            running.stdout.readline()
            time.sleep(chance.uniform(0.3, 1.2))
            running.send_signal(signal.SIGKILL)
        if (tmp_path / "ledger").exists():
            with Ledger.open(tmp_path / "ledger", REGTEST) as ledger:
                tip = ledger.tip()
                heights.append(tip.height if tip else 0)
    assert heights == sorted(heights)
    ingest_folder(tmp_path / "ledger", folder)
    assert content(tmp_path / "ledger") == expected


def test_an_interrupt_from_the_keyboard_keeps_what_was_read(tmp_path: Path, folder: Path) -> None:
    class StopError(KeyboardInterrupt):
        pass

    def stop(progress: IngestProgress) -> None:
        if progress.stage == "blocks" and progress.done > 300:
            raise StopError

    with pytest.raises(StopError):
        ingest_folder(tmp_path / "ledger", folder, progress=stop, batch_bytes=20_000, commit_bytes=40_000)
    with Ledger.open(tmp_path / "ledger", read_only=True) as ledger:
        tip = ledger.tip()
    assert tip is not None
    assert 200 < tip.height < 804


def fork(height: int, length: int) -> list[Block]:
    """The simulated chain up to `height`, and `length` other blocks on top."""
    chain = Chain()
    chain.blocks.extend(simulation().blocks[1 : height + 1])
    for n in range(length):
        chain.mine(0, [Payee(b"\x51" + bytes([0x51 + n % 16]), 1)], b"/fork/", [])
    return chain.blocks


@pytest.mark.parametrize("depth", [1, 7, 60])
def test_after_a_reorg_the_ledger_is_that_of_the_new_chain(tmp_path: Path, depth: int) -> None:
    """The old branch lies in the files still, with its undo data; the new one is longer."""
    old = simulation().blocks[:161]
    new = fork(160 - depth, depth + 1)
    write_chain(tmp_path / "old", old)
    ingest_folder(tmp_path / "ledger", tmp_path / "old")
    both = tmp_path / "blocks"
    write_both(both, old, new[161 - depth :])
    result = ingest_folder(tmp_path / "ledger", both)
    assert (result.rolled_back, result.blocks, result.height) == (depth, depth + 1, 161)
    ingest_folder(tmp_path / "fresh", both)
    assert content(tmp_path / "ledger") == content(tmp_path / "fresh")
    write_chain(tmp_path / "new", new)
    ingest_folder(tmp_path / "direct", tmp_path / "new")
    assert content(tmp_path / "ledger") == content(tmp_path / "direct")


def test_a_reorg_deeper_than_what_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fork lies below the headers that the ledger loads: the files are looked through anew."""
    monkeypatch.setattr("reflow.ledger.scan_state.REORG_WINDOW", 5)
    old = simulation().blocks[:161]
    write_both(tmp_path / "blocks", old, [])
    ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    shutil.rmtree(tmp_path / "blocks")
    write_both(tmp_path / "blocks", old, fork(120, 50)[121:])
    assert ingest_folder(tmp_path / "ledger", tmp_path / "blocks").rolled_back == 40
    ingest_folder(tmp_path / "fresh", tmp_path / "blocks")
    assert content(tmp_path / "ledger") == content(tmp_path / "fresh")


def write_both(folder: Path, old: list[Block], branch: list[Block]) -> None:
    """The old chain, then the blocks of a branch, each with its undo data behind it."""
    with BlockFileWriter(folder, REGTEST.magic, xor_key=KEY) as files:
        for block in [*old, *branch]:
            number = files.add_block(block.raw)
            if block.undo is not None:
                files.add_undo(number, block.prev_hash, block.undo)


def test_the_last_blocks_are_the_last_after_a_roll_back_to_a_shorter_chain(tmp_path: Path) -> None:
    """In one session, where deleted rows are still in the database's statistics."""
    old = simulation().blocks[:161]
    rows = Assembler(Past.genesis(REGTEST)).rows(
        decode(batch_of(1, [b.raw for b in old[1:]], [b.undo or b"\0" for b in old[1:]]), REGTEST)
    )
    with Ledger.open(tmp_path / "ledger", REGTEST) as ledger:
        ledger.append(rows)
    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.roll_back(120)
        ledger.append(
            LedgerRows(*(table.slice(120, 7) for table in rows[:1]), *(t.slice(0, 0) for t in rows[1:]))
        )
        tip = ledger.tip()
        assert tip is not None
        assert tip.height == 127
        assert ledger.recent_times() == [block.time for block in old[117:128]]


def test_a_branch_of_equal_work_is_not_followed(tmp_path: Path) -> None:
    old = simulation().blocks[:161]
    write_both(tmp_path / "blocks", old, fork(155, 5)[156:])
    ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    with Ledger.open(tmp_path / "ledger", read_only=True) as ledger:
        tip = ledger.tip()
    assert tip is not None
    assert tip.hash == old[-1].hash[::-1]


def test_a_longer_branch_without_undo_data_is_not_followed_yet(tmp_path: Path) -> None:
    old = simulation().blocks[:161]
    write_chain(tmp_path / "old", old)
    ingest_folder(tmp_path / "ledger", tmp_path / "old")
    before = content(tmp_path / "ledger")
    write_both(tmp_path / "blocks", old, [b._replace(undo=None) for b in fork(155, 9)[156:]])
    assert ingest_folder(tmp_path / "ledger", tmp_path / "blocks").rolled_back == 0
    assert content(tmp_path / "ledger") == before


def test_files_of_another_node_than_last_time(tmp_path: Path) -> None:
    """What is remembered of one folder is not used for another, even under the same path."""
    write_simulation(tmp_path / "blocks", 100)
    ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    shutil.rmtree(tmp_path / "blocks")
    write_simulation(tmp_path / "blocks", 160, xor_key=KEY, window=20, max_file_size=20_000)
    assert ingest_folder(tmp_path / "ledger", tmp_path / "blocks").height == 160


def test_a_node_that_is_behind_the_ledger_changes_nothing(tmp_path: Path) -> None:
    write_simulation(tmp_path / "long", 160)
    write_simulation(tmp_path / "short", 100)
    ingest_folder(tmp_path / "ledger", tmp_path / "long")
    result = ingest_folder(tmp_path / "ledger", tmp_path / "short")
    assert (result.rolled_back, result.height) == (0, 160)


def test_progress_tells_height_day_and_bytes(tmp_path: Path, folder: Path) -> None:
    seen: list[IngestProgress] = []
    result = ingest(tmp_path / "ledger", DatadirSource(folder), progress=seen.append, batch_bytes=500_000)
    blocks = [progress for progress in seen if progress.stage == "blocks"]
    assert [progress.height for progress in blocks] == sorted({progress.height for progress in blocks})
    assert blocks[-1].done == blocks[-1].total == result.blocks
    assert blocks[-1].byte_count == result.byte_count
    assert {progress.stage for progress in seen} == {"scan", "blocks", "days"}


def test_memory_limit_that_is_none(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(LedgerError, match="memory limit lots"):
        ingest_folder(tmp_path / "ledger", folder, memory="lots")


@given(st.lists(st.integers(0, 2_000_000_000), min_size=1, max_size=40), st.integers(0, 40))
def test_mediantime_is_the_median_of_up_to_eleven(times: list[int], cut: int) -> None:
    """Against the definition, in two goes: the second knows only the ten times before it."""
    wanted = [sorted(times[max(0, i - 10) : i + 1]) for i in range(len(times))]
    cut = min(cut, len(times))
    first = mediantimes([], np.array(times[:cut], np.int64)).tolist()
    second = mediantimes(times[:cut], np.array(times[cut:], np.int64)).tolist()
    assert first + second == [window[len(window) // 2] for window in wanted]
