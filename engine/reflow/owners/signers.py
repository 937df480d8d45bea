"""Who signs together with whom: one pass over the ledger, before the rounds of the closure.

Transactions with two input accounts or more are numbered in chain order, their input accounts in order of account. Two
lists of lists then answer both questions of a round: which of these transactions an account signs, and who signs a
transaction. They are arrays in memory, or in files where they would not fit.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reflow.owners import kernels as kernels
from reflow.owners.kernels import Bools, Longs, Numbers
from reflow.progress import Progress
from reflow.store.relations import COMMON_INPUT, NUMBERED_INPUT
from reflow.store.resources import Arrays
from reflow.store.store import Store

SPAN_BYTES: Final = 100_000_000
"""Blocks of that many bytes have about a million debits and credits, which lie in memory."""

BYTES_PER_DEBIT: Final = 64
"""Memory for each debit while the lists are made, at most; kept are about 30 bytes for each that is in them."""

_WORKERS: Final = 4


class CommonInputs(NamedTuple):
    """Transactions with several input accounts, and these accounts; both have numbers from 0."""

    account: Longs
    """Of each account number, rising."""
    first_transaction: Longs
    """Where the account's transactions begin in `transaction`; one more than there are accounts."""
    transaction: Numbers
    """Transaction numbers."""
    tx: Longs
    """Of each transaction number, rising."""
    first_signer: Longs
    """Where the transaction's accounts begin in `signer`; one more than there are transactions."""
    signer: Numbers
    """Account numbers."""
    coinjoin: Bools
    """Whether each transaction is CoinJoin-like (methodology 3)."""
    arrays: Arrays
    """Whose memory the columns are."""


class _Span(NamedTuple):
    """What some blocks add; `signers` is how many accounts sign each transaction."""

    account: Longs
    tx: Longs
    signers: Longs
    coinjoin: Bools


def find_common_inputs(store: Store, memory: int, progress: Progress) -> CommonInputs:
    """Read all transactions of the ledger in about `memory` bytes.

    If that is not enough, DuckDB sorts (on disk, beyond its own limit) and the result lies in nameless files in its
    temporary folder. Raises OutputError if there is no room for them.
    """
    [counts] = store.rows("input_counts")
    if counts["inputs"] * BYTES_PER_DEBIT <= memory:
        return _in_memory(list(_spans(store, progress)))
    return _in_files(store, counts["inputs"], counts["transactions"], progress)


def _spans(store: Store, progress: Progress) -> Iterator[_Span]:
    spans = [(row["first"], row["last"]) for row in store.rows("block_spans", bytes=SPAN_BYTES)]
    workers = min(_WORKERS, store.threads)
    for done, found in enumerate(store.over_ranges(_read, spans, workers), start=1):
        yield found
        progress("common inputs", done, len(spans))


def _read(store: Store, span: tuple[int, int]) -> _Span:
    first, last = span
    tx, account = _in_chain_order(store.columns("debit_accounts", first=first, last=last))
    signers = np.zeros(last - first + 1, np.int64)
    size = kernels.distinct_inputs(tx, account, first, signers)
    values = store.columns("credit_values", first=first, last=last)
    mixes = kernels.are_coinjoins(*_in_chain_order(values), first, signers)
    several = np.flatnonzero(signers)
    return _Span(account[:size].copy(), several + first, signers[several], mixes[several])


def _in_chain_order(columns: dict[str, NDArray[Any]]) -> tuple[Longs, Longs]:
    """Two columns, tx first; they are in order already, unless the ledger's rows came in another one."""
    tx, other = columns.values()
    if np.all(tx[1:] >= tx[:-1]):
        return tx, other
    order = np.argsort(tx, kind="stable")
    return tx[order], other[order]


