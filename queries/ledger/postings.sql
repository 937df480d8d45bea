-- postings: the inputs and outputs of a range of transactions.
--
-- Reads    debit, credit
-- Params   $first, $last   BIGINT   tx, both included
-- Returns  one row per input and output, in no order
--   is_debit  TINYINT   1 for an input, 0 for an output
--   tx        BIGINT
--   account   BIGINT
--   value     BIGINT   sat
SELECT CAST(1 AS TINYINT) AS is_debit, tx, account, value
FROM debit
WHERE tx BETWEEN $first AND $last
UNION ALL
SELECT CAST(0 AS TINYINT), tx, account, value
FROM credit
WHERE tx BETWEEN $first AND $last
