-- block_digests: what identifies the content of the ledger, block by block.
--
-- Reads    block
-- Returns  one row per block in chain order
--   height  INTEGER
--   hash    BLOB      display order
--   digest  BIGINT    fingerprint of the block's rows in tx, debit and credit
SELECT height, hash, digest
FROM block
ORDER BY height
