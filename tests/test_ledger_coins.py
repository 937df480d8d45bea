"""verify follows every coin: what it finds is what plain counting in chain order finds, in one part or in many."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reflow.blocks.decode import decode
from reflow.blocks.undo_writer import Coin, serialize_undo
from reflow.ledger import verify_coins
from reflow.ledger.faults import KEPT
from reflow.ledger.ledger import Ledger
from reflow.ledger.rows import Assembler
from reflow.ledger.verify import verify
from reflow.ledger.verify_coins import CoinCheck, _Part
from reflow.ledger.verify_kernels import Postings
from reflow.network import REGTEST
from support.chains import batch_of, ingest_folder, simulation, write_simulation
from support.plain_parser import parse_undo

Row = tuple[int, int, int]
"""(tx, account, sat)."""
ROWS = st.lists(st.tuples(st.integers(0, 12), st.integers(-3, 3), st.integers(0, 3)), max_size=60).map(sorted)


def columns(rows: list[Row]) -> Postings:
    table = np.array(rows, np.int64).reshape(-1, 3)
    return Postings(*(np.ascontiguousarray(column) for column in table.T))


def uncovered(debits: list[Row], credited: list[Row]) -> list[Row]:
    """Debits for which no credit of an earlier transaction is left."""
    left: Counter[tuple[int, int]] = Counter()
    missing = []
    for tx in range(13):
        for row in debits:
            if row[0] == tx:
                if left[row[1:]] > 0:
                    left[row[1:]] -= 1
                else:
                    missing.append(row)
        left.update(row[1:] for row in credited if row[0] == tx)
    return missing


@settings(max_examples=150, deadline=None)
@given(debits=ROWS, credited=ROWS, cut=st.integers(0, 13), parts=st.sampled_from([1, 2, 8]))
def test_debits_without_a_credit_are_those_of_plain_counting(
    debits: list[Row], credited: list[Row], cut: int, parts: int
) -> None:
    missing: list[Row] = []
    for number in range(parts):
        part = _Part(64, parts, number)
        for pick in (lambda row: row[0] < cut, lambda row: row[0] >= cut):
            part.follow(0, columns(list(filter(pick, debits))), columns(list(filter(pick, credited))))
        assert not part.is_full
        assert part.count >= len(part.first)
        missing += part.first
        if part.count <= KEPT:
            assert part.count == len(part.first)
    expected = uncovered(debits, credited)
    if len(expected) <= KEPT:
        assert sorted(missing) == sorted(expected)


def test_a_table_that_is_full_says_so() -> None:
    part = _Part(16, 1, 0)
    part.follow(0, columns([]), columns([(0, account, 1) for account in range(13)]))
    assert part.is_full


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coins")
    ingest_folder(folder / "ledger", write_simulation(folder / "blocks", 200))
    return folder / "ledger"


@pytest.mark.parametrize("memory", [1, 24 * (1 << 9)])
def test_no_memory_is_too_small(sound: Path, memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Down to tables of a few coins: then the ledger is read many times."""
    monkeypatch.setattr(verify_coins, "_SMALLEST", 64)
    monkeypatch.setattr(verify_coins, "_TRANSACTIONS", 100)
    with Ledger.open(sound, read_only=True) as ledger, ledger.store() as store:
        [counts] = store.rows("verify_counts")
        check = CoinCheck(memory, counts["credit"], counts["debit"])
        check.follow(0, columns([]), columns([(0, account, 1) for account in range(2000)]))  # it is full
        assert check.faults(store, counts["tx"], 2, lambda *_: None) == ([], 0)


def lying_ledger(change: str) -> tuple[Ledger, int]:
    """A ledger of a node that tells other spent outputs than the chain has, and the height of the lie."""
    ledger = Ledger.open(None, REGTEST)
    chain = simulation().blocks[1:201]
    lie = next(block.height for block in chain if block.height > 150 and parse_undo(block.undo or b"\0"))
    assembler = Assembler(ledger.past())
    for block in chain:
        coins = [
            [Coin(c.value, c.script, 1, False) for c in spent] for spent in parse_undo(block.undo or b"\0")
        ]
        if block.height == lie:
            first = coins[0][0]
            other = {"script": first._replace(script=b"\x51"), "value": first._replace(value=first.value + 1)}
            coins[0][0] = other[change]
        batch = batch_of(block.height, [block.raw], [serialize_undo(coins)], [block.hash])
        ledger.append(assembler.rows(decode(batch, REGTEST)))
    return ledger, lie


@pytest.mark.parametrize("change", ["script", "value"])
def test_a_spent_output_that_was_never_paid_is_found(change: str) -> None:
    """Ingest cannot know: the sums are possible. verify tells block and transaction."""
    ledger, height = lying_ledger(change)
    with ledger:
        found = verify(ledger)
    assert found.fault_count >= 1
    assert str(found.faults[0]).startswith(f"block at height {height}: transaction ")
    assert "of which none is left for a debit: found 0, expected 1 or more" in str(found.faults[0])
