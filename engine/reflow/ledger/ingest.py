"""From a source of blocks to the ledger: go on from the tip, roll back after a reorg, commit as it goes.

Three things run at once: reading, decoding (threads of its own, without the GIL), and appending. Batches enter the
ledger in chain order whatever order they are decoded in, so the rows never depend on threads or sizes.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, NamedTuple

from reflow.blocks.decode import DecodedBatch, decode_sound
from reflow.blocks.source import Behind, BlockSource, RawBatch
from reflow.clock import CLOCKS, Clock
from reflow.errors import BadBlockError, ChainMovedError, LedgerError, ReflowError, SourceError
from reflow.ledger.kept_days import keep_days, kept_clocks
from reflow.ledger.ledger import Ledger, Tip, is_there, memory_bytes
from reflow.ledger.rows import Assembler, LedgerRows, concat
from reflow.ledger.scan_state import load_scan, save_scan
from reflow.network import Network
from reflow.progress import Progress, silent
from reflow.store.resources import database_bytes, in_order

DEFAULT_MEMORY: Final = "2GB"
"""The memory of an ingest, by default."""

BATCH_BYTES: Final = 16 << 20
"""Bytes of blocks that are decoded at once, where memory allows."""


class Portions(NamedTuple):
    """How an ingest uses its memory; none of this changes the ledger's content."""

    batch_bytes: int
    """Bytes of blocks that are decoded at once."""
    commit_bytes: int
    """Bytes of blocks and undo data that enter the ledger in one transaction."""
    other_bytes: int
    """What Python, the rev files in memory and the batches under way take at most, as measured: not DuckDB's."""


_LARGE: Final = Portions(BATCH_BYTES, 256 << 20, 800_000_000)
_SMALL: Final = Portions(4 << 20, 64 << 20, 550_000_000)
_ROOMY: Final = 1_200_000_000
"""Memory from which on large portions leave DuckDB enough."""


_CHAIN_MOVES: Final = 20
"""Changes of a node's chain that one ingest follows while it reads."""


class IngestProgress(NamedTuple):
    """Where an ingest is; given to the `progress` callback now and then."""

    stage: str
    """`scan` (looking through the files), `blocks`, or `days` (computing the figures of complete days)."""
    done: int
    """Files scanned, blocks appended or on their way, or days done."""
    total: int
    """Files, blocks or days, in all."""
    height: int
    """Height of the last block."""
    day: date | None
    """Its day by header time, None before the first block."""
    byte_count: int
    """Bytes of blocks and undo data so far."""
    seconds: float
    """Since the ingest began."""


class IngestResult(NamedTuple):
    """What an ingest did."""

    network: str
    blocks: int
    """Blocks appended."""
    transactions: int
    """Transactions appended, coinbases included."""
    rolled_back: int
    """Blocks removed because of a reorg, before the others were appended."""
    days_kept: int
    """Days whose figures were computed and kept (see `reflow.ledger.kept_days`)."""
    height: int
    """Height of the ledger's tip, 0 while it is empty."""
    tip_hash: str
    """Hash of the tip as explorers print it."""
    byte_count: int
    """Bytes of blocks and undo data read."""
    seconds: float
    behind: Behind | None
    """Blocks with more work that the node has not connected (yet): the ledger ends before them, as the node does."""
    warnings: list[str]
    """What a person should know about the source."""


def ingest(
    ledger: str | Path,
    source: BlockSource,
    *,
    to_height: int | None = None,
    progress: Callable[[IngestProgress], None] | None = None,
    memory: str | None = None,
    threads: int | None = None,
    batch_bytes: int | None = None,
    commit_bytes: int | None = None,
) -> IngestResult:
    """Bring the ledger file up to the source's best chain, or to `to_height` if that is lower.

    Makes the ledger if there is none. Interrupted anywhere, the next call goes on from what was committed. `memory`
    ("2GB") is for the whole process, which needs some 700 MB; DuckDB gets what the batches leave. `threads` limits
    decoding and DuckDB. Results depend on neither, nor on the sizes.
    Raises SourceError, BadBlockError, LedgerError; blocks before a bad one are in the ledger then, whole.
    """
    path = Path(ledger)
    existed = is_there(path)
    database, portions = _share(memory or DEFAULT_MEMORY)
    run = _Ingest(
        source,
        progress,
        threads or 2,
        batch_bytes or portions.batch_bytes,
        commit_bytes or portions.commit_bytes,
    )
    try:
        if not existed:
            run.survey(None)
        ledger_of_run = Ledger.open(path, source.network, memory=database, threads=threads)
        with ledger_of_run as opened, opened.working("ingest"):
            return run.into(opened, to_height)
    except BaseException:
        if not existed:
            _discard_empty(path, source.network)
        raise


