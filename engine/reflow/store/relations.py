"""All relations that are made from a ledger or lent to questions; queries/schema.sql has the ledger's own.

`made_by` are the questions (files of queries/) whose answer is the relation, or `lent` if it comes from the program.
`read_by` are the questions that read it. Tests hold both against the headers of queries/, and the columns against what
the database says of each answer.
"""

from typing import Final, NamedTuple


class Relation(NamedTuple):
    """A name, and what is behind it."""

    name: str
    definition: str
    """Columns with their types, as in queries/schema.sql."""
    made_by: str
    read_by: str

    @property
    def columns(self) -> dict[str, str]:
        """Column name to its type."""
        pairs = (column.split(" ") for column in self.definition.split(", "))
        return {name: kind for name, kind in pairs}  # noqa: C416  # dict() of lists is not typed


# Who owns an account. `entity` is an exchange's code, `category` that of the label; `tx` and `round` are null or 0 for
# accounts that a label names.
LABEL: Final = Relation(
    "label",
    "account BIGINT, entity VARCHAR, category VARCHAR",
    made_by="lent",
    read_by="account_owners, exchange_numbers, labelled_exchange_accounts, unclaimable_accounts",
)
EXCHANGE: Final = Relation(
    "exchange",
    "entity VARCHAR, number SMALLINT",
    made_by="exchange_numbers",
    read_by="exchange_members, members, cluster_coinjoin, cluster_conflict, cluster_joined",
)
COINBASE_ACCOUNT: Final = Relation(
    "coinbase_account",
    "account BIGINT, since0 BIGINT",
    made_by="coinbase_accounts",
    read_by="account_owners, members, members_count, mining_0hop, unclaimable_accounts",
)
EXCHANGE_ACCOUNT: Final = Relation(
    "exchange_account",
    "account BIGINT, entity VARCHAR, round INTEGER, tx BIGINT",
    made_by="labelled_exchange_accounts, cluster_joined",
    read_by=(
        "account_owners, accounts_of_exchange, changed_mining_accounts, outside_credits, exchange_members, "
        "members, members_count, pool_exchange_flows, account_balances, cluster_bridges, cluster_edges, "
        "cluster_lines, cluster_members, cluster_rounds, cluster_totals, mining_0hop"
    ),
)
CLUSTER_CONFLICT: Final = Relation(
    "cluster_conflict",
    "account BIGINT, entity VARCHAR, tx BIGINT, round INTEGER",
    made_by="cluster_conflict",
    read_by="cluster_claims_in_conflict, cluster_totals, conflict_count",
)
CLUSTER_COINJOIN: Final = Relation(
    "cluster_coinjoin",
    "entity VARCHAR, tx BIGINT",
    made_by="cluster_coinjoin",
    read_by="cluster_totals, skipped_coinjoins",
)
CLAIM: Final = Relation(
    "claim",
    "account BIGINT, exchange BIGINT, tx BIGINT",
    made_by="lent",
    read_by="cluster_coinjoin, cluster_conflict, cluster_joined",
)
COMMON_INPUT: Final = Relation(
    "common_input",
    "account BIGINT, transaction BIGINT, place BIGINT",
    made_by="lent",
    read_by="inputs_by_account",
)
NUMBERED_INPUT: Final = Relation(
    "numbered_input",
    "place BIGINT, number UINTEGER",
    made_by="lent",
    read_by="accounts_by_input",
)
MINING_0HOP: Final = Relation(
    "mining_0hop",
    "account BIGINT, since0 BIGINT",
    made_by="mining_0hop",
    read_by=(
        "account_owners, changed_mining_accounts, payout_senders, mining_transactions, "
        "mining_transactions_wholly, pool_accounts"
    ),
)
MINING_TRANSACTION: Final = Relation(
    "mining_transaction",
    "tx BIGINT",
    made_by="mining_transactions, mining_transactions_wholly",
    read_by="first_payouts, pool_exchange_flows, mining_1hop, mining_transactions_wholly",
)
PAYOUT: Final = Relation(
    "payout",
    "account BIGINT, since1 BIGINT, rule SMALLINT",
    made_by="mining_1hop",
    read_by="changed_mining_accounts, members, members_count",
)

# What the closure made of each exchange.
ACCOUNT_BALANCE: Final = Relation(
    "account_balance",
    "account BIGINT, balance HUGEINT",
    made_by="account_balances",
    read_by="cluster_members, cluster_totals",
)
CLUSTER_EDGE: Final = Relation(
    "cluster_edge",
    "account BIGINT, source BIGINT",
    made_by="cluster_edges",
    read_by="cluster_bridges, cluster_members",
)
LABEL_ADDRESS: Final = Relation(
    "label_address",
    "account BIGINT, address VARCHAR",
    made_by="lent",
    read_by="cluster_members",
)
LABEL_ACCOUNT: Final = Relation(
    "label_account",
    "account BIGINT",
    made_by="lent",
    read_by="unseen_labels",
)

