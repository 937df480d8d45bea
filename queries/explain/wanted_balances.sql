-- wanted_balances: what a range of transactions adds to the balances of some accounts.
--
-- Reads    debit, credit, wanted_account
-- Params   $first, $last   BIGINT   tx, both included
-- Returns  one row per account that the range debits or credits, in no order
--   account  BIGINT
--   value    BIGINT   sat: credits minus debits
SELECT account, CAST(sum(value) AS BIGINT) AS value
FROM (
    SELECT account, value
    FROM credit
    WHERE tx BETWEEN $first AND $last
    UNION ALL
    SELECT account, -value
    FROM debit
    WHERE tx BETWEEN $first AND $last
) AS posting
WHERE account IN (SELECT account FROM wanted_account)
GROUP BY account
