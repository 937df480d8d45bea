"""Ranges of whole days: every block up to the last complete day once, and no day in two ranges, whatever the clock."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reflow.ledger.days import Blocks, read_blocks, whole_day_ranges
from reflow.store.duckdb import DuckDbStore
from support.economy import DAY, START, Block, coinbase, ledger_of


def blocks_on(days: list[int]) -> Blocks:
    with ledger_of([Block(START + day * DAY, [coinbase()]) for day in days]) as ledger:
        return read_blocks(DuckDbStore(ledger.con), "header")


@settings(deadline=None, max_examples=40)
@given(days=st.lists(st.integers(0, 6), min_size=1, max_size=12), limit=st.sampled_from([1, 2500, 10**9]))
def test_ranges(days: list[int], limit: int) -> None:
    blocks = blocks_on(days)
    ranges = list(whole_day_ranges(blocks, limit))
    complete = [n for n, day in enumerate(days) if day < max(days)]
    numbers = [n for part in ranges for n in range(part.first_tx, part.last_tx + 1)]
    assert set(complete) <= set(numbers)
    assert numbers == list(range(len(numbers)))
    seen = [set(np.unique(part.days).tolist()) - {blocks.day_count} for part in ranges]
    assert sum(map(len, seen)) == len(set().union(*seen))
    assert len(blocks.days()) == max(days) - min(days)


def test_ranges_are_as_small_as_days_allow() -> None:
    ranges = list(whole_day_ranges(blocks_on([0, 0, 1, 3, 2, 3, 4]), 1))
    assert [(part.first_tx, part.last_tx) for part in ranges] == [(0, 1), (2, 2), (3, 5)]
    assert len(list(whole_day_ranges(blocks_on([0, 0, 1, 3, 2, 3, 4]), 10**9))) == 1
