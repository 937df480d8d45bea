-- source_headers: the known headers that can still matter to an ingest.
--
-- Reads    source.header
-- Params   $height   INTEGER   lowest height wanted; headers that hang in the air (height -1) are always wanted
-- Returns  one row per header, in the order in which the blocks lie in the files
--   hash, prev_hash  BLOB     byte order of the wire
--   bits, tx_count   BIGINT
--   file             INTEGER  number of the blk file
--   offset, size     BIGINT   bytes
--   height           INTEGER
--   work             BLOB     of the chain up to the block
SELECT hash, prev_hash, bits, tx_count, file, "offset", size, height, work
FROM source.header
WHERE height >= $height OR height = -1
ORDER BY file, "offset"
