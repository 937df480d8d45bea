-- block_digests: what identifies the content of the ledger, block by block.
--
-- Reads    block
-- Returns  one row per block in chain order
--   height  INTEGER
--   hash    BLOB      display order
--   digest  BIGINT    fingerprint of hash, time, size and the block's rows in tx, debit, credit and coinbase
SELECT height, hash, digest
FROM block
ORDER BY height
