"""Two processes write into one folder or ledger at once: the end is one run's, or a run refuses in a line."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from support.crashes import SCENARIOS, differences, state
from support.shim import Called, Lab

DELAYS = (0.0, 0.05, 0.2)
"""Seconds by which the second begins after the first."""


class Pair(NamedTuple):
    """Two calls that write to the same place."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    outputs: tuple[str, ...] = ()
    """Folders whose files belong together."""


def other(name: str) -> tuple[str, ...]:
    """The call that makes the older outputs of a scenario: the same verb with other arguments."""
    return SCENARIOS[name].before[-1]


def pair(name: str) -> Pair:
    """A scenario's verb twice, with different inputs, into one folder."""
    scenario = SCENARIOS[name]
    return Pair(scenario.args, other(name), scenario.before[:-1], scenario.outputs)


INGEST = ("ingest", "ledger.duckdb", "--datadir", "blocks")
REORG = ("ingest", "ledger.duckdb", "--datadir", "reorg")
OLD = (*INGEST, "--to-height", "250")

PAIRS = {
    "two ingests make one ledger": Pair(INGEST, INGEST),
    "two ingests go on with one ledger": Pair(INGEST, INGEST, (OLD,)),
    "ingests of two branches": Pair(REORG, INGEST, (OLD,)),
    "two recomputes": pair("recompute"),
    "two recomputes of two methodologies": pair("recompute of two methodologies"),
    "two cross-checks": pair("crosscheck"),
    "two sweeps": pair("sweep"),
    "two runs of pools": pair("pools"),
    "two runs of clusters": pair("clusters"),
    "two explanations": pair("explain --graph"),
}


def fresh(inputs: Path, folder: Path, lab: Lab, before: tuple[tuple[str, ...], ...]) -> Path:
    """The inputs with what ran before."""
    shutil.copytree(inputs, folder)
    for call in before:
        assert not lab.call(call, folder).crashed
    return folder


def ended_well(done: Called, alone: Called) -> bool:
    """As it ends alone, or refused in one line."""
    return done.refused or (done.status == alone.status and not done.crashed)


def parts(folder: Path, outputs: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """What must be of one run: the ledger, and each folder of outputs."""
    everything = state(folder)
    found = {
        name: {file: end for file, end in everything.items() if file.startswith(f"{name}/")}
        for name in outputs
    }
    if "ledger.duckdb" in everything:
        found["ledger"] = {"ledger.duckdb": everything["ledger.duckdb"]}
    return found


@pytest.mark.parametrize("name", PAIRS)
def test_the_end_is_one_of_the_two(crash_lab: Lab, crash_inputs: Path, tmp_path: Path, name: str) -> None:
    first, second, before, folders = PAIRS[name]
    base = fresh(crash_inputs, tmp_path / "base", crash_lab, before)
    ends, alone = [parts(base, folders)], []
    for number, call in enumerate((first, second)):
        shutil.copytree(base, tmp_path / f"alone{number}")
        alone.append(crash_lab.call(call, tmp_path / f"alone{number}"))
        ends.append(parts(tmp_path / f"alone{number}", folders))
    wrong = []
    for delay in DELAYS:
        folder = tmp_path / f"both{delay}"
        shutil.copytree(base, folder)
        both = crash_lab.together([(first, 0.0), (second, delay)], folder)
        assert any(not done.refused for done in both), both
        wrong += [done for done, usual in zip(both, alone, strict=True) if not ended_well(done, usual)]
        for part, end in parts(folder, folders).items():
            expected = [known[part] for known in ends if part in known]
            assert end in expected, (part, [differences(end, known) for known in expected], both)
    assert wrong == []


def test_a_ledger_is_read_while_an_ingest_writes_it(
    crash_lab: Lab, crash_inputs: Path, tmp_path: Path
) -> None:
    """The reader gets the blocks of some moment, whole, or is told that the ledger is in use."""
    base = fresh(crash_inputs, tmp_path / "base", crash_lab, (OLD,))
    recompute = SCENARIOS["recompute"].args
    for number, delay in enumerate((0.0, 0.1, 0.3)):
        folder = tmp_path / f"both{number}"
        shutil.copytree(base, folder)
        ingest, reader = crash_lab.together([(INGEST, delay), (recompute, 0.1)], folder)
        assert ingest.refused or ingest.status == 0, ingest
        assert reader.refused or reader.status == 0, reader
        again = crash_lab.call(INGEST, folder)
        assert again.status == 0, again
        assert "faults        none" in crash_lab.call(("verify", "ledger.duckdb"), folder).out
