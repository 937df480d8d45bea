-- source_places: where some blocks lie in the node's files, as far as that was seen.
--
-- Reads    source.header, wanted_block (in the byte order of the wire)
-- Returns  one row per known block, in the order in which they lie in the files
--   hash, prev_hash  BLOB      byte order of the wire
--   bits, tx_count   BIGINT
--   file             INTEGER   number of the blk file
--   offset, size     BIGINT    bytes
SELECT hash, prev_hash, bits, tx_count, file, "offset", size
FROM source.header
WHERE hash IN (SELECT hash FROM wanted_block)
ORDER BY file, "offset"
