"""From decoded batches of consecutive blocks to rows of the ledger.

Everything that depends on earlier blocks is added here: transaction numbers and the block clock (methodology 1). So are
the rules of consensus that need earlier blocks, and no coin of them (docs/trust.md has all that are checked).
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from reflow.blocks import kernels
from reflow.blocks.decode import DecodedBatch
from reflow.blocks.kernels import mix
from reflow.errors import BadBlockError
from reflow.network import PERIOD, Network, retarget, time_fault

SPAN: Final = 11
"""Header times of which the median is taken: a block's and those of its up to ten predecessors."""

DAY_SECONDS: Final = 86_400

_PLACE: Final = -4
"""Where the header's part of a fingerprint stands: transactions have the places from 0 on."""


class LedgerRows(NamedTuple):
    """Rows of consecutive blocks, in chain order; columns and units are those of queries/schema.sql."""

    block: pa.Table
    tx: pa.Table
    debit: pa.Table
    credit: pa.Table
    coinbase: pa.Table
    script: pa.Table


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()])


SCHEMAS: Final = LedgerRows(
    block=_schema(
        height=pa.int32(),
        hash=pa.binary(32),
        prev_hash=pa.binary(32),
        time=pa.int64(),
        mediantime=pa.int64(),
        day=pa.date32(),
        size=pa.int32(),
        tx_count=pa.int32(),
        first_tx=pa.int64(),
        fees=pa.int64(),
        issuance=pa.int64(),
        transfer_count=pa.int64(),
        transfer_value=pa.int64(),
        digest=pa.int64(),
    ),
    tx=_schema(tx=pa.int64(), height=pa.int32(), txid=pa.binary(32)),
    debit=_schema(tx=pa.int64(), account=pa.int64(), value=pa.int64()),
    credit=_schema(tx=pa.int64(), account=pa.int64(), value=pa.int64()),
    coinbase=_schema(height=pa.int32(), script_sig=pa.binary()),
    script=_schema(account=pa.int64(), script=pa.binary(), tx=pa.int64()),
)
"""The Arrow schema of each table, column for column as in queries/schema.sql."""


class Tip(NamedTuple):
    """The last block of a ledger."""

    height: int
    hash: bytes
    """In display order."""
    next_tx: int
    """The `tx` that the next block's coinbase gets."""


class Past(NamedTuple):
    """The chain up to a block."""

    network: Network
    tip: Tip
    times: tuple[int, ...]
    """Header times of the last up to eleven blocks, genesis included (seconds since 1970 UTC)."""
    supply: int
    """Sat that the coinbases have issued: there cannot be more to be spent."""
    bits: int
    """The compact target of the next block, on a network where it follows from header times."""
    period_start: int
    """Header time of the first block of the period of 2016 blocks that the tip is in."""

    @classmethod
    def genesis(cls, network: Network) -> Self:
        """Before any block of a ledger."""
        tip, time = Tip(0, network.genesis_hash, 0), network.genesis_time
        return cls(network, tip, (time,), 0, network.pow_limit, time)

    def at_period(self, height: int, time: int) -> Self:
        """With the target that follows from the header time of the first or last block of a period."""
        if height % PERIOD == 0:
            return self._replace(period_start=time)
        if height % PERIOD == PERIOD - 1:
            return self._replace(bits=retarget(self.bits, time - self.period_start, self.network))
        return self

    def after(self, batch: DecodedBatch) -> Self:
        """After the blocks of a batch. Raises BadBlockError at the first that breaks a rule."""
        past = self
        for block in range(len(batch.times)):
            if fault := past._fault(batch, block):
                height = batch.first_height + block
                text = f"{batch.place(block)}: block {batch.hashes[block].tobytes().hex()} at height {height}: {fault}"
                raise BadBlockError(text, block)
            past = past._with(batch, block)
        return past

    def _fault(self, batch: DecodedBatch, block: int) -> str | None:
        """What is wrong with a block on top of these, or None."""
        prev_hash, drawn = batch.prev_hashes[block].tobytes(), int(batch.sums[block, kernels.LARGEST_DRAWN])
        fees, issuance = batch.sums[block, [kernels.FEES, kernels.ISSUANCE]].tolist()
        if prev_hash != self.tip.hash:
            return f"previous hash {prev_hash.hex()}, expected {self.tip.hash.hex()}"
        if fault := time_fault(int(batch.times[block]), self.times):
            return fault
        if self.network.retargets and batch.bits[block] != self.bits:
            return (
                f"bits {int(batch.bits[block]):08x}, expected {self.bits:08x}, which follow from header times"
            )
        if drawn > self.supply:
            return f"a transaction spends {drawn} sat, but only {self.supply} were issued before"
        if self.supply + issuance < 0:
            return f"fees of {fees} sat, more than the {self.supply} that were issued before and what its coinbase pays"
        return None

    def _with(self, batch: DecodedBatch, block: int) -> Self:
        height, time = batch.first_height + block, int(batch.times[block])
        tx_count = int(batch.first_tx[block + 1] - batch.first_tx[block])
        past = self._replace(
            tip=Tip(height, batch.hashes[block].tobytes(), self.tip.next_tx + tx_count),
            times=(*self.times, time)[-SPAN:],
            supply=self.supply + int(batch.sums[block, kernels.ISSUANCE]),
        )
        return past.at_period(height, time)


