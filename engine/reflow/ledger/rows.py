"""What a run of consecutive blocks adds to the ledger: one Arrow table for each ledger table."""

from typing import Final, NamedTuple

import pyarrow as pa


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
