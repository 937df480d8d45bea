-- credit_values: how much the outputs of some transactions are worth.
--
-- Reads    credit
-- Params   $first, $last   BIGINT   tx, both included
-- Returns  one row per output
--   tx     BIGINT
--   value  BIGINT   sat
SELECT tx, value
FROM credit
WHERE tx BETWEEN $first AND $last
