"""The figures of each day that the ledger keeps, and the state for the next day (tables of schema `kept`).

An ingest keeps those of the mediantime clock. A recompute reads them, and computes for itself what is not kept: days of
the header clock, or of a ledger that was filled in another way. What is kept is a cache of what the other tables say:
`verify` computes it again.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from reflow.clock import Clock
from reflow.ledger.day_figures import (
    Accounts,
    DayChanges,
    DayFigures,
    FullError,
    Holdings,
    read_days,
    read_range,
)
from reflow.ledger.days import RANGE_BYTES, Blocks, Range, cuts, read_blocks, whole_day_ranges
from reflow.progress import Progress, silent
from reflow.store.duckdb import DuckDbStore
from reflow.store.relations import WANTED
from reflow.store.resources import query
from reflow.store.store import Store

KEPT: Final = DayFigures._fields[1:]
"""The names of the figures, which are those of the daily sums in the catalogue."""

_WORKERS: Final = 2
_RANGE_SHARE: Final = 4
"""Ranges take one part in so many of the memory for arrays, the accounts that hold something the rest."""
_BYTES_PER_BLOCK_BYTE: Final = 1.2
"""Memory that a range takes for each byte of its blocks."""
_SPAN_BYTES: Final = 20_000_000_000
"""Bytes of blocks after which the state is saved: an interrupted run goes on from there."""
_IDLE: Final = DayFigures(0, 0, 0, 0, 0, 0, 0, 0, 0)

Result = TypeVar("Result")


def read_figures(
    store: Store, blocks: Blocks, clock: Clock, *, progress: Progress = silent
) -> dict[str, list[int]]:
    """Each of KEPT with a number for every complete day: kept ones as they are, the rest computed, in bounded memory.

    `blocks` are the ledger's under `clock`. Nothing is written, so `store` may be of a ledger open for reading only.
    `progress` is called with the stage `days` when days must be computed.
    """
    until = _until(store, clock)
    start = _cut_before(blocks, until)
    if start < until and start < _last_cut(blocks):
        start = 0  # what is kept of the accounts that hold something is of a later block
    days = _kept_whole(store, clock, blocks, start)
    with store.memory() as memory:
        ranges = list(whole_day_ranges(blocks, _range_bytes(store, memory), start))
        found = _retried(_Walk(store, clock, blocks, ranges, memory, progress).figures) if ranges else []
    days += _every_day(found, days, blocks.day_count)
    return {name: [int(getattr(day, name)) for day in days] for name in KEPT}


def keep_days(con: DuckDBPyConnection, clock: Clock, *, progress: Progress = silent) -> int:
    """Compute and keep the complete days that are not kept yet; gives how many.

    The state is saved now and then, so that an interrupted run goes on where it stopped. Under the header clock a day
    is kept when every later block of the ledger is of a later day; if blocks of a kept day come after all, it is taken
    back first. `progress` is as `read_figures` has it.
    """
    store = DuckDbStore(con)
    blocks = read_blocks(store, clock)
    until = _until(store, clock)
    start = _cut_before(blocks, until)
    if start < until:
        with _Transaction(con):
            _take_back(con, clock, blocks, until, start)
    number = 0
    with store.memory() as memory:
        end = _cut_before(blocks, len(blocks.day))
        for span in _spans(blocks, whole_day_ranges(blocks, _range_bytes(store, memory), start, end)):
            walk = _Walk(store, clock, blocks, span, memory, progress)
            number += _retried(partial(walk.keep, con))
    return number


def check_days(
    con: DuckDBPyConnection, *, progress: Progress = silent
) -> Iterator[tuple[str, object, object]]:
    """What is wrong with what is kept, computed again from nothing: what it is, what was found, what was expected."""
    store = DuckDbStore(con)
    for row in store.rows("kept_until"):
        clock, until = row["clock"], int(row["blocks"])
        blocks = read_blocks(store, clock)
        if until != (cut := _cut_before(blocks, until)):
            # Later blocks may be of a kept day of the header clock until the next keep takes it back.
            if clock == "mediantime" or until >= len(blocks.day):
                yield f"blocks whose days are kept under the {clock} clock", until, cut
            continue
        with store.memory() as memory:
            ranges = list(whole_day_ranges(blocks, _range_bytes(store, memory), 0, until))
            walk = _Walk(store, clock, blocks, ranges, memory, progress) if ranges else None
            found, wrong = _retried(walk.check) if walk else ([], 0)
        expected = _every_day(found, [], _day_count(blocks, until))
        kept = _kept(store, clock, blocks, until)
        if len(kept) != len(expected):
            yield f"days kept under the {clock} clock", len(kept), len(expected)
        for ours, theirs in zip(kept, expected, strict=False):
            for name in KEPT:
                if getattr(ours, name) != getattr(theirs, name):
                    what = f"kept.day.{name} of {blocks.first_day + timedelta(ours.day)}, {clock} clock"
                    yield what, getattr(ours, name), getattr(theirs, name)
        if wrong:
            yield f"accounts of kept.holding, {clock} clock, that hold something else", wrong, 0


def take_back_days(con: DuckDBPyConnection, height: int) -> None:
    """Take back what is kept of blocks above `height`, before these leave; in the transaction that is under way."""
    store = DuckDbStore(con)
    for row in store.rows("kept_until"):
        if row["blocks"] >= height:  # a later block must stay, else the last day is not complete any more
            blocks = read_blocks(store, row["clock"])
            _take_back(con, row["clock"], blocks, row["blocks"], _cut_before(blocks, height - 1))


def kept_clocks(con: DuckDBPyConnection) -> list[Clock]:
    """The clocks of which days are kept."""
    return [row["clock"] for row in DuckDbStore(con).rows("kept_until")]


class _Walk:
    """One walk through ranges of whole days, from what the ledger keeps up to the first of them."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        blocks: Blocks,
        ranges: list[Range],
        memory: int,
        progress: Progress,
    ) -> None:
        self._store, self._clock, self._blocks, self._ranges = store, clock, blocks, ranges
        self._memory = memory - memory // _RANGE_SHARE
        self._progress = progress
        self._start = _start(blocks, ranges[0])
        self._end = _end(blocks, ranges[-1])

    def figures(self, parts: int) -> list[DayFigures]:
        """The figures of the days in the ranges; `holders` is how many more there are than before the first of them."""
        return self._few(_leave) if len(self._ranges) == 1 else self._all(parts, _leave)

    def keep(self, con: DuckDBPyConnection, parts: int) -> int:
        """Keep them, and the accounts that hold something at the end, in one transaction; gives how many days.

        `con` is the connection of the store.
        """
        save = partial(_save, con, self._clock)
        with _Transaction(con):
            kept = _kept_whole(self._store, self._clock, self._blocks, self._start)
            found = self._few(save) if len(self._ranges) == 1 else self._all(parts, save)
            days = _every_day(found, kept, _day_count(self._blocks, self._end))
            _insert_days(con, self._clock, self._blocks, days)
            con.execute(query("keep_until"), {"clock": self._clock, "blocks": self._end})
        return len(days)

    def check(self, parts: int) -> tuple[list[DayFigures], int]:
        """The figures, and how many accounts hold something else at the end than what is kept."""
        wrong = 0

        def take_off(holdings: Holdings, of_part: dict[str, object], _: str) -> None:
            nonlocal wrong
            for account, balance in self._store.batches("kept_holdings", clock=self._clock, **of_part):
                holdings.add(account, -balance)
            wrong += len(holdings.rows()[0])

        return self._all(parts, take_off), wrong

    def _few(self, finish: "Finish") -> list[DayFigures]:
        """One range: of the accounts that hold something only those are loaded whose balance changes in it."""
        changes = read_range(self._store, self._ranges[0], self._blocks.day_count)
        accounts = (
            np.unique(np.concatenate([day.account for day in changes])) if changes else np.empty(0, np.int64)
        )
        with self._store.lend(WANTED, pa.table({"account": accounts})):
            holdings = self._load(Holdings(self._memory), "kept_holdings_among", {})
            days = list(self._follow(changes, holdings, 0, 1))
            finish(holdings, {}, "forget_holdings_among")
        return days

    def _all(self, parts: int, finish: "Finish") -> list[DayFigures]:
        """Many ranges, read once for each part of the accounts."""
        days: list[DayFigures] = []
        for part in range(parts):
            of_part: dict[str, object] = {"mask": parts - 1, "part": part}
            accounts = Accounts(parts, part)
            holdings = self._load(Holdings(self._memory, accounts), "kept_holdings", of_part)
            workers = _workers(self._store)
            changes = read_days(self._store, self._ranges, self._blocks.day_count, workers, accounts)
            found = list(self._follow(changes, holdings, part, parts))
            days = days or [day._replace(holders=0) for day in found]
            days = [
                before._replace(holders=before.holders + day.holders)
                for before, day in zip(days, found, strict=True)
            ]
            finish(holdings, of_part, "forget_holdings")
        return days

    def _load(self, holdings: Holdings, name: str, parameters: dict[str, object]) -> Holdings:
        if self._start:
            for account, balance in self._store.batches(name, clock=self._clock, **parameters):
                holdings.add(account, balance)
        return holdings

    def _follow(
        self, changes: Iterable[DayChanges], holdings: Holdings, part: int, parts: int
    ) -> Iterator[DayFigures]:
        start, days = holdings.holders, self._blocks.day_count
        for day in changes:
            holdings.add(day.account, day.change)
            self._progress("days", part * days + day.figures.day + 1, parts * days)
            yield day.figures._replace(holders=holdings.holders - start)


