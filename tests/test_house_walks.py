"""Whoever follows a block to its tables, or a cell from the ledger to its value, opens few files of the engine."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from reflow.blocks.datadir import DatadirSource
from reflow.flows import recompute as module
from reflow.flows.methodology import Methodology
from reflow.flows.prices import prices_of
from reflow.flows.recompute import recompute, recompute_each
from reflow.ledger import ingest as ingesting
from reflow.owners.owners import Owners
from support.chains import write_simulation
from support.economy import coinbase, labels_of, ledger_of, on_day, pay, settled
from support.walks import Walk, walked

MOST_FILES_OF_A_BLOCK = 13
"""One of them only makes sure that what is opened is a file, and no pipe or device."""
MOST_FILES = 9
MOST_QUERIES = 4

ECONOMY = settled(
    on_day(0, coinbase((1, 1000))),
    on_day(1, pay([(1, 1000)], [(2, 400), (3, 300), (1, 250)])),
    on_day(2, pay([(3, 300)], [(2, 300)]), pay([(2, 500)], [(1, 500)])),
)
"""A miner (1) pays an exchange (2) and an account (3), which pays the exchange, which pays the miner."""


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """The compiler of kernels opens nothing of the engine, but takes long while it is watched."""
    with ledger_of(ECONOMY) as ledger:
        recompute(ledger, labels_of({2: "AAA"}))


def walk_to(metric: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Walk, list[int | None]]:
    """The way of one metric from where owners are known to its values, and these."""
    find = module.owners_under
    walks: list[Walk] = []
    with ledger_of(ECONOMY) as ledger, ExitStack() as noting:

        def find_then_note(*arguments: object) -> Owners:
            owners = find(*arguments)  # type: ignore[arg-type]
            walks.append(noting.enter_context(walked()))
            return owners

        monkeypatch.setattr(module, "owners_under", find_then_note)
        results = recompute_each(
            ledger,
            labels_of({2: "AAA"}),
            [Methodology()],
            metrics=[metric],
            prices=prices_of({}),
            progress=lambda stage, done, total: None,
        )
        result = next(results)
        noting.close()
        assert list(results) == []
    [walk] = walks
    return walk, result.values[metric]


@pytest.mark.parametrize(
    "metric",
    [
        "FlowMinerIn0HopAllAAANtv",
        "FlowMinerOut1HopAllExNtv",
        "FlowMinerNet0HopAllNtv",
        "FlowInAAANtv",
        "FlowNetExInclUSD",
        "SplyAAANtv",
        "FlowTfrToExCnt",
        "SplyMiner1HopAllNtv",
        "MRI0HopAll30d",
        "MCTC",
        "RevNtv",
    ],
)
def test_a_cell_is_followed_in_nine_files_and_four_queries(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk, values = walk_to(metric, monkeypatch)
    assert len(values) > 2
    assert {"flows/recompute.py", "flows/sums.py", "flows/values.py"} <= walk.files
    assert "postings" in walk.queries
    assert len(walk.files) <= MOST_FILES, sorted(walk.files)
    assert len(walk.queries) <= MOST_QUERIES, sorted(walk.queries)


def test_a_block_goes_to_its_tables_through_few_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The choice of the chain comes before it, the figures of days after it."""
    source = DatadirSource(write_simulation(tmp_path / "blocks", 12))
    ingesting.ingest(tmp_path / "compiled.duckdb", DatadirSource(tmp_path / "blocks"))
    append = ingesting._Ingest._append
    walks: list[Walk] = []

    def append_then_note(*arguments: Any) -> None:
        with walked() as walk:
            append(*arguments)
        walks.append(walk)

    monkeypatch.setattr(ingesting._Ingest, "_append", append_then_note)
    assert ingesting.ingest(tmp_path / "ledger.duckdb", source, to_height=10).height == 10
    [walk] = walks
    assert "blocks/decode.py" in walk.files
    assert len(walk.files) <= MOST_FILES_OF_A_BLOCK, sorted(walk.files)
