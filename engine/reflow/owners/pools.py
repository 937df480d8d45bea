"""Who mined each block, what the pools earned, and what they sent to exchanges.

A block's coinbase decides its MinerEntity: first a payout address, then a tag in the scriptSig. If neither names a
pool, it is None (methodology 3, 9.13). Everything is over the complete days, by the mediantime clock.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa

from reflow.amounts import plain
from reflow.errors import LedgerError
from reflow.files import Writer, write_csv, write_together
from reflow.ledger.ledger import Ledger
from reflow.owners.labels import Labels
from reflow.owners.owners import MiningRule, find_owners
from reflow.owners.pool_files import ALL, UNKNOWN, PoolData
from reflow.progress import Progress, silent
from reflow.store.relations import MINER_ENTITY, PAID_POOL, PAYOUT_ADDRESS, POOL_ACCOUNT, TAGGED_POOL
from reflow.store.store import Store

EX: Final = "Ex"
"""All exchanges as one, in the matrix."""

_FOUND: Final = pa.schema([("height", pa.int32()), ("entity", pa.string())])


class PoolDay(NamedTuple):
    """A pool's blocks of one day."""

    day: date
    entity: str | None
    """None: the blocks that nothing names."""
    blocks: int
    payouts: int
    """Number of blocks identified by a payout address."""
    tags: int
    """Number of blocks identified by a tag."""
    reward: int
    """Sat: issuance and fees."""


class PoolTotal(NamedTuple):
    """A pool's blocks of all days."""

    entity: str | None
    """None: the blocks that nothing names."""
    blocks: int
    payouts: int
    tags: int
    reward: int
    """Sat."""


Matrix = dict[str | None, dict[str, int]]
"""Pool to exchange to sat; the pool None: the blocks that nothing names."""


class PoolReport(NamedTuple):
    """The result of `reflow pools`, over the complete days."""

    first_day: date | None
    last_day: date | None
    totals: list[PoolTotal]
    """Most blocks first, then by name; the entity None last, even without a block."""
    days: list[PoolDay]
    """In order of day and pool."""
    matrix: Matrix | None
    """0-hop flows from each pool, and from `all` of them (the last row), to each exchange and to `Ex`, all of them
    as one; every cell is there. None without labels of exchanges."""
    files: list[Path]
    """What was written."""

    def blocks(self) -> int:
        """Number of blocks in all."""
        return sum(total.blocks for total in self.totals)

    def exchanges(self) -> list[str]:
        """Codes of the exchanges in the matrix, sorted."""
        return [code for code in (self.matrix or {}).get(ALL, {}) if code != EX]

    def largest(self, number: int) -> list[str]:
        """The exchanges that pools sent most to, at most `number`, and `Ex`."""
        flows = (self.matrix or {}).get(ALL, {})
        return [*sorted(self.exchanges(), key=lambda code: (-flows[code], code))[:number], EX]


def report_pools(
    ledger: Ledger,
    pools: PoolData,
    labels: Labels | None = None,
    *,
    out: str | Path | None = None,
    progress: Progress = silent,
) -> PoolReport:
    """Blocks, rewards and flows of every pool; the payout addresses among `labels` count as well.

    The flows need `labels`; they are those of the reference methodology at hop 0. With `out` a folder, it gets
    pools.csv (one row for each day and pool), blocks.csv (one for each block) and, with flows, matrix.csv, in
    native units.
    Raises LedgerError when the ledger is empty, OutputError when the files cannot be written.
    """
    if ledger.tip() is None:
        raise LedgerError(f"{ledger.path or 'ledger'}: no blocks in it yet, run ingest first")
    with ledger.store("report pools") as store:
        find_miner_entities(store, pools.with_labels(labels) if labels else pools, progress)
        days = [PoolDay(**row) for row in store.rows("pool_days")]
        totals = _totals(days)
        known = labels if labels is not None and labels.exchanges() else None
        matrix = _matrix(store, known, [total.entity for total in totals], progress) if known else None
        report = PoolReport(*_span(days), totals, days, matrix, [])
        return report._replace(files=_write(store, report, out) if out is not None else [])