Finish = Callable[[Holdings, dict[str, object], str], None]
"""What is done with the accounts of a part at the end: they, the parameters of the part, the query that forgets it."""


def _leave(_: Holdings, _parameters: dict[str, object], _forget: str) -> None:
    """Nothing is kept."""


def _save(
    con: DuckDBPyConnection, clock: Clock, holdings: Holdings, parameters: dict[str, object], forget: str
) -> None:
    """Keep these accounts' balances instead of those that are kept of them."""
    con.execute(query(forget), {"clock": clock, **parameters})
    account, balance = holdings.rows()
    con.register("incoming", pa.table({"account": account, "balance": balance}))
    con.execute(query("keep_holdings"), {"clock": clock})
    con.unregister("incoming")


def _retried(work: Callable[[int], Result]) -> Result:
    """With as many parts of the accounts as fit into memory one by one."""
    parts = 1
    while True:
        try:
            return work(parts)
        except FullError:
            parts *= 2


def _until(store: Store, clock: Clock) -> int:
    """How many of the ledger's first blocks are those of kept days."""
    return next((int(row["blocks"]) for row in store.rows("kept_until") if row["clock"] == clock), 0)


def _cut_before(blocks: Blocks, most: int) -> int:
    """The largest number of first blocks up to `most` whose days are complete and no later block's."""
    return max((cut for cut in cuts(blocks) if cut <= most and cut < len(blocks.day)), default=0)


