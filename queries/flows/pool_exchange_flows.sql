-- pool_exchange_flows: what the accounts that a pool's coinbases paid sent to each exchange, over all complete days.
--
-- Reads    block, debit, credit, exchange_account, pool_account, mining_transaction
-- Returns  one row per (pool, exchange) with a flow, in that order, the unnamed pools last
--   pool      VARCHAR   `all`: all pools as one; NULL: those that nothing names
--   exchange  VARCHAR   `Ex`: all exchanges as one
--   value     HUGEINT   sat
-- The 0-hop flow of methodology 5 under the reference methodology, so the row `all` sums FlowMinerOut0HopAll….
-- A transaction with inputs of two pools is sent by both: it counts in both rows, in `all` once.
WITH
sent AS (
    SELECT DISTINCT debit.tx, pool_account.entity AS pool
    FROM debit JOIN pool_account ON debit.account = pool_account.account
    WHERE pool_account.since0 <= debit.tx
        AND debit.tx < (SELECT min(first_tx) FROM block WHERE day = (SELECT max(day) FROM block))
),
sender AS (
    SELECT tx, pool FROM sent
    UNION ALL
    SELECT DISTINCT tx, 'all' FROM sent
),
posting AS (
    SELECT credit.tx, exchange_account.entity, credit.value
    FROM credit JOIN exchange_account ON credit.account = exchange_account.account
    WHERE credit.tx IN (SELECT tx FROM mining_transaction)
    UNION ALL
    SELECT debit.tx, exchange_account.entity, -debit.value
    FROM debit JOIN exchange_account ON debit.account = exchange_account.account
    WHERE debit.tx IN (SELECT tx FROM mining_transaction)
),
gain AS (
    SELECT tx, entity AS exchange, sum(value) AS value FROM posting GROUP BY tx, entity
    UNION ALL
    SELECT tx, 'Ex', sum(value) FROM posting GROUP BY tx
)
SELECT sender.pool, gain.exchange, sum(gain.value) AS value
FROM sender JOIN gain ON sender.tx = gain.tx
WHERE gain.value > 0
GROUP BY sender.pool, gain.exchange
ORDER BY sender.pool NULLS LAST, gain.exchange
