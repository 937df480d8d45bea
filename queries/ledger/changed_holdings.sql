-- changed_holdings: what accounts held before a range of transactions, from what they hold after it.
--
-- Reads    debit, credit, kept.holding
-- Params   $clock          VARCHAR   mediantime or header
--          $first, $last   BIGINT    tx, both included
-- Returns  one row per account that the range debits or credits, in no order
--   account  BIGINT
--   balance  BIGINT   sat; 0 for those that held nothing
WITH change AS (
    SELECT account, value
    FROM credit
    WHERE tx BETWEEN $first AND $last AND value > 0
    UNION ALL
    SELECT account, -value
    FROM debit
    WHERE tx BETWEEN $first AND $last
)

SELECT
    change.account,
    CAST(coalesce(max(held.balance), 0) - sum(change.value) AS BIGINT) AS balance
FROM change
LEFT JOIN (SELECT account, balance FROM kept.holding WHERE clock = $clock) AS held ON change.account = held.account
GROUP BY change.account
