-- block_days: the day and the transactions of every block, with what its header and its coinbase tell.
--
-- Reads    block
-- Params   $header_clock   BOOLEAN   the block's own header time decides its day, else its mediantime
-- Returns  one row per block in chain order
--   day             INTEGER   days since 1970-01-01 UTC
--   first_tx        BIGINT
--   tx_count        BIGINT    coinbase included
--   size            BIGINT    bytes
--   fees            BIGINT    sat
--   issuance        BIGINT    sat
--   transfer_count  BIGINT
--   transfer_value  BIGINT    sat
SELECT
    CAST(floor(CASE WHEN $header_clock THEN time ELSE mediantime END / 86400) AS INTEGER) AS day,
    first_tx,
    CAST(tx_count AS BIGINT) AS tx_count,
    CAST(size AS BIGINT) AS size,
    fees,
    issuance,
    transfer_count,
    transfer_value
FROM block
ORDER BY height
