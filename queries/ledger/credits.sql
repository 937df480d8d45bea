-- credits: the outputs of a range of transactions.
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
