-- named_transactions: what people call some transactions, and where they stand.
--
-- Reads    tx, block, wanted_tx
-- Returns  one row per transaction, in chain order
--   tx          BIGINT
--   txid        BLOB      display order
--   height      INTEGER
--   block_hash  BLOB      display order
--   position    BIGINT    in its block; 0 is the coinbase
SELECT tx.tx, tx.txid, tx.height, block.hash AS block_hash, tx.tx - block.first_tx AS position
FROM tx JOIN block ON tx.height = block.height
WHERE tx.tx IN (SELECT tx FROM wanted_tx)
ORDER BY tx.tx
