-- verify_chunks: the pieces of the ledger that are told apart, each of so many heights.
--
-- Reads    block
-- Params   $heights   INTEGER   in a piece
-- Returns  one row per piece that has a block, in order
--   chunk  BIGINT   height divided by $heights, rounded down
SELECT DISTINCT CAST(floor(height / CAST($heights AS DOUBLE)) AS BIGINT) AS chunk
FROM block
ORDER BY chunk
