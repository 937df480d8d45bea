"""What the benchmarks share: the generated chain, whole commands run as a user would, and the table at the end.

Every figure comes with what it is about (bytes, ledger rows), so that the table can state a rate. Nothing is asserted
about time: a benchmark reports, a person judges.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.generate import parse_size, write
from compare.figures import FIGURES, Bench, Chain, add_figure, run_reflow


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chain-size", default="500MB", help="bytes of the generated chain (500MB)")
    parser.addoption("--chain-dir", default=None, help="keep the generated chain here and use it again")


@pytest.fixture(scope="session")
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A mainnet-shaped chain of --chain-size."""
    size = parse_size(request.config.getoption("--chain-size"))
    kept = request.config.getoption("--chain-dir")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("chain")
    totals = folder / "totals.json"
    if not totals.exists():
        write(folder, size, seed=1, users=600_000, weight=3_990_000)
    return Chain(folder, json.loads(totals.read_text()))


@pytest.fixture
def ledger(chain: Chain, tmp_path: Path) -> Iterator[Path]:
    """A ledger of the whole chain, ready for reading."""
    path = tmp_path / "ledger.duckdb"
    run_reflow("ingest", path, "--datadir", chain.folder)
    yield path
    path.unlink()


@pytest.fixture
def measure(benchmark: Bench) -> Callable[..., int]:
    """Time a whole command over three runs; the table gets the median, `amount` units a second, and the peak memory."""

    def run(
        what: str, amount: int, unit: str, command: list[object], before: Callable[[], None] = lambda: None
    ) -> int:
        peaks: list[int] = []

        def once() -> None:
            peaks.append(run_reflow(*command))

        benchmark.pedantic(once, setup=before, rounds=3, warmup_rounds=1)
        seconds = float(benchmark.stats.stats.median)
        add_figure(what, seconds, amount, unit, max(peaks))
        benchmark.extra_info |= {"amount": amount, "unit": unit, "peak_bytes": max(peaks)}
        return max(peaks)

    return run


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table."""
    if not FIGURES:
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    terminalreporter.write_sep("=", f"reflow on {os.cpu_count()} cores, {memory:.0f} GiB")
    for figure in FIGURES:
        time = f"{figure.seconds:.2f} s" if figure.seconds else ""
        peak = "" if figure.peak_bytes is None else f"   peak {figure.peak_bytes / 2**30:.2f} GiB"
        terminalreporter.write_line(f"{figure.what:<44} {time:>10} {figure.rate:>16}{peak}")