# Who mined a block. `entity` is a pool.
PAYOUT_ADDRESS: Final = Relation(
    "payout_address",
    "account BIGINT, entity VARCHAR",
    made_by="lent",
    read_by="pool_payouts",
)
PAID_POOL: Final = Relation(
    "paid_pool",
    "height INTEGER, entity VARCHAR",
    made_by="pool_payouts",
    read_by="miner_entities, unpaid_script_sigs",
)
TAGGED_POOL: Final = Relation(
    "tagged_pool",
    "height INTEGER, entity VARCHAR",
    made_by="lent",
    read_by="miner_entities",
)
MINER_ENTITY: Final = Relation(
    "miner_entity",
    "height INTEGER, entity VARCHAR, basis VARCHAR",
    made_by="miner_entities",
    read_by="pool_accounts, pool_blocks, pool_days",
)
POOL_ACCOUNT: Final = Relation(
    "pool_account",
    "account BIGINT, entity VARCHAR, since0 BIGINT",
    made_by="pool_accounts",
    read_by="pool_exchange_flows",
)

# What exchanges (_e) and miners (0, 1: S_0, S_1) do in each transaction of a range; `day` is a number. Debits and
# credits are sat, inputs and outputs are numbers.
EXCHANGE_SUM: Final = Relation(
    "exchange_sum",
    (
        "day INTEGER, inputs BIGINT, outputs BIGINT, exchange SMALLINT, inputs_e BIGINT, debit_e BIGINT, "
        "outputs_e BIGINT, credit_e BIGINT"
    ),
    made_by="lent",
    read_by="exchange_gains",
)
TRANSACTION_SUM: Final = Relation(
    "transaction_sum",
    (
        "day INTEGER, inputs BIGINT, debit BIGINT, credit BIGINT, inputs0 BIGINT, debit0 BIGINT, "
        "credit0 BIGINT, inputs1 BIGINT, debit1 BIGINT, credit1 BIGINT"
    ),
    made_by="lent",
    read_by="plain_flows",
)
SHARED_SUM: Final = Relation(
    "shared_sum",
    (
        "day INTEGER, inputs BIGINT, debit BIGINT, credit BIGINT, inputs0 BIGINT, debit0 BIGINT, "
        "credit0 BIGINT, inputs1 BIGINT, debit1 BIGINT, credit1 BIGINT, exchange SMALLINT, inputs_e BIGINT, "
        "debit_e BIGINT, credit_e BIGINT, debit_e0 BIGINT, credit_e0 BIGINT, debit_e1 BIGINT, "
        "credit_e1 BIGINT"
    ),
    made_by="lent",
    read_by="exchange_flows",
)

# What a question is asked about.
WANTED: Final = Relation(
    "wanted",
    "account BIGINT",
    made_by="lent",
    read_by=(
        "account_owners, first_payouts, members, forget_holdings_among, kept_holdings_among, kept_scripts"
    ),
)
WANTED_TX: Final = Relation(
    "wanted_tx",
    "tx BIGINT",
    made_by="lent",
    read_by="named_transactions, payout_senders, transaction_parties",
)
WANTED_BLOCK: Final = Relation(
    "wanted_block",
    "hash BLOB",
    made_by="lent",
    read_by="header_prints_among, source_places",
)

# One day, taken apart.
ACCOUNT_CHANGE: Final = Relation(
    "account_change",
    "tx BIGINT, account BIGINT, value BIGINT",
    made_by="account_changes",
    read_by="balance_turns, changed_accounts, changed_mining_accounts, member_changes",
)
WANTED_ACCOUNT: Final = Relation(
    "wanted_account",
    "account BIGINT",
    made_by="changed_accounts, lent",
    read_by="wanted_balances",
)
EARLIER_BALANCE: Final = Relation(
    "earlier_balance",
    "account BIGINT, value BIGINT",
    made_by="wanted_balances",
    read_by="balance_turns, earlier_balances",
)
MEMBER: Final = Relation(
    "member",
    "account BIGINT",
    made_by="accounts_of_exchange, lent",
    read_by="member_changes",
)

# metrics.parquet of one recomputation.
METRIC_VALUE: Final = Relation(
    "metric_value",
    "asset VARCHAR, time DATE, metric VARCHAR, value DECIMAL(38,18)",
    made_by="lent",
    read_by="serve_csv, serve_days, serve_heights, serve_json, serve_metrics",
)

RELATIONS: Final = (
    LABEL,
    EXCHANGE,
    COINBASE_ACCOUNT,
    EXCHANGE_ACCOUNT,
    CLUSTER_CONFLICT,
    CLUSTER_COINJOIN,
    CLAIM,
    COMMON_INPUT,
    NUMBERED_INPUT,
    MINING_0HOP,
    MINING_TRANSACTION,
    PAYOUT,
    ACCOUNT_BALANCE,
    CLUSTER_EDGE,
    LABEL_ADDRESS,
    LABEL_ACCOUNT,
    PAYOUT_ADDRESS,
    PAID_POOL,
    TAGGED_POOL,
    MINER_ENTITY,
    POOL_ACCOUNT,
    EXCHANGE_SUM,
    TRANSACTION_SUM,
    SHARED_SUM,
    WANTED,
    WANTED_TX,
    WANTED_BLOCK,
    ACCOUNT_CHANGE,
    WANTED_ACCOUNT,
    EARLIER_BALANCE,
    MEMBER,
    METRIC_VALUE,
)
