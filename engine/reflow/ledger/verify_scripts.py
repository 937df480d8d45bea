"""The scripts that the ledger keeps, held against the coinbases that it knows."""

from collections.abc import Sequence

import duckdb
import numpy as np

from reflow.ledger.faults import Fault, Faults
from reflow.ledger.verify_columns import Longs, longs
from reflow.script import account_of
from reflow.store.resources import query


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
        _tell(dict(zip(*expected[::-1].tolist(), strict=True)), account.tolist(), tx.tolist(), faults)
    return len(account)


def _first_payments(payees: Sequence[tuple[Longs, Longs]]) -> Longs:
    """(2, accounts): the first transaction that paid each account, and the account, in the order of the table."""
    none = np.empty(0, np.int64)
    account, tx = (np.concatenate([none, *columns]) for columns in zip((none, none), *payees, strict=True))
    known, first = np.unique(account, return_index=True)
    order = np.lexsort((known, tx[first]))
    return np.stack([tx[first][order], known[order]])


def _tell(expected: dict[int, int], accounts: list[int], txs: list[int], faults: Faults) -> None:
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
