-- height_of: the block of a transaction.
--
-- Reads    tx
-- Params   $tx   BIGINT
-- Returns  one row
--   height  INTEGER
SELECT height
FROM tx
WHERE tx = $tx
