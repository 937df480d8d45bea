"""Verbs killed, torn, cut from power or refused by the system at the Nth of their calls: a sample of all N, fixed.

`python3 dev.py trust --full` takes every N. docs/trust.md tells what each attack is.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.crashes import ATTACKS, SCENARIOS, Attack, Bench, make_inputs, spread
from support.shim import Lab

POINTS = {"ingest": 6, "ingest of more": 3, "ingest after a reorg": 3, "recompute": 5, "crosscheck": 1}
"""Of each attack, in scenarios with more or less than two."""
SLOW_RUN_ONLY = {"report"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    make_inputs(folder)
    return folder


@pytest.fixture(scope="module")
def lab(inputs: Path) -> Iterator[Lab]:
    with Lab(inputs / "blocks") as started:
        yield started


@pytest.fixture(scope="module")
def benches(lab: Lab, inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bench]:
    return {
        name: Bench(scenario, lab, inputs, tmp_path_factory.mktemp("bench"))
        for name, scenario in SCENARIOS.items()
        if name not in SLOW_RUN_ONLY
    }


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in SLOW_RUN_ONLY])
def test_the_next_run_is_right_and_readers_never_take_a_mix(
    benches: dict[str, Bench], name: str, attack: Attack
) -> None:
    bench = benches[name]
    points = spread(bench.points(attack), POINTS.get(name, 2))
    assert [wrong for point in points for wrong in bench.disturb(point)] == []


def test_checking_labels_changes_nothing(benches: dict[str, Bench]) -> None:
    assert benches["labels check"].points(ATTACKS[0]) == []
