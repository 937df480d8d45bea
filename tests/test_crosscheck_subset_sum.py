"""Which few amounts close a gap: against trying every choice."""

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from reflow.crosscheck.subset_sum import Subset, find_subset


def test_a_single_amount_goes_before_two() -> None:
    assert find_subset({1: 70, 2: 30, 3: 100}, 100) == Subset((3,), 0, 1)
    assert find_subset({1: 70, 2: 30, 3: 90}, 100) == Subset((1, 2), 0, 1)
    assert find_subset({1: 50, 2: 30, 3: 20, 4: 1}, 100) == Subset((1, 2, 3), 0, 1)


def test_several_ways_are_counted_and_the_first_is_given() -> None:
    assert find_subset({5: 40, 7: 40, 9: 1}, 40) == Subset((5,), 0, 2)


def test_the_nearest_if_none_is_exact_and_none_if_none_helps() -> None:
    assert find_subset({1: 95, 2: 3}, 100) == Subset((1, 2), 2, 1)
    assert find_subset({1: 300}, 100) is None
    assert find_subset({1: -100}, 100) is None
    assert find_subset({}, 100) is None


def test_a_negative_gap_wants_negative_amounts() -> None:
    assert find_subset({1: -70, 2: 30, 3: -30}, -100) == Subset((1, 3), 0, 1)
    assert find_subset({1: -95}, -100) == Subset((1,), -5, 1)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 60), max_size=8), st.integers(1, 120))
def test_against_every_choice(values: list[int], gap: int) -> None:
    amounts = dict(enumerate(values))
    sums = {
        keys: gap - sum(amounts[key] for key in keys)
        for number in (1, 2, 3)
        for keys in combinations(amounts, number)
    }
    found = find_subset(amounts, gap)
    least = min(map(abs, sums.values()), default=gap)
    if least >= gap:
        assert found is None
        return
    assert found is not None
    assert abs(found.rest) == least
    assert found.rest == gap - sum(amounts[key] for key in found.chosen)
    best = [keys for keys, rest in sums.items() if abs(rest) == least]
    assert len(found.chosen) == min(map(len, best))
    if least == 0:
        assert found.ways == sum(len(keys) == len(found.chosen) for keys in best)
