"""Count the rows of some blocks anew, and compare the sums with the table of blocks.

At the end, compare the kept scripts with the counted coinbases.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray

from reflow.blocks.source import bounds_of
from reflow.ledger import verify_kernels as kernels
from reflow.ledger.faults import KEPT, Fault, Faults
from reflow.ledger.rows import header_prints
from reflow.ledger.verify_blocks import Blocks, Longs, hashes, longs, read
from reflow.ledger.verify_kernels import Noted, Postings
from reflow.network import Network
from reflow.script import account_of
from reflow.store.resources import query


class Counted(NamedTuple):
    """Sums of the rows of some blocks."""

    heights: Longs
    hashes: NDArray[np.uint8]
    digests: Longs
    """The digest of each block, from its rows."""
    rows: dict[str, int]
    """Table to the number of rows that belong to these blocks."""
    issuance: int
    """Sat, by the rows."""
    payee_account: Longs
    payee_tx: Longs
    """Accounts that the coinbases pay, each with the first that does."""
    first_tx: int
    debits: Postings
    credited: Postings
    """The rows themselves; their `tx` count from first_tx."""
    faults: Faults


def count_rows(con: duckdb.DuckDBPyConnection, blocks: Blocks, network: Network, faults: Faults) -> Counted:
    """Count the rows of consecutive blocks whose transactions are numbered without a gap; faults go to `faults`."""
    first, bounds = int(blocks.first_tx[0]), bounds_of(blocks.tx_counts.tolist())
    last = first + int(bounds[-1]) - 1
    place = _Place(blocks, bounds)
    of_tx, of_debits, of_credits, of_coinbases, of_sums, of_blocks = parts = [Faults() for _ in range(6)]
    with con.cursor() as cursor:
        transactions = read(cursor, "verify_transactions", first, last)
        debits = _postings(cursor, "debit", first, last, place, of_debits)
        credited = _postings(cursor, "credit", first, last, place, of_credits)
        heights = int(blocks.height.min()), int(blocks.height.max())
        coinbases = read(cursor, "verify_coinbases", *heights)
    txids = _txids(transactions, place, of_tx)
    headers = header_prints(
        blocks.hash, blocks.time, blocks.size, _script_sigs(coinbases, blocks, of_coinbases)
    )
    sums = _sums(txids, debits, credited, place, of_sums)
    _compare(blocks, sums, headers, network, of_blocks)
    faults.extend_in_order(parts)
    payees = _payees(sums, credited)
    return Counted(
        heights=blocks.height,
        hashes=blocks.hash,
        digests=sums[:, kernels.DIGEST] + headers,
        rows={
            "tx": len(transactions),
            "debit": len(debits.tx),
            "credit": len(credited.tx),
            "coinbase": len(coinbases),
        },
        issuance=int(sums[:, kernels.CLAIMED].sum() - sums[:, kernels.FEES].sum()),
        payee_account=payees.account,
        payee_tx=payees.tx + first,
        first_tx=first,
        debits=Postings(*map(_read_only, debits)),
        credited=Postings(*map(_read_only, credited)),
        faults=faults,
    )


class _Place(NamedTuple):
    """Where transactions of a piece are."""

    blocks: Blocks
    bounds: Longs
    """Block b has the transactions bounds[b] .. bounds[b + 1] - 1, counted from the first of the piece."""

    @property
    def first(self) -> int:
        """The number in the ledger of the first transaction."""
        return int(self.blocks.first_tx[0])

    def block(self, tx: Longs) -> Longs:
        """The block of each transaction, which has that number in the ledger."""
        found: Longs = np.searchsorted(self.bounds, tx - self.first, side="right") - 1
        return found

    def height(self, tx: int) -> int:
        """Height of that block."""
        return int(self.blocks.height[self.block(np.array([tx]))[0]])


def _postings(
    con: duckdb.DuckDBPyConnection, name: str, first: int, last: int, place: _Place, faults: Faults
) -> Postings:
    """Rows of `debit` or `credit`, which have to stand in chain order."""
    table = read(con, f"{name}s", first, last)
    found = Postings(*(longs(table, column) for column in Postings._fields))
    if _check_order(f"tx of a {name}", found.tx, place, faults):
        order = np.argsort(found.tx, kind="stable")
        found = Postings(*(column[order] for column in found))
    return found._replace(tx=found.tx - first)


def _check_order(what: str, tx: Longs, place: _Place, faults: Faults) -> bool:
    """Whether numbers of transactions do not stand in order."""
    backwards = np.diff(tx) < 0
    faults.add_each(
        backwards,
        lambda row: Fault(
            f"{what} in stored order",
            int(tx[row + 1]),
            f"{int(tx[row])} or more, as in the row before",
            place.height(int(tx[row + 1])),
        ),
    )
    return bool(backwards.any())


def _txids(table: Any, place: _Place, faults: Faults) -> Longs:
    """The txids of a piece as (transactions, 4), checked to be numbered one by one, each in its block."""
    tx, height = longs(table, "tx"), longs(table, "height")
    numbers = np.arange(place.first, place.first + int(place.bounds[-1]))
    is_dense = np.array_equal(tx, numbers)
    blocks = np.repeat(np.arange(len(place.blocks.height)), np.diff(place.bounds))
    expected = place.blocks.height[blocks if is_dense else place.block(tx)]
    txids = hashes(
        table,
        "txid",
        faults,
        lambda row, size: Fault("bytes of txid", size, 32, int(expected[row]), int(tx[row])),
    )
    faults.add_each(
        height != expected,
        lambda row: Fault(
            "height in tx", int(height[row]), int(expected[row]), int(expected[row]), int(tx[row])
        ),
    )
    if is_dense:
        return np.ascontiguousarray(txids).view("<i8")
    _check_order("tx", tx, place, faults)
    count = np.bincount(tx - place.first, minlength=len(numbers))
    faults.add_each(
        count != 1,
        lambda row: Fault(
            "rows of tx", int(count[row]), 1, place.height(place.first + row), place.first + row
        ),
    )
    words = np.zeros((len(count), 4), np.int64)
    words[tx - place.first] = np.ascontiguousarray(txids).view("<i8")
    return words


def _script_sigs(table: Any, blocks: Blocks, faults: Faults) -> list[bytes]:
    """The scriptSig of each block's coinbase."""
    heights, sigs = longs(table, "height"), table.column("script_sig").to_pylist()
    if not np.array_equal(heights, blocks.height):
        count = Counter(heights.tolist())
        faults.add_each(
            np.array([count[height] != 1 for height in blocks.height.tolist()]),
            lambda row: Fault("rows of coinbase", count[int(blocks.height[row])], 1, int(blocks.height[row])),
        )
        faults.add_each(
            np.diff(heights) < 0,
            lambda row: Fault(
                "height in coinbase in stored order",
                int(heights[row + 1]),
                f"{int(heights[row])} or more, as in the row before",
                int(heights[row + 1]),
            ),
        )
    found = dict(zip(heights.tolist(), sigs, strict=True))
    return [found.get(height, b"") for height in blocks.height.tolist()]


