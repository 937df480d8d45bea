-- credits: the outputs of a range of transactions, in the order in which they are stored, which `verify` checks.
--
-- Reads    credit
-- Params   $first, $last   BIGINT   tx, both included
-- Returns  one row per output
--   tx       BIGINT
--   account  BIGINT
--   value    BIGINT   sat
SELECT tx, account, value
FROM credit
WHERE tx BETWEEN $first AND $last
