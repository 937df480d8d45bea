"""Decoded batches, one after the other, to ledger rows: what depends on the blocks before comes in here."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reflow.blocks import kernels
from reflow.blocks.clock import DAY_SECONDS, SPAN, mediantimes
from reflow.blocks.decode import DecodedBatch
from reflow.errors import BadBlockError
from reflow.ledger.fingerprint import header_prints
from reflow.ledger.ledger import Tip
from reflow.ledger.rows import SCHEMAS, LedgerRows


class Assembler:
    """Numbers transactions and computes mediantimes along the chain, from a ledger's tip on."""

    def __init__(self, tip: Tip, recent_times: Sequence[int]) -> None:
        """`recent_times`: header times of the last up to ten blocks, genesis included (seconds since 1970 UTC)."""
        self._tip = tip
        self._recent = list(recent_times)

    def rows(self, batch: DecodedBatch) -> LedgerRows:
        """Ledger rows of the batch that follows. Raises BadBlockError where a previous hash is not the hash before."""
        self._check_links(batch)
        base = self._tip.next_tx
        mediantime = mediantimes(self._recent, batch.times)
        heights = np.arange(batch.first_height, batch.first_height + len(batch.times), dtype=np.int32)
        tx_counts = np.diff(batch.first_tx).astype(np.int32)
        self._recent = [*self._recent, *batch.times[-(SPAN - 1) :].tolist()][-(SPAN - 1) :]
        self._tip = Tip(int(heights[-1]), batch.hashes[-1].tobytes(), base + int(batch.first_tx[-1]))
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

    def _check_links(self, batch: DecodedBatch) -> None:
        hashes = [self._tip.hash, *(row.tobytes() for row in batch.hashes)]
        for index, prev_hash in enumerate(batch.prev_hashes):
            if prev_hash.tobytes() != hashes[index]:
                raise BadBlockError(
                    f"block {hashes[index + 1].hex()} at height {batch.first_height + index}: previous hash "
                    f"{prev_hash.tobytes().hex()}, expected {hashes[index].hex()}"
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
