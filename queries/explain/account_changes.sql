-- account_changes: what each transaction of a range adds to the balance of each account.
--
-- Reads    debit, credit
-- Params   $first, $last   BIGINT   tx, both included
-- Returns  one row per transaction and account that it debits or credits, in no order
--   tx       BIGINT
--   account  BIGINT
--   value    BIGINT   sat: credits minus debits
SELECT tx, account, CAST(sum(value) AS BIGINT) AS value
FROM (
    SELECT tx, account, value
    FROM credit
    WHERE tx BETWEEN $first AND $last
    UNION ALL
    SELECT tx, account, -value
    FROM debit
    WHERE tx BETWEEN $first AND $last
) AS posting
GROUP BY tx, account
