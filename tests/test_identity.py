"""The same input gives the same bytes, from the node's files to metrics.parquet, however the work is done.

Threads, sizes of batches and commits, memory limits and stops in between change nothing. Each way of working goes
the whole length: ingest, in steps or at once, then recompute, then verify.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reflow.files import write_csv
from reflow.flows.methodology import PRESETS
from reflow.flows.prices import prices_of
from reflow.flows.recompute import recompute_each
from reflow.ledger.ledger import Ledger
from reflow.ledger.verify import verify
from reflow.network import REGTEST
from reflow.owners.labels import Labels, read_labels
from reflow.results.write import write
from reflow.script import address_of
from support.chains import KEY, content, ingest_folder, simulation, write_simulation


class Way(NamedTuple):
    """How the work is done."""

    threads: int
    memory: str
    """Of an ingest, as a whole."""
    database: str
    """DuckDB's in a recomputation; arrays get as much as they find."""
    batch_bytes: int | None
    commit_bytes: int | None
    stops: tuple[int, ...]
    """Heights at which the ingest ends, to go on in another call."""


PLAIN = Way(1, "6GB", "4GB", None, None, ())
WAYS = {
    "little memory, two threads": Way(2, "0.7GB", "60MB", None, None, ()),
    "four threads, tiny batches": Way(4, "1GB", "200MB", 1, 50_000, (1, 300, 301)),
    "many stops, one commit each": Way(1, "2GB", "100MB", 1 << 30, 1 << 30, (10, 100, 110, 500, 799)),
    "eight threads, a commit a batch": Way(8, "6GB", "4GB", 40_000, 1, ()),
}


NAMES = ("reference", "proportional", "labels_only")
"""Presets, recomputed together."""


class Outcome(NamedTuple):
    """What must be the same."""

    rows: dict[str, list[tuple[object, ...]]]
    digests: tuple[Any, ...]
    """Of the ledger and of its chunks."""
    files: dict[str, bytes]
    """Of each methodology: metrics.csv, metrics.parquet."""
    runs: dict[str, Any]
    """What run.json says was computed from what."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("chain") / "blocks"
    return write_simulation(where, xor_key=KEY, window=10, max_file_size=1 << 20)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    known = [
        (address_of(label.address.script, REGTEST), label.entity, label.category)
        for label in simulation().labels
    ]
    write_csv(path, ("address", "entity", "category"), known)
    return read_labels([path], REGTEST)


@pytest.fixture(scope="module")
def expected(folder: Path, labels: Labels, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    outcome = work(PLAIN, folder, labels, tmp_path_factory.mktemp("plain"))
    flows = outcome.files["reference/metrics.csv"]
    assert len(flows.splitlines()) > 10
    assert outcome.files["reference/metrics.csv"] != outcome.files["proportional/metrics.csv"]
    return outcome


def work(way: Way, folder: Path, labels: Labels, base: Path) -> Outcome:
    """All of it, one way."""
    for height in (*way.stops, None):
        ingest_folder(
            base / "ledger",
            folder,
            to_height=height,
            threads=way.threads,
            memory=way.memory,
            batch_bytes=way.batch_bytes,
            commit_bytes=way.commit_bytes,
        )
    prices = prices_of(simulation().prices)
    methods = {PRESETS[name]: name for name in NAMES}
    with Ledger.open(base / "ledger", read_only=True, threads=way.threads, memory=way.database) as ledger:
        found = verify(ledger, threads=way.threads)
        for result in recompute_each(ledger, labels, list(methods), prices=prices):
            write(result, base / methods[result.methodology])
    assert found.fault_count == 0
    names = [f"{name}/{file}" for name in NAMES for file in ("metrics.csv", "metrics.parquet")]
    return Outcome(
        rows=content(base / "ledger"),
        digests=(found.digest, found.chunks, found.rows, found.supply),
        files={name: (base / name).read_bytes() for name in names},
        runs={name: run_of(base / name / "run.json") for name in NAMES},
    )


def run_of(path: Path) -> dict[str, Any]:
    """run.json without the wall times."""
    run: dict[str, Any] = json.loads(path.read_text())
    return {key: value for key, value in run.items() if "seconds" not in key}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_of_working_gives_the_same_bytes(
    tmp_path: Path, folder: Path, labels: Labels, expected: Outcome, name: str
) -> None:
    found = work(WAYS[name], folder, labels, tmp_path)
    for one, other in zip(found, expected, strict=True):
        assert one == other
