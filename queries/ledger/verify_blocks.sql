-- verify_blocks: all that the ledger says of a range of blocks, as it is stored.
--
-- Reads    block
-- Params   $first, $last   INTEGER   heights, both included
-- Returns  one row per block, in stored order
--   height, size, tx_count          BIGINT
--   hash, prev_hash                 BLOB     display order
--   time, mediantime                BIGINT
--   day                             DATE
--   first_tx                        BIGINT
--   fees, issuance                  BIGINT   sat
--   transfer_count, transfer_value  BIGINT
--   digest                          BIGINT
SELECT
    CAST(height AS BIGINT) AS height,
    hash,
    prev_hash,
    time,
    mediantime,
    day,
    CAST(size AS BIGINT) AS size,
    CAST(tx_count AS BIGINT) AS tx_count,
    first_tx,
    fees,
    issuance,
    transfer_count,
    transfer_value,
    digest
FROM block
WHERE height BETWEEN $first AND $last
