"""Verbs killed, torn, cut from power or refused by the system at the Nth of their calls: a fixed sample of all N.

`python3 dev.py trust --full` takes every N. docs/trust.md says what each attack is.
"""

import random
from pathlib import Path

import pytest

from support.crashes import ATTACKS, SCENARIOS, Bench, Point
from support.shim import Lab

KILLS = {"ingest": 3, "ingest after a reorg": 2, "recompute": 3}
"""Points of each attack that kills, in scenarios with more than one."""
ERRORS = 2
"""Points of each scenario that are errors of the system, of one kind each."""
SLOW_RUN_ONLY = {"report"}
IN_EVERY_RUN = [name for name in SCENARIOS if name not in SLOW_RUN_ONLY]


def sample(bench: Bench) -> list[Point]:
    """The points that every test run takes."""
    chance = random.Random(bench.scenario.name)
    kills = [attack for attack in ATTACKS if attack.kills]
    errors = chance.sample([attack for attack in ATTACKS if not attack.kills], ERRORS)
    points = []
    for attack in (*kills, *errors):
        every = bench.points(attack)
        count = KILLS.get(bench.scenario.name, 1) if attack.kills else 1
        points += chance.sample(every, min(count, len(every)))
    return points


@pytest.mark.parametrize("name", IN_EVERY_RUN)
def test_the_next_run_is_right_and_readers_never_take_a_mix(
    name: str, crash_lab: Lab, crash_inputs: Path, tmp_path: Path
) -> None:
    bench = Bench(SCENARIOS[name], crash_lab, crash_inputs, tmp_path)
    assert [wrong for point in sample(bench) for wrong in bench.disturb(point)] == []


def test_checking_labels_changes_nothing(crash_lab: Lab, crash_inputs: Path, tmp_path: Path) -> None:
    bench = Bench(SCENARIOS["labels check"], crash_lab, crash_inputs, tmp_path)
    assert [attack.name for attack in ATTACKS if attack.kills and bench.points(attack)] == []