def _day_count(blocks: Blocks, first: int) -> int:
    """Days from the ledger's first to the last one of its `first` first blocks."""
    return int(blocks.day[:first].max()) + 1 if first else 0


def _last_cut(blocks: Blocks) -> int:
    return max(cuts(blocks), default=0)


def _start(blocks: Blocks, part: Range) -> int:
    """Number of a range's first block."""
    return int(np.searchsorted(blocks.columns["first_tx"], part.first_tx))


def _end(blocks: Blocks, part: Range) -> int:
    """Number of the block behind a range."""
    return int(np.searchsorted(blocks.columns["first_tx"], part.last_tx, side="right"))


def _workers(store: Store) -> int:
    return min(_WORKERS, store.threads)


def _range_bytes(store: Store, memory: int) -> int:
    """Bytes of blocks that a range may have, when twice as many as there are workers are in memory."""
    return min(RANGE_BYTES, int(memory / _RANGE_SHARE / (2 * _workers(store)) / _BYTES_PER_BLOCK_BYTE))


def _spans(blocks: Blocks, ranges: Iterable[Range]) -> Iterator[list[Range]]:
    """Ranges after which the state is saved."""
    size = np.concatenate([[0], np.cumsum(blocks.columns["size"])])
    span: list[Range] = []
    for part in ranges:
        span.append(part)
        if size[_end(blocks, part)] - size[_start(blocks, span[0])] > _SPAN_BYTES:
            yield span
            span = []
    if span:
        yield span