def _in_memory(spans: list[_Span]) -> CommonInputs:
    account, tx, signers, coinjoin = (_joined(column) for column in zip(*spans, strict=True))
    transaction = np.repeat(np.arange(len(tx), dtype=np.uint32), signers)
    order = np.argsort(account)
    account = account[order]
    starts = np.flatnonzero(np.concatenate([[True], account[1:] != account[:-1]])[: len(account)])
    signer = np.empty(len(account), np.uint32)
    signer[order] = np.repeat(
        np.arange(len(starts), dtype=np.uint32), np.diff(np.append(starts, len(account)))
    )
    return CommonInputs(
        account=account[starts],
        first_transaction=np.append(starts, len(account)),
        transaction=transaction[order],
        tx=tx,
        first_signer=np.concatenate([[0], np.cumsum(signers)]),
        signer=signer,
        coinjoin=coinjoin,
        arrays=Arrays(None),
    )


def _joined(parts: tuple[NDArray[Any], ...]) -> NDArray[Any]:
    return np.concatenate(parts)


def _in_files(store: Store, debits: int, transactions: int, progress: Progress) -> CommonInputs:
    """The same as `_in_memory`, a batch at a time."""
    arrays = store.spill()
    lists = CommonInputs(
        account=arrays.make(debits, "i8"),
        first_transaction=arrays.make(debits + 1, "i8"),
        transaction=arrays.make(debits, "u4"),
        tx=arrays.make(transactions, "i8"),
        first_signer=arrays.make(transactions + 1, "i8"),
        signer=arrays.make(debits, "u4"),
        coinjoin=arrays.make(transactions, "?"),
        arrays=arrays,
    )
    inputs, found = _fill_in_chain_order(store, lists, progress)
    accounts = _fill_by_account(store, lists, arrays, inputs)
    return lists._replace(
        account=lists.account[:accounts],
        first_transaction=lists.first_transaction[: accounts + 1],
        transaction=lists.transaction[:inputs],
        tx=lists.tx[:found],
        first_signer=lists.first_signer[: found + 1],
        signer=lists.signer[:inputs],
        coinjoin=lists.coinjoin[:found],
    )


def _fill_in_chain_order(store: Store, lists: CommonInputs, progress: Progress) -> tuple[int, int]:
    """Fill all that comes in chain order, and the relation `common_input`; gives how many inputs and transactions."""
    store.empty(COMMON_INPUT)
    inputs = found = 0
    for span in _spans(store, progress):
        at = slice(found, found + len(span.tx))
        lists.tx[at], lists.coinjoin[at] = span.tx, span.coinjoin
        lists.first_signer[at.start + 1 : at.stop + 1] = inputs + np.cumsum(span.signers)
        rows = {
            "account": span.account,
            "transaction": np.repeat(np.arange(at.start, at.stop), span.signers),
            "place": np.arange(inputs, inputs + len(span.account)),
        }
        store.add(COMMON_INPUT, pa.table(rows))
        inputs, found = inputs + len(span.account), at.stop
        lists.arrays.release()
    return inputs, found


def _fill_by_account(store: Store, lists: CommonInputs, arrays: Arrays, inputs: int) -> int:
    """Fill all that comes in order of account, then the account numbers of the signers; gives how many accounts."""
    place, number = arrays.make(inputs, "i8"), arrays.make(inputs, "u4")
    accounts = done = 0
    for account, transaction, at in store.batches("inputs_by_account"):
        here = slice(done, done + len(account))
        lists.transaction[here], place[here] = transaction, at
        previous = lists.account[accounts - 1 : accounts] if accounts else account[:1] - 1
        is_new = np.diff(account, prepend=previous) != 0
        starts = np.flatnonzero(is_new)
        lists.account[accounts : accounts + len(starts)] = account[starts]
        lists.first_transaction[accounts : accounts + len(starts)] = done + starts
        number[here] = accounts - 1 + np.cumsum(is_new)
        accounts, done = accounts + len(starts), here.stop
        arrays.release()
    lists.first_transaction[accounts] = done
    store.drop(COMMON_INPUT)
    done = 0
    with store.lend(NUMBERED_INPUT, pa.table({"place": place, "number": number})):
        for (found,) in store.batches("accounts_by_input"):
            lists.signer[done : done + len(found)] = found
            done += len(found)
            arrays.release()
    return accounts