def _share(memory: str) -> tuple[str, Portions]:
    """DuckDB's part of the memory, and the portions that fit into the rest."""
    total = memory_bytes(memory)
    portions = _LARGE if total >= _ROOMY else _SMALL
    return f"{database_bytes(total, portions.other_bytes)} bytes", portions


class _Ingest:
    """One run: the source, the pace, and the counts so far."""

    def __init__(
        self,
        source: BlockSource,
        progress: Callable[[IngestProgress], None] | None,
        threads: int,
        batch_bytes: int,
        commit_bytes: int,
    ) -> None:
        self._source = source
        self._progress = progress
        self._threads = threads
        self._batch_bytes = batch_bytes
        self._commit_bytes = commit_bytes
        self._began = time.monotonic()
        self._surveyed = False
        self._unreadable: ReflowError | None = None
        self._blocks = self._transactions = self._bytes = self._days_kept = self._rolled_back = 0

    def survey(self, ledger: Ledger | None) -> None:
        """Have the source see what blocks there are, with what the ledger remembers of it."""
        if not self._surveyed:
            self._source.resume(load_scan(ledger) if ledger else None, self._report_scan)
            self._surveyed = True

    def into(self, ledger: Ledger, to_height: int | None) -> IngestResult:
        """Append what is new to an open ledger."""
        self.survey(ledger)
        try:
            self._follow(ledger, to_height)
        except (BadBlockError, SourceError):
            self._keep_days(ledger)  # of what lies before the fault
            raise
        self._keep_days(ledger)
        tip = ledger.tip() or Tip(0, ledger.network.genesis_hash, 0)
        return IngestResult(
            network=ledger.network.name,
            blocks=self._blocks,
            transactions=self._transactions,
            rolled_back=self._rolled_back,
            days_kept=self._days_kept,
            height=tip.height,
            tip_hash=tip.hash.hex(),
            byte_count=self._bytes,
            seconds=time.monotonic() - self._began,
            behind=self._source.end().behind,
            warnings=self._source.warnings,
        )

    def _follow(self, ledger: Ledger, to_height: int | None) -> None:
        """Bring the blocks up to the source's chain; once more if that has changed meanwhile."""
        for left in range(_CHAIN_MOVES, -1, -1):
            tip = ledger.tip() or Tip(0, ledger.network.genesis_hash, 0)
            try:
                fork = self._source.locate(tip.height, ledger.block_hash)
                if (state := self._source.state()) is not None:
                    save_scan(ledger, state)
                if fork < tip.height:
                    self._rolled_back += ledger.roll_back(fork)
                end = self._source.end().height
                last = end if to_height is None else min(end, to_height)
                if last > fork:
                    self._append(ledger, fork + 1, last)
            except ChainMovedError:
                if not left:
                    raise
            else:
                return

    def _append(self, ledger: Ledger, first: int, last: int) -> None:
        assembler = Assembler(ledger.past())
        self._unreadable = None

        def decoded(raw: RawBatch) -> tuple[DecodedBatch | None, BadBlockError | None]:
            return decode_sound(raw, ledger.network)

        def add(batch: DecodedBatch) -> None:
            try:
                rows = assembler.rows(batch)
            except BadBlockError as error:
                if error.block:  # what lies before the bad block is sound
                    add(batch.first(error.block))
                raise
            appender.add(rows, batch.byte_count)
            self._count(batch, last - first + 1)

        batches = in_order(decoded, self._read(first, last), self._threads, self._threads + 2)
        with closing(batches), _Appender(ledger, self._commit_bytes) as appender:
            for batch, fault in batches:
                if batch is not None:
                    add(batch)
                if fault is not None:
                    raise fault
        if self._unreadable is not None:
            raise self._unreadable

    def _keep_days(self, ledger: Ledger) -> None:
        """Keep the figures of the days that are complete now; of the header clock if they were asked for before."""
        clocks = dict.fromkeys([*kept_clocks(ledger.con), CLOCKS[0]])
        for clock in clocks:
            self._days_kept += keep_days(ledger.con, clock, progress=self._report_days)

    def _report_days(self, stage: str, done: int, total: int) -> None:
        if self._progress:
            seconds = time.monotonic() - self._began
            self._progress(IngestProgress(stage, done, total, 0, None, self._bytes, seconds))

    def _read(self, first: int, last: int) -> Iterator[RawBatch]:
        """The source's batches; a fault in reading ends them and is kept until what was read before is committed."""
        try:
            yield from self._source.read(first, last, self._batch_bytes)
        except ReflowError as error:
            self._unreadable = error

    def _count(self, batch: DecodedBatch, total: int) -> None:
        self._blocks += len(batch.times)
        self._transactions += len(batch.txids)
        self._bytes += batch.byte_count
        if self._progress:
            height = batch.first_height + len(batch.times) - 1
            day = datetime.fromtimestamp(int(batch.times[-1]), UTC).date()
            self._progress(
                IngestProgress("blocks", self._blocks, total, height, day, self._bytes, self._elapsed())
            )

    def _report_scan(self, done: int, total: int) -> None:
        if self._progress:
            self._progress(IngestProgress("scan", done, total, 0, None, 0, self._elapsed()))

    def _elapsed(self) -> float:
        return time.monotonic() - self._began


