"""Mining entities: M0, the accounts that coinbases pay, and M1, the accounts that M0 pays (METHODOLOGY section 3)."""

from typing import Final, Literal

from duckdb import DuckDBPyConnection

from reflow.resources import query
from reflow.tables import keep

NEVER: Final = 2**63 - 1
"""The `since` of an account that is no member: larger than any tx."""


def find_mining_accounts(
    con: DuckDBPyConnection,
    *,
    ever: bool = False,
    sent_wholly: bool = False,
    exchange_accounts: Literal["never", "hop0", "always"] = "never",
) -> None:
    """Make the temporary tables of mining accounts in `con`, which has those of `find_exchange_accounts`.

    - `mining_0hop` (account, since0) and `mining_1hop` (account, since1): a member from that tx on, -1 if
      always.
    - `mining_transaction` (tx): the transactions sent by M0.

    `ever`: members count in the whole history. `sent_wholly`: a transaction is sent by M0 iff every input is
    from M0. `exchange_accounts`: in which of the two an exchange's account may be (METHODOLOGY section 9.7).
    """
    in_0hop, in_1hop = exchange_accounts != "never", exchange_accounts == "always"
    keep(con, "mining_0hop", query("mining_0hop"), {"ever": ever, "exchanges": in_0hop})
    keep(con, "mining_transaction", query("mining_transactions"))
    if sent_wholly:
        keep(con, "mining_transaction", query("mining_transactions_wholly"))
    keep(con, "mining_1hop", query("mining_1hop"), {"ever": ever, "exchanges": in_1hop})
