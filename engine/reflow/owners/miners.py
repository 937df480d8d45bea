"""Mining entities: M0, the accounts that coinbases pay, and M1, the accounts that M0 pays (METHODOLOGY section 3)."""

from duckdb import DuckDBPyConnection

from reflow.store.duckdb import keep
from reflow.store.resources import query


def find_mining_accounts(
    con: DuckDBPyConnection,
    *,
    ever: bool = False,
    sent_wholly: bool = False,
    exchange_accounts: bool = False,
) -> None:
    """Make the temporary tables of mining accounts in `con`, which has those of `find_exchange_accounts`.

    - `mining_0hop` (account, since0): a member of M0 from that tx on, -1 if always.
    - `mining_transaction` (tx): the transactions sent by M0, from which queries/mining_1hop.sql makes M1.

    `ever`: members count in the whole history. `sent_wholly`: a transaction is sent by M0 iff every input is from M0.
    `exchange_accounts`: an exchange's account may be in M0 (METHODOLOGY section 9.7).
    """
    keep(con, "mining_0hop", query("mining_0hop"), {"ever": ever, "exchanges": exchange_accounts})
    keep(con, "mining_transaction", query("mining_transactions"))
    if sent_wholly:
        keep(con, "mining_transaction", query("mining_transactions_wholly"))
