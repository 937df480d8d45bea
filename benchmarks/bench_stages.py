"""How fast each stage is on a generated, mainnet-shaped chain: decode, ingest, one more day, recompute.

Ingest and recompute are timed as whole commands, start-up included, with every check on.
"""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import polars as pl
import pytest

from chain.generate import CODES
from compare.figures import Bench, Chain, add_figure, add_size, run_reflow
from reflow.blocks.datadir import DatadirSource
from reflow.blocks.decode import decode
from reflow.blocks.source import RawBatch
from reflow.flows.methodology import ALLOWED, Methodology
from reflow.flows.recompute import recompute_each
from reflow.ledger.ledger import Ledger
from reflow.network import REGTEST
from reflow.owners.labels import SCHEMA, read_labels
from reflow.owners.owners import find_exchange_accounts
from reflow.store.duckdb import DuckDbStore

DECODE_BYTES = 64 << 20

GRID = ("one_hop", "membership", "exchange_accounts_as_miners", "sender")

_SOME_SIGNERS = """
    SELECT account FROM (SELECT DISTINCT account FROM debit WHERE tx < (SELECT max(tx) // 5 FROM debit))
    ORDER BY hash(account) LIMIT 40
"""


@pytest.fixture
def batches(chain: Chain) -> list[RawBatch]:
    """The chain's last full blocks, read but not decoded."""
    source = DatadirSource(chain.folder)
    source.resume(None)
    source.locate(0, lambda height: REGTEST.genesis_hash if height == 0 else None)
    last = source.end().height
    first = max(1, last - DECODE_BYTES // 1_500_000)
    return list(source.read(first, last, 16 << 20))


def test_decode(benchmark: Bench, batches: list[RawBatch]) -> None:
    """One thread, from raw bytes to columns, all checks on; files without XOR, as the generator writes them."""
    benchmark.pedantic(lambda: [decode(batch, REGTEST) for batch in batches], rounds=3, warmup_rounds=1)
    amount = sum(batch.byte_count for batch in batches)
    add_figure("decode, one thread", benchmark.stats.stats.median, amount, "B")


def test_ingest(measure: Callable[..., int], chain: Chain, tmp_path: Path) -> None:
    """From blk and rev files to a new ledger."""
    path = tmp_path / "ledger.duckdb"
    measure(
        f"ingest {chain.byte_count / 1e6:,.0f} MB",
        chain.byte_count,
        "B",
        ["ingest", path, "--datadir", chain.folder],
        lambda: path.unlink(missing_ok=True),
    )
    add_size("ledger", path.stat().st_size, chain.row_count)


def test_one_more_day(benchmark: Bench, chain: Chain, tmp_path: Path) -> None:
    """The last 144 blocks onto a ledger that has all the others; start-up included."""
    path = tmp_path / "ledger.duckdb"
    height = int(chain.totals["blocks"])

    def all_but_a_day() -> None:
        path.unlink(missing_ok=True)
        run_reflow("ingest", path, "--datadir", chain.folder, "--to-height", height - 144)

    benchmark.pedantic(
        lambda: run_reflow("ingest", path, "--datadir", chain.folder), setup=all_but_a_day, rounds=2
    )
    with Ledger.open(path, read_only=True) as ledger:
        [(size,)] = ledger.con.execute(
            "SELECT sum(size) FROM block WHERE height > ?", [height - 144]
        ).fetchall()
    add_figure(f"144 more blocks, {size / 1e6:,.0f} MB", benchmark.stats.stats.median, size, "B")


def test_recompute(measure: Callable[..., int], chain: Chain, ledger: Path, tmp_path: Path) -> None:
    """Every metric of the catalogue for the generator's labels, closure included."""
    out = tmp_path / "out"
    rows = chain.row_count
    measure(
        f"recompute {rows / 1e6:,.1f} M debits and credits",
        rows,
        "rows",
        ["recompute", ledger, "--labels", chain.folder / "labels.csv", "--out", out],
    )
    seconds = json.loads((out / "run.json").read_text())["seconds"]
    add_figure("  of the last run: closure", seconds["closure"], rows, "rows")
    add_figure(
        "  of the last run: all but the closure", sum(seconds.values()) - seconds["closure"], rows, "rows"
    )


@pytest.mark.parametrize("labels", ["few", "many"])
def test_closure(benchmark: Bench, chain: Chain, ledger: Path, labels: str) -> None:
    """The closure on its own: from the labels of the generator, and from users' accounts, with which it gets far."""
    with Ledger.open(ledger, read_only=True) as opened:
        owners = read_labels([chain.folder / "labels.csv"], opened.network)
        if labels == "many":
            accounts = opened.con.execute(_SOME_SIGNERS).fetchall()
            rows = [
                (account, b"", str(account), CODES[n % 4], "exchange")
                for n, (account,) in enumerate(accounts)
            ]
            owners = owners._replace(frame=pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("account"))
        found = benchmark.pedantic(
            lambda: find_exchange_accounts(DuckDbStore(opened.con), owners), rounds=3, warmup_rounds=1
        )
    what = f"closure, {found.rounds} rounds to {sum(found.accounts.values()) / 1e6:,.1f} M accounts"
    add_figure(what, benchmark.stats.stats.median, chain.row_count, "rows")


def test_many_methodologies(benchmark: Bench, chain: Chain, ledger: Path) -> None:
    """A grid of 48 in one go."""
    axes = [ALLOWED[key] for key in GRID]
    grid = [Methodology(**dict(zip(GRID, values, strict=True))) for values in product(*axes)]  # type: ignore[arg-type]
    with Ledger.open(ledger, read_only=True) as opened:
        owners = read_labels([chain.folder / "labels.csv"], opened.network)
        benchmark.pedantic(lambda: sum(1 for _ in recompute_each(opened, owners, grid)), rounds=1)
    add_figure(f"recompute, {len(grid)} methodologies", benchmark.stats.stats.median, chain.row_count, "rows")