def _sums(txids: Longs, debits: Postings, credited: Postings, place: _Place, faults: Faults) -> Longs:
    """The sums of each block from its rows; what is wrong in a transaction goes to `faults`."""
    sums = np.zeros((len(place.bounds) - 1, kernels.SUMS), np.int64)
    noted = Noted(np.zeros((KEPT, 4), np.int64), np.zeros(1, np.int64))
    kernels.count_anew(
        _read_only(place.bounds),
        _read_only(txids),
        Postings(*map(_read_only, debits)),
        Postings(*map(_read_only, credited)),
        sums,
        noted,
    )
    found = [
        _TOLD[code](value, limit)._replace(height=place.height(place.first + tx), tx=place.first + tx)
        for code, tx, value, limit in noted.faults[: noted.total[0]].tolist()
    ]
    faults.extend(found, int(noted.total[0]))
    return sums


def _read_only(column: Longs) -> Longs:
    """The column as the kernel wants it: some are read-only, and it would be compiled again for each mixture."""
    view = column.view()
    view.setflags(write=False)
    return view


_TOLD: Final[dict[int, Callable[[int, int], Fault]]] = {
    kernels.DEBIT_RANGE: lambda found, most: Fault("value of a debit", found, f"0 to {most}"),
    kernels.CREDIT_RANGE: lambda found, most: Fault("value of a credit", found, f"0 to {most}"),
    kernels.OVERSPENT: lambda found, paid: Fault("sum of debits", found, f"{paid} or more, as its credits"),
    kernels.COINBASE_DEBITS: lambda found, none: Fault("debits of a coinbase", found, none),
    kernels.NO_DEBITS: lambda found, some: Fault("debits", found, f"{some} or more"),
    kernels.NO_CREDITS: lambda found, some: Fault("credits", found, f"{some} or more"),
}
"""What each fault in a transaction is called."""