class Assembler:
    """Numbers transactions and computes mediantimes along the chain, from a ledger's tip on."""

    def __init__(self, past: Past) -> None:
        """`past` is what stands in the ledger already."""
        self._past = past

    def rows(self, batch: DecodedBatch) -> LedgerRows:
        """Ledger rows of the batch that follows. Raises BadBlockError where a block breaks a rule; see `Past`."""
        after = self._past.after(batch)
        base = self._past.tip.next_tx
        mediantime = mediantimes(self._past.times, batch.times)
        self._past = after
        heights = np.arange(batch.first_height, batch.first_height + len(batch.times), dtype=np.int32)
        tx_counts = np.diff(batch.first_tx).astype(np.int32)
        return LedgerRows(
            block=pa.table(
                {
                    "height": heights,
                    "hash": _hashes(batch.hashes),
                    "prev_hash": _hashes(batch.prev_hashes),
                    "time": batch.times,
                    "mediantime": mediantime,
                    "day": pa.array((mediantime // DAY_SECONDS).astype(np.int32)).cast(pa.date32()),
                    "size": batch.sizes.astype(np.int32),
                    "tx_count": tx_counts,
                    "first_tx": batch.first_tx[:-1] + base,
                    "fees": _sum(batch, kernels.FEES),
                    "issuance": _sum(batch, kernels.ISSUANCE),
                    "transfer_count": _sum(batch, kernels.TRANSFER_COUNT),
                    "transfer_value": _sum(batch, kernels.TRANSFER_VALUE),
                    "digest": _sum(batch, kernels.DIGEST)
                    + header_prints(batch.hashes, batch.times, batch.sizes, batch.script_sigs),
                },
                schema=SCHEMAS.block,
            ),
            tx=pa.table(
                {
                    "tx": np.arange(base, base + len(batch.txids)),
                    "height": np.repeat(heights, tx_counts),
                    "txid": _hashes(batch.txids),
                },
                schema=SCHEMAS.tx,
            ),
            debit=_postings(batch.debit_tx + base, batch.debit_account, batch.debit_value),
            credit=_postings(batch.credit_tx + base, batch.credit_account, batch.credit_value),
            coinbase=pa.table({"height": heights, "script_sig": batch.script_sigs}, schema=SCHEMAS.coinbase),
            script=pa.table(
                {
                    "account": batch.payee_account,
                    "script": batch.payee_scripts,
                    "tx": batch.payee_tx + base,
                },
                schema=SCHEMAS.script,
            ),
        )


def concat(parts: Sequence[LedgerRows]) -> LedgerRows:
    """The rows of several consecutive batches as one, without copying them."""
    return LedgerRows(*(pa.concat_tables(tables) for tables in zip(*parts, strict=True)))


def _sum(batch: DecodedBatch, column: int) -> NDArray[np.int64]:
    return np.ascontiguousarray(batch.sums[:, column])


def _hashes(rows: NDArray[np.uint8]) -> pa.Array:
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(rows), [None, pa.py_buffer(rows)])


def _postings(tx: NDArray[np.int64], account: NDArray[np.int64], value: NDArray[np.int64]) -> pa.Table:
    return pa.table({"tx": tx, "account": account, "value": value}, schema=SCHEMAS.debit)


def mediantimes(predecessors: Sequence[int], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Mediantime of consecutive blocks, seconds since 1970 UTC.

    `times` are their header times, `predecessors` those of the up to ten blocks before them (genesis included). Of n
    sorted values the one with index n // 2 counts, as in Bitcoin Core's `GetMedianTimePast`.
    """
    before = list(predecessors)[-(SPAN - 1) :]
    known = np.concatenate([np.array(before, np.int64), times])
    result = np.empty(len(times), np.int64)
    short = min(SPAN - 1 - len(before), len(times))
    for k in range(short):
        window = np.sort(known[: len(before) + k + 1])
        result[k] = window[len(window) // 2]
    if short < len(times):
        windows = np.lib.stride_tricks.sliding_window_view(known, SPAN)
        result[short:] = np.sort(windows, axis=1)[:, SPAN // 2]
    return result


def header_prints(
    hashes: NDArray[np.uint8],
    times: NDArray[np.int64],
    sizes: NDArray[np.int64],
    script_sigs: Iterable[bytes],
) -> NDArray[np.int64]:
    """The part of each block's fingerprint that is not in its transactions.

    `hashes` is (blocks, 32) in display order, times in seconds, sizes in bytes. Added to what the decoding kernel sums
    over the rows of `tx`, `debit` and `credit`, it makes `block.digest`: no column of the ledger is left that neither
    the digest covers nor another column decides.
    """
    sigs = b"".join(hashlib.sha256(script_sig).digest()[:16] for script_sig in script_sigs)
    prints = np.empty(len(times), np.int64)
    _header_prints(
        np.frombuffer(bytearray(hashes.tobytes()), "<i8").reshape(-1, 4),
        np.array(times, np.int64),
        np.array(sizes, np.int64),
        np.frombuffer(bytearray(sigs), "<i8").reshape(-1, 2),
        prints,
    )
    return prints


@njit(nogil=True, cache=True)
def _header_prints(hashes: Any, times: Any, sizes: Any, sigs: Any, prints: Any) -> None:
    for b in range(len(times)):
        prints[b] = np.int64(
            mix(hashes[b, 0], hashes[b, 1], _PLACE)
            + mix(hashes[b, 2], hashes[b, 3], _PLACE + 1)
            + mix(times[b], sizes[b], _PLACE + 2)
            + mix(sigs[b, 0], sigs[b, 1], _PLACE + 3)
        )
