-- tip: the last block of the ledger.
--
-- Reads    block
-- Returns  one row, none while the ledger is empty
--   height   INTEGER
--   hash     BLOB      display order
--   next_tx  BIGINT    the tx that the next block's coinbase gets
SELECT height, hash, first_tx + tx_count AS next_tx
FROM block
WHERE height = (SELECT max(height) FROM block)