class _Appender:
    """Collects rows and appends them in the background, one transaction at a time.

    What was added is committed at the end, after a fault in reading or decoding too: all before the fault is sound.
    """

    def __init__(self, ledger: Ledger, commit_bytes: int) -> None:
        self._ledger = ledger
        self._commit_bytes = commit_bytes
        self._executor = ThreadPoolExecutor(1)
        self._running: Future[None] | None = None
        self._parts: list[LedgerRows] = []
        self._bytes = 0

    def add(self, rows: LedgerRows, byte_count: int) -> None:
        self._parts.append(rows)
        self._bytes += byte_count
        if self._bytes >= self._commit_bytes:
            self._flush()

    def _flush(self) -> None:
        self._wait()
        if self._parts:
            self._running = self._executor.submit(self._ledger.append, concat(self._parts))
            self._parts, self._bytes = [], 0

    def _wait(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def __enter__(self) -> "_Appender":
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        try:
            if kind is None or not issubclass(kind, LedgerError):
                self._flush()
            self._wait()
        finally:
            self._executor.shutdown()


def _discard_empty(path: Path, network: Network) -> None:
    """Take away a ledger that a failed first ingest left without a block."""
    if not path.exists():
        return
    try:
        with Ledger.open(path, network) as ledger:
            empty = ledger.tip() is None
    except LedgerError:
        return
    if empty:
        with suppress(OSError):
            path.unlink()
            path.with_name(path.name + ".wal").unlink(missing_ok=True)


def keep_clocks(
    path: Path,
    clocks: Iterable[Clock],
    *,
    memory: str | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> None:
    """Keep the days under those of `clocks` that the ledger does not keep yet; an ingest goes on with them.

    A ledger that cannot be written to (open elsewhere, no right to, no room on the disk) is left as it is: whoever
    needs the figures computes them, every time.
    """
    try:
        with Ledger.open(path, read_only=True) as ledger, ledger.working("read the days that are kept"):
            missing = [clock for clock in dict.fromkeys(clocks) if clock not in kept_clocks(ledger.con)]
        if missing:
            with Ledger.open(path, memory=memory, threads=threads) as ledger:
                _keep_each(ledger, missing, progress)
    except LedgerError:
        return


def _keep_each(ledger: Ledger, clocks: Iterable[Clock], progress: Progress) -> None:
    with ledger.working("keep the figures of days"):
        for clock in clocks:
            keep_days(ledger.con, clock, progress=progress)
