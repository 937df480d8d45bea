"""Scores against figures worked out by hand, their bounds on random series, and how they become a ranking."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from reflow.crosscheck.aligned import Aligned
from reflow.crosscheck.compare import Difference, Tolerance
from reflow.flows.methodology import REFERENCE, Methodology
from reflow.sweeps.distance import Distance, Score, measure, together
from reflow.sweeps.ranking import Measured, alike, rank, single_changes, tied

FIRST = date(2020, 1, 1)
METRIC = "FlowInExNtv"
VALUES = st.one_of(st.sampled_from([0, 1, -1, 10**8]), st.integers(-(10**18), 10**18))


def aligned(ours: list[int], vendor: list[int]) -> Aligned:
    return Aligned(
        [FIRST + timedelta(n) for n in range(len(ours))], ours, vendor, list(map(Decimal, vendor)), 8
    )


def score(ours: list[int], vendor: list[int], tolerance: Tolerance = Tolerance()) -> Score:  # noqa: B008
    return measure(METRIC, aligned(ours, vendor), tolerance).score


def test_by_hand() -> None:
    """Two days of three off; differences 5 and 5 of 15 and 15; shares of the sum differ by a third on two days."""
    found = measure(METRIC, aligned([10, 0, 5], [10, 5, 0]), Tolerance())
    assert (found.days, found.off, found.deviation, found.shape) == (3, 2, Fraction(1, 3), Fraction(1, 3))
    assert found.score == Score((Fraction(2, 3) + Fraction(1, 3)) / 2, Fraction(1, 3))
    assert found.worst is not None
    assert found.worst.day == FIRST + timedelta(1)


def test_the_worst_day_has_the_largest_difference() -> None:
    ours, vendor = [10**8, 3 * 10**8, 0], [10**8, 10**8, 10**8]
    worst = measure(METRIC, aligned(ours, vendor), Tolerance()).worst
    assert worst == Difference(METRIC, FIRST + timedelta(1), Decimal(3), Decimal(1), Decimal(2), False, True)


def test_missing_labels_count_in_the_distance_but_not_in_the_shape() -> None:
    assert score([1, 2, 3], [3, 6, 9]) == Score((1 + Fraction(12, 24)) / 2, Fraction(0))


def test_nothing_at_all() -> None:
    assert score([0, 0], [0, 0]) == Score(Fraction(0), Fraction(0))
    assert score([0, 0], [0, 4]) == Score(Fraction(3, 4), Fraction(1))


def test_what_is_tolerated_is_no_difference() -> None:
    one = 10**8
    allowed = Tolerance(relative=Decimal("0.1"))
    assert score([10 * one, 11 * one], [10 * one, 10 * one], allowed).distance == 0
    assert (
        score([10 * one, 12 * one], [10 * one, 10 * one], allowed).distance
        == (Fraction(1, 2) + Fraction(2, 42)) / 2
    )


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8))
def test_between_0_and_1_and_0_only_for_equals(values: list[tuple[int, int]]) -> None:
    ours, vendor = map(list, zip(*values, strict=True))
    found = score(ours, vendor)
    assert 0 <= found.distance <= 1
    assert 0 <= found.shape <= 1
    same = measure("BlkCnt", aligned(ours, vendor), Tolerance())  # of control metrics every difference counts
    assert (same.off == 0) == (same.score.distance == 0)
    assert score(ours, ours) == Score(Fraction(0), Fraction(0))


def test_layers_weigh_the_same_whatever_their_metrics() -> None:
    far, near = Score(Fraction(1), Fraction(1)), Score(Fraction(0), Fraction(0))
    scores = {"BlkCnt": near, "FlowInExNtv": far, "FlowOutExNtv": near, "FlowMinerOut0HopAllExNtv": far}
    overall, layers = together(scores)
    assert layers == {1: near, 2: Score(Fraction(1, 2), Fraction(1, 2)), 3: far}
    assert overall.distance == Fraction(1, 2)
    assert together({"FlowInEx": far})[0] == far


def measured(methodology: Methodology, ours: list[int], vendor: list[int]) -> Measured:
    found: Distance = measure(METRIC, aligned(ours, vendor), Tolerance())
    return Measured(methodology, "", {METRIC: found}, {METRIC: str(ours)})


VENDOR = [10, 10, 10]
GROSS, EXACT, HEADER = Methodology(netting="gross"), Methodology(one_hop="exact"), Methodology(clock="header")
BOTH = Methodology(netting="gross", one_hop="exact")
FIELD = [
    measured(BOTH, [10, 10, 20], VENDOR),
    measured(HEADER, [10, 10, 10], VENDOR),
    measured(GROSS, [20, 10, 10], VENDOR),
    measured(EXACT, [20, 10, 10], VENDOR),
    measured(REFERENCE, [20, 20, 10], VENDOR),
]


def test_equal_distances_share_a_rank_and_fewer_changes_come_first() -> None:
    ranked = rank(FIELD)
    assert [(one.rank, one.methodology, one.group) for one in ranked] == [
        (1, HEADER, 1),
        (2, GROSS, 2),
        (2, EXACT, 2),
        (2, BOTH, 3),
        (5, REFERENCE, 4),
    ]


def test_what_the_data_cannot_tell_apart() -> None:
    ranked = rank(FIELD)
    assert [[one.methodology for one in group] for group in alike(ranked)] == [[GROSS, EXACT]]
    assert [[one.methodology for one in group] for group in tied(ranked)] == [[GROSS, EXACT, BOTH]]
    equal = [one for one in ranked if one.methodology != BOTH]
    assert tied(equal) == []  # equal series are no news beside the group


def test_the_shape_may_rank_instead() -> None:
    """Half of everything is far, but has the right shape."""
    field = [measured(REFERENCE, [2, 4, 8], [4, 8, 16]), measured(GROSS, [4, 8, 15], [4, 8, 16])]
    assert [one.methodology for one in rank(field)] == [GROSS, REFERENCE]
    assert [one.methodology for one in rank(field, "shape")] == [REFERENCE, GROSS]


def test_single_changes_by_hand() -> None:
    """From both: back to net 20, 10, 10 has the same distance, on another day; back to within likewise."""
    ranked = rank(FIELD)
    found = single_changes(ranked, [REFERENCE, BOTH])
    told = [(one.base, one.key, one.value, one.after, one.change.distance, one.moved) for one in found]
    one_day = (Fraction(1, 3) + Fraction(10, 70)) / 2
    two_days = (Fraction(2, 3) + Fraction(20, 80)) / 2
    assert told == [
        (REFERENCE, "clock", "header", HEADER, -two_days, [METRIC]),
        (REFERENCE, "one_hop", "exact", EXACT, one_day - two_days, [METRIC]),
        (REFERENCE, "netting", "gross", GROSS, one_day - two_days, [METRIC]),
        (BOTH, "one_hop", "within", GROSS, Fraction(0), [METRIC]),
        (BOTH, "netting", "net", EXACT, Fraction(0), [METRIC]),
    ]
    assert found[0].metrics == {METRIC: found[0].change}
