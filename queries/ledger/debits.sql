-- debits: the inputs of a range of transactions, in the order in which they are stored, which `verify` checks.
--
-- Reads    debit
-- Params   $first, $last   BIGINT   tx, both included
-- Returns  one row per input
--   tx       BIGINT
--   account  BIGINT
--   value    BIGINT   sat
SELECT tx, account, value
FROM debit
WHERE tx BETWEEN $first AND $last
