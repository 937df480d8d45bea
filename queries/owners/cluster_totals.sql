-- cluster_totals: what each exchange's accounts hold, and what its cluster met on the way.
--
-- Reads    exchange_account, account_balance, cluster_conflict, cluster_coinjoin
-- Returns  one row per exchange, in order of entity
--   entity     VARCHAR   exchange code
--   balance    HUGEINT   sat at the tip of the ledger
--   conflicts  BIGINT    accounts that it claimed together with another exchange
--   coinjoins  BIGINT    CoinJoin-like transactions that it signed
WITH held AS (
    SELECT exchange_account.entity, sum(coalesce(account_balance.balance, 0)) AS balance
    FROM exchange_account LEFT JOIN account_balance ON exchange_account.account = account_balance.account
    GROUP BY exchange_account.entity
),
conflict AS (
    SELECT entity, count(DISTINCT account) AS accounts FROM cluster_conflict GROUP BY entity
),
skipped AS (
    SELECT entity, count(DISTINCT tx) AS transactions FROM cluster_coinjoin GROUP BY entity
)
SELECT
    held.entity,
    held.balance,
    coalesce(conflict.accounts, 0) AS conflicts,
    coalesce(skipped.transactions, 0) AS coinjoins
FROM held
LEFT JOIN conflict ON held.entity = conflict.entity
LEFT JOIN skipped ON held.entity = skipped.entity
ORDER BY held.entity
