"""The closure's lists and rounds where memory is short: files in place of memory, many spans, many parts of a round.

Whatever the memory, the lists must be those that a plain reading of the economy gives, and the rounds the same.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reflow.errors import OutputError
from reflow.owners import signers
from reflow.owners.owners import find_exchange_accounts
from reflow.owners.signers import CommonInputs, find_common_inputs
from reflow.progress import silent
from reflow.store.duckdb import DuckDbStore, rows
from reflow.store.resources import Arrays, in_order
from support.economies import Case, cases
from support.economy import coinbase, labels_of, ledger_of, on_day, pay
from support.reference_model import chain_of, is_coinjoin

QUICK = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PLENTY = 1 << 30


def as_lists(found: CommonInputs) -> tuple[dict[int, list[int]], dict[int, list[int]], set[int]]:
    """Account to its transactions, transaction to its accounts, CoinJoins; all as the ledger numbers them."""
    of_account = {
        int(found.account[n]): sorted(
            int(found.tx[t])
            for t in found.transaction[found.first_transaction[n] : found.first_transaction[n + 1]]
        )
        for n in range(len(found.account))
    }
    of_tx = {
        int(found.tx[t]): [
            int(found.account[n]) for n in found.signer[found.first_signer[t] : found.first_signer[t + 1]]
        ]
        for t in range(len(found.tx))
    }
    return of_account, of_tx, set(found.tx[found.coinjoin].tolist())


@pytest.mark.parametrize("memory", [0, PLENTY])
@QUICK
@given(case=cases(), span=st.sampled_from([1, 2500, 10**9]))
def test_lists(memory: int, case: Case, span: int) -> None:
    transactions = chain_of(case.economy).transactions
    signed = {tx: sorted({a for a, _ in one.inputs}) for tx, one in enumerate(transactions)}
    several = {tx: accounts for tx, accounts in signed.items() if len(accounts) > 1}
    with pytest.MonkeyPatch.context() as patch, ledger_of(case.economy) as ledger:
        patch.setattr(signers, "SPAN_BYTES", span)
        of_account, of_tx, coinjoins = as_lists(find_common_inputs(DuckDbStore(ledger.con), memory, silent))
    assert of_tx == several
    assert of_account == {
        account: [tx for tx, accounts in several.items() if account in accounts]
        for account in sorted({a for accounts in several.values() for a in accounts})
    }
    assert coinjoins == {tx for tx, one in enumerate(transactions) if one.inputs and is_coinjoin(one)}


@QUICK
@given(case=cases())
def test_rounds_do_not_depend_on_memory(case: Case) -> None:
    labels = labels_of(case.exchanges, case.others)
    found = []
    with ledger_of(case.economy) as ledger:
        for memory in (16, PLENTY):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(DuckDbStore, "memory", lambda self, memory=memory: nullcontext(memory))
                result = find_exchange_accounts(DuckDbStore(ledger.con), labels)
            tables = [
                rows(ledger.con, f"SELECT DISTINCT * FROM {table} ORDER BY ALL")
                for table in ("exchange_account", "cluster_conflict", "cluster_coinjoin")
            ]
            found.append((result, tables))
    assert found[0] == found[1]


def test_rows_in_another_order() -> None:
    """Nothing promises that a ledger made by other means has its rows in chain order."""
    economy = [
        on_day(0, coinbase((9, 5)), pay([(1, 1), (2, 1)], [(3, 1)]), pay([(2, 1), (4, 1), (2, 1)], []))
    ]
    with ledger_of(economy) as ledger:
        expected = as_lists(find_common_inputs(DuckDbStore(ledger.con), PLENTY, silent))
        for table in ("debit", "credit"):
            ledger.con.execute(f"CREATE TABLE turned AS SELECT * FROM {table} ORDER BY tx DESC, account")
            ledger.con.execute(f"DROP TABLE {table}")
            ledger.con.execute(f"ALTER TABLE turned RENAME TO {table}")
        assert as_lists(find_common_inputs(DuckDbStore(ledger.con), PLENTY, silent)) == expected
    assert expected[1] == {1: [1, 2], 2: [2, 4]}


def test_arrays_in_files_leave_nothing_behind(tmp_path: Path) -> None:
    arrays = Arrays(tmp_path)
    array = arrays.make(1000, "i8")
    array[:] = np.arange(1000)
    arrays.release()
    assert array.sum() == 499_500
    assert list(tmp_path.iterdir()) == []
    assert len(arrays.make(0, "u4")) == 0


def test_no_room_for_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"no room for temporary files: No such file"):
        Arrays(tmp_path / "nowhere").make(1, "i8")
    with pytest.raises(OutputError, match=r"no room for temporary files: "):
        Arrays(tmp_path).make(1 << 59, "i8")


def test_work_in_order_takes_no_more_than_it_needs() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = in_order(lambda number: -number, numbers(), 2)
    assert [next(results) for _ in range(3)] == [0, -1, -2]
    assert len(taken) <= 3 + 2 * 2
    assert list(results) == [-number for number in range(3, 100)]
