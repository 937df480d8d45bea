-- source_headers: the known headers that can still matter to an ingest.
--
-- Reads    source.header
-- Params   $height   lowest height wanted; headers that hang in the air (height -1) are always wanted
-- Returns  the columns of source.header, in the order in which the blocks lie in the files
SELECT hash, prev_hash, bits, tx_count, file, "offset", size, height, work
FROM source.header
WHERE height >= $height OR height = -1
ORDER BY file, "offset"