def facts(report: PoolReport) -> dict[str, object]:
    """The report as `reflow pools --json` prints it; amounts are plain decimals of native units."""

    def native(rows: Iterable[PoolDay | PoolTotal]) -> list[dict[str, object]]:
        return [row._asdict() | {"reward": plain(row.reward)} for row in rows]

    matrix = report.matrix or {}
    return report._asdict() | {
        "blocks": report.blocks(),
        "totals": native(report.totals),
        "days": native(report.days),
        "matrix": {
            shown(pool): {code: plain(sat) for code, sat in row.items()} for pool, row in matrix.items()
        }
        or None,
    }


def shown(entity: str | None) -> str:
    """A pool's name where there must be one: in tables for people and as a key of JSON."""
    return UNKNOWN if entity is None else entity


def find_miner_entities(store: Store, pools: PoolData, progress: Progress = silent) -> None:
    """Make the relation `miner_entity` in `store`."""
    progress("pools", 0, 2)
    store.keep(PAYOUT_ADDRESS, pools.payouts.to_arrow())
    store.keep(PAID_POOL, "pool_payouts")
    progress("pools", 1, 2)
    store.keep(TAGGED_POOL, _tagged(store, pools))
    store.keep(MINER_ENTITY, "miner_entities")
    progress("pools", 2, 2)


def _tagged(store: Store, pools: PoolData) -> pa.Table:
    """(height, entity) of the blocks that only a tag identifies."""
    found: list[dict[str, Any]] = []
    for batch in store.reader("unpaid_script_sigs"):
        for height, script_sig in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if entity := pools.entity_of(script_sig):
                found.append({"height": height, "entity": entity})
    return pa.Table.from_pylist(found, schema=_FOUND)


def _totals(days: list[PoolDay]) -> list[PoolTotal]:
    sums: dict[str | None, Counter[str]] = {None: Counter()}
    for day in days:
        sums.setdefault(day.entity, Counter()).update(
            blocks=day.blocks, payouts=day.payouts, tags=day.tags, reward=day.reward
        )
    totals = [
        PoolTotal(entity, found["blocks"], found["payouts"], found["tags"], found["reward"])
        for entity, found in sums.items()
    ]
    return sorted(totals, key=lambda total: (total.entity is None, -total.blocks, shown(total.entity)))


def _matrix(store: Store, labels: Labels, pools: list[str | None], progress: Progress) -> Matrix:
    owners = find_owners(store, labels, [MiningRule()], progress=progress)
    store.keep(POOL_ACCOUNT, "pool_accounts")
    exchanges = [*owners.exchanges, EX]
    matrix: Matrix = {pool: dict.fromkeys(exchanges, 0) for pool in [*pools, ALL]}
    for row in store.rows("pool_exchange_flows"):
        matrix[row["pool"]][row["exchange"]] = int(row["value"])
    return matrix


def _span(days: list[PoolDay]) -> tuple[date | None, date | None]:
    return (days[0].day, days[-1].day) if days else (None, None)


def _write(store: Store, report: PoolReport, out: str | Path) -> list[Path]:
    writers: dict[str, Writer | None] = {
        "pools.csv": partial(_write_days, report),
        "blocks.csv": partial(_write_blocks, store),
        "matrix.csv": None if report.matrix is None else partial(_write_matrix, report.matrix),
    }
    return write_together(out, writers)


def _write_days(report: PoolReport, path: Path) -> None:
    lines = ((*day[:-1], plain(day.reward)) for day in report.days)
    write_csv(path, ("time", *PoolDay._fields[1:]), lines)


def _write_blocks(store: Store, path: Path) -> None:
    answer = store.reader("pool_blocks")
    header = ["time" if column == "day" else column for column in answer.schema.names]
    lines = (
        (*line[:-1], plain(line[-1]))
        for batch in answer
        for line in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    write_csv(path, header, lines)


def _write_matrix(matrix: Matrix, path: Path) -> None:
    exchanges = list(next(iter(matrix.values())))
    lines = ([pool, *map(plain, row.values())] for pool, row in matrix.items())
    write_csv(path, ("entity", *exchanges), lines)
