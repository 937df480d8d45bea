-- verify_transactions: the transactions of a range, as they are stored.
--
-- Reads    tx
-- Params   $first, $last   BIGINT   tx, both included
-- Returns  one row per transaction, in stored order
--   tx      BIGINT
--   height  BIGINT
--   txid    BLOB     display order
SELECT tx, CAST(height AS BIGINT) AS height, txid
FROM tx
WHERE tx BETWEEN $first AND $last
