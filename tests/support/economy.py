"""A small economy written down as Python transactions, and the ledger that it makes.

Everything that ingest derives from blocks is derived here again the slow way, so that no test leans on the
decoder.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from reflow.amounts import VALUE_SCALE, VALUES_PER_SAT
from reflow.flows.recompute import Recomputation
from reflow.ledger.ledger import Ledger
from reflow.ledger.rows import SCHEMAS, LedgerRows
from reflow.network import REGTEST
from reflow.owners.labels import SCHEMA, Labels

DAY = 86_400
START = 20_000 * DAY
"""Midnight of the first day of an economy, UTC seconds."""

Posting = tuple[int, int]
"""(account, sat)."""


class Transaction(NamedTuple):
    """Debits and credits; a coinbase has no debits."""

    inputs: Sequence[Posting]
    outputs: Sequence[Posting]


class Block(NamedTuple):
    """The first transaction is the coinbase."""

    time: int
    """Header time, UTC seconds."""
    transactions: Sequence[Transaction]


Economy = Sequence[Block]


def coinbase(*outputs: Posting) -> Transaction:
    return Transaction((), outputs)


def pay(inputs: Iterable[Posting], outputs: Iterable[Posting]) -> Transaction:
    return Transaction(tuple(inputs), tuple(outputs))


def on_day(number: int, *transactions: Transaction, hour: int = 1) -> Block:
    """A block of the `number`th day; without a coinbase in front it gets one that pays nothing."""
    own = bool(transactions) and not transactions[0].inputs
    return Block(START + number * DAY + hour * 3600, transactions if own else (coinbase(), *transactions))


def clock_to(number: int) -> list[Block]:
    """Eleven empty blocks: after them the median clock shows the `number`th day."""
    return [on_day(number)] * 11


def settled(*blocks: Block) -> list[Block]:
    """The blocks, then twenty empty ones much later: enough for the median clock to leave their days behind."""
    last = max((block.time for block in blocks), default=START)
    return [*blocks, *(Block(last + (n + 1) * DAY, (coinbase(),)) for n in range(20))]


def mediantime(times: Sequence[int]) -> int:
    """Median of the last eleven header times; genesis is among the predecessors (methodology 1)."""
    window = sorted(times[-11:])
    return window[len(window) // 2]


def day_of(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


def transfers(transaction: Transaction) -> list[int]:
    """Positive outputs to accounts that are not among the inputs (methodology 6)."""
    senders = {account for account, _ in transaction.inputs}
    return [sat for account, sat in transaction.outputs if sat > 0 and account not in senders]


def total(postings: Iterable[Posting]) -> int:
    return sum(sat for _, sat in postings)


def ledger_rows(economy: Economy) -> LedgerRows:
    """The rows of the ledger's tables."""
    rows: dict[str, list[dict[str, object]]] = {table: [] for table in LedgerRows._fields}
    times, tx, previous = [REGTEST.genesis_time], 0, REGTEST.genesis_hash
    for height, block in enumerate(economy, start=1):
        times.append(block.time)
        rows["block"].append(_block_row(height, block, times, tx, previous))
        previous = _hash(height)
        rows["coinbase"].append({"height": height, "script_sig": b""})
        for transaction in block.transactions:
            rows["tx"].append({"tx": tx, "height": height, "txid": _hash(1_000_000 + tx)})
            for table, postings in (("debit", transaction.inputs), ("credit", transaction.outputs)):
                rows[table] += [{"tx": tx, "account": account, "value": sat} for account, sat in postings]
            tx += 1
    return LedgerRows(**{t: pa.Table.from_pylist(rows[t], schema=getattr(SCHEMAS, t)) for t in rows})


def ledger_of(economy: Economy) -> Ledger:
    """A ledger in memory."""
    ledger = Ledger.open(None, REGTEST)
    if economy:
        ledger.append(ledger_rows(economy))
    return ledger


def labels_of(entities: Mapping[int, str], others: Mapping[int, str] | None = None) -> Labels:
    """Labels that give accounts to exchanges, and `others` to entities that are none."""
    rows = [
        {"account": account, "script": b"", "address": str(account), "entity": entity, "category": category}
        for category, owners in (("exchange", entities), ("pool", others or {}))
        for account, entity in owners.items()
    ]
    frame = pl.DataFrame(rows, schema=SCHEMA).sort("account")
    return Labels(frame, hashlib.sha256(repr(sorted(map(repr, rows))).encode()).hexdigest())


def in_sat(result: Recomputation, metric: str) -> list[int | None]:
    """The values of a metric in native units, as satoshis: nothing may be left over."""
    assert all(value is None or value % VALUES_PER_SAT == 0 for value in result.values[metric])
    return [None if value is None else value // VALUES_PER_SAT for value in result.values[metric]]


def numbers(result: Recomputation, metric: str) -> list[int | None]:
    """The values of a count."""
    assert all(value is None or value % VALUE_SCALE == 0 for value in result.values[metric])
    return [None if value is None else value // VALUE_SCALE for value in result.values[metric]]


def _hash(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def _block_row(height: int, block: Block, times: list[int], tx: int, previous: bytes) -> dict[str, object]:
    first, *rest = block.transactions
    fees = sum(total(transaction.inputs) - total(transaction.outputs) for transaction in rest)
    moved = [sat for transaction in rest for sat in transfers(transaction)]
    median = mediantime(times)
    return {
        "height": height,
        "hash": _hash(height),
        "prev_hash": previous,
        "time": block.time,
        "mediantime": median,
        "day": day_of(median),
        "size": 1000 + height,
        "tx_count": len(block.transactions),
        "first_tx": tx,
        "fees": fees,
        "issuance": total(first.outputs) - fees,
        "transfer_count": len(moved),
        "transfer_value": sum(moved),
        "digest": 0,
    }