def _kept(store: Store, clock: Clock, blocks: Blocks, until: int) -> list[DayFigures]:
    """The kept days of the ledger's first `until` blocks, every day from its first on."""
    end = blocks.first_day + timedelta(_day_count(blocks, until))
    found = store.rows("kept_days", clock=clock, end=end)
    return [DayFigures(number, *(int(row[name]) for name in KEPT)) for number, row in enumerate(found)]


def _kept_whole(store: Store, clock: Clock, blocks: Blocks, until: int) -> list[DayFigures]:
    """`_kept`, every day once. Raises ValueError on days lost or doubled, as only damage makes them."""
    kept = _kept(store, clock, blocks, until)
    if len(kept) != (count := _day_count(blocks, until)):
        raise ValueError(f"{len(kept)} days kept, expected {count}")
    return kept


def _every_day(found: list[DayFigures], kept: list[DayFigures], day_count: int) -> list[DayFigures]:
    """The days after the kept ones, those without a transaction too; `holders` with those of the last kept day."""
    base = kept[-1].holders if kept else 0
    of_day = {day.day: day for day in found}
    days: list[DayFigures] = []
    change = 0
    for number in range(len(kept), day_count):
        day = of_day.get(number, _IDLE._replace(day=number, holders=change))
        change = day.holders
        days.append(day._replace(holders=base + change))
    return days


def _insert_days(con: DuckDBPyConnection, clock: Clock, blocks: Blocks, days: list[DayFigures]) -> None:
    columns = {name: [getattr(day, name) for day in days] for name in KEPT}
    table = pa.table({"day": [blocks.first_day + timedelta(day.day) for day in days], **columns})
    con.register("incoming", table)
    con.execute(query("keep_days"), {"clock": clock})
    con.unregister("incoming")


def _take_back(con: DuckDBPyConnection, clock: Clock, blocks: Blocks, until: int, cut: int) -> None:
    """From what is kept of the first `until` blocks to what is kept of the first `cut`."""
    first_tx, tx_count = blocks.columns["first_tx"], blocks.columns["tx_count"]
    span = {"first": int(first_tx[cut]), "last": int(first_tx[until - 1] + tx_count[until - 1]) - 1}
    before = con.sql(query("changed_holdings"), params={"clock": clock, **span}).to_arrow_table()
    con.register("wanted", before)
    con.execute(query("forget_holdings_among"), {"clock": clock})
    con.unregister("wanted")
    con.register("incoming", before.filter(pc.not_equal(before["balance"], 0)))
    con.execute(query("keep_holdings"), {"clock": clock})
    con.unregister("incoming")
    end = blocks.first_day + timedelta(_day_count(blocks, cut))
    con.execute(query("forget_days"), {"clock": clock, "end": end})
    con.execute(query("keep_until"), {"clock": clock, "blocks": cut})


class _Transaction:
    """Commits at the end, rolls back on any exception."""

    def __init__(self, con: DuckDBPyConnection) -> None:
        self._con = con

    def __enter__(self) -> None:
        self._con.begin()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._con.commit()
        else:
            self._con.rollback()
