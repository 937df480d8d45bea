-- debit_accounts: whose inputs some transactions have.
--
-- Reads    debit
-- Params   $first, $last   BIGINT   tx, both included
-- Returns  one row per input
--   tx       BIGINT
--   account  BIGINT
SELECT tx, account
FROM debit
WHERE tx BETWEEN $first AND $last
