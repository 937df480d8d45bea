-- block_spans: consecutive blocks that are read at once, so that a pass over the ledger needs memory for some at a time.
--
-- Reads    block
-- Params   $bytes   BIGINT   of blocks in a span, about; a larger block is a span of its own
-- Returns  one row per span, in chain order
--   first, last  BIGINT   tx, both included
SELECT min(first_tx) AS first, max(first_tx + tx_count) - 1 AS last
FROM (
    SELECT first_tx, tx_count, sum(size) OVER (ORDER BY height ROWS UNBOUNDED PRECEDING) // $bytes AS span
    FROM block
) AS numbered
GROUP BY span
ORDER BY first
