"""The closure at the bounds of the CoinJoin test, and over several rounds (methodology 3)."""

import pytest

from reflow.owners.owners import find_exchange_accounts
from reflow.store.duckdb import DuckDbStore, rows
from support.economy import Posting, Transaction, coinbase, labels_of, ledger_of, on_day, pay

A, B, C, D = 1, 2, 3, 4
LABELS = labels_of({A: "AAA"})


def paid(*values: int) -> list[Posting]:
    return [(100 + n, value) for n, value in enumerate(values)]


def joined(*transactions: Transaction) -> dict[int, int]:
    """Account -> round of everything that joined exchange AAA."""
    with ledger_of([on_day(0, coinbase((99, 5)), *transactions)]) as ledger:
        find_exchange_accounts(DuckDbStore(ledger.con), LABELS)
        return {row["account"]: row["round"] for row in rows(ledger.con, "SELECT * FROM exchange_account")}


@pytest.mark.parametrize(
    ("inputs", "values", "coinjoin"),
    [
        ([A, B, C], [7, 7, 7], True),
        ([A, B, C], [7, 7, 7, 1, 2, 3], True),
        ([A, B, C], [7, 7, 7, 1, 2, 3, 4], False),
        ([A, B, C], [7, 7, 7, 1, 1, 2, 2], False),
        ([A, B, C], [0, 0, 0], True),
        ([A, B, C], [7, 7, 7, 0, 0, 0, 1], False),
        ([A, B, C], [7, 7], False),
        ([A, B, B], [7, 7, 7], False),
        ([A, B, C], [7, 7, 7, 7], False),
        ([A, B, C, D], [7, 7, 7, 7], True),
        ([A, B, C, D], [7, 7, 7, 1], True),
        ([A, B, C], [], False),
    ],
)
def test_coinjoin_bounds(inputs: list[int], values: list[int], coinjoin: bool) -> None:
    found = joined(pay([(account, 100) for account in inputs], paid(*values)))
    assert found == ({A: 0} if coinjoin else {account: int(account != A) for account in inputs})


def test_rounds_follow_the_chain_of_inputs_in_any_order_of_time() -> None:
    later_first = [pay([(C, 1), (D, 1)], []), pay([(B, 1), (C, 1)], []), pay([(A, 1), (B, 1)], [])]
    assert joined(*later_first) == {A: 0, B: 1, C: 2, D: 3}


def test_an_account_knows_the_first_transaction_by_which_it_joined() -> None:
    later_first = [
        pay([(C, 1), (D, 1)], []),
        pay([(B, 1), (C, 1)], []),
        pay([(A, 1), (B, 1)], []),
        pay([(B, 1), (A, 1)], []),
    ]
    with ledger_of([on_day(0, coinbase((99, 5)), *later_first)]) as ledger:
        find_exchange_accounts(DuckDbStore(ledger.con), LABELS)
        found = rows(ledger.con, "SELECT account, tx FROM exchange_account")
    assert {row["account"]: row["tx"] for row in found} == {A: None, B: 3, C: 2, D: 1}


def test_skipped_coinjoins_are_kept_for_each_exchange_that_signed_them() -> None:
    mix = pay([(A, 7), (B, 7), (C, 7)], paid(7, 7, 7))
    with ledger_of([on_day(0, coinbase((99, 5)), mix, pay([(A, 1), (D, 1)], []))]) as ledger:
        find_exchange_accounts(DuckDbStore(ledger.con), labels_of({A: "AAA", B: "BBB"}))
        found = rows(ledger.con, "SELECT DISTINCT entity, tx FROM cluster_coinjoin ORDER BY ALL")
    assert found == [{"entity": "AAA", "tx": 1}, {"entity": "BBB", "tx": 1}]


def test_an_output_claims_nothing() -> None:
    assert joined(pay([(A, 10)], [(B, 10)]), pay([(C, 10)], [(A, 10)])) == {A: 0}