def _compare(blocks: Blocks, sums: Longs, headers: Longs, network: Network, faults: Faults) -> None:
    """Compare the table of blocks with the sums of the rows."""
    issuance = sums[:, kernels.CLAIMED] - sums[:, kernels.FEES]
    subsidies = np.array([network.subsidy(max(height, 0)) for height in blocks.height.tolist()], np.int64)

    def differ(what: str, stored: Longs, counted: Longs, text: Any = int) -> None:
        faults.add_each(
            stored != counted,
            lambda row: Fault(what, text(stored[row]), text(counted[row]), int(blocks.height[row])),
        )

    differ("fees", blocks.fees, sums[:, kernels.FEES])
    differ("issuance", blocks.issuance, issuance)
    differ("transfer_count", blocks.transfer_count, sums[:, kernels.TRANSFER_COUNT])
    differ("transfer_value", blocks.transfer_value, sums[:, kernels.TRANSFER_VALUE])
    differ("digest", blocks.digest, sums[:, kernels.DIGEST] + headers, lambda n: f"{int(n) % 2**64:016x}")
    faults.add_each(
        issuance > subsidies,
        lambda row: Fault(
            "credits of the coinbase beyond the fees",
            int(issuance[row]),
            f"at most the subsidy, {int(subsidies[row])}",
            int(blocks.height[row]),
        ),
    )


def _payees(sums: Longs, credited: Postings) -> Postings:
    """The first payment to each account that a coinbase of the piece pays."""
    starts, ends = sums[:, kernels.FIRST_CREDIT], sums[:, kernels.LAST_CREDIT]
    counts = ends - starts
    rows = np.repeat(starts - bounds_of(counts.tolist())[:-1], counts) + np.arange(int(counts.sum()))
    rows = rows[credited.value[rows] > 0]
    _, first = np.unique(credited.account[rows], return_index=True)
    return Postings(*(column[rows[np.sort(first)]] for column in credited))


def check_scripts(
    con: duckdb.DuckDBPyConnection, payees: Sequence[tuple[Longs, Longs]], faults: Faults
) -> int:
    """Check that `script` has every account of `payees` once, with the first coinbase that paid it; gives its rows.

    `payees` are accounts and the transactions that paid them, in chain order.
    """
    table = con.sql(query("verify_scripts")).to_arrow_table()
    account, tx = longs(table, "account"), longs(table, "tx")
    for row, script in enumerate(table.column("script").to_pylist()):
        if account_of(script) != account[row]:
            faults.add(Fault("account of a script", int(account[row]), account_of(script), tx=int(tx[row])))
    expected = _first_payments(payees)
    if not np.array_equal(np.stack([tx, account]), expected):
        _tell_scripts(dict(zip(*expected[::-1].tolist(), strict=True)), account.tolist(), tx.tolist(), faults)
    return len(account)


def _first_payments(payees: Sequence[tuple[Longs, Longs]]) -> Longs:
    """(2, accounts): the first transaction that paid each account, and the account, in the order of the table."""
    none = np.empty(0, np.int64)
    account, tx = (np.concatenate([none, *columns]) for columns in zip((none, none), *payees, strict=True))
    known, first = np.unique(account, return_index=True)
    order = np.lexsort((known, tx[first]))
    return np.stack([tx[first][order], known[order]])


def _tell_scripts(expected: dict[int, int], accounts: list[int], txs: list[int], faults: Faults) -> None:
    count = faults.count
    found = dict(zip(accounts, txs, strict=True))
    for account, tx in expected.items():
        if account not in found:
            faults.add(Fault(f"scripts of account {account}, paid by a coinbase", 0, 1, tx=tx))
        elif found[account] != tx:
            faults.add(Fault(f"tx in script of account {account}", found[account], tx))
    for account in found.keys() - expected.keys():
        faults.add(Fault(f"scripts of account {account}, which no coinbase paid", 1, 0, tx=found[account]))
    if len(found) != len(accounts):
        faults.add(Fault("accounts in script", len(accounts), f"{len(found)}, each once"))
    if faults.count == count:
        faults.add(Fault("rows of script in stored order", "another order", "that of the first coinbases"))
