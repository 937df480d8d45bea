-- header_prints_among: `header_prints` of some headers.
--
-- Reads    wanted_block, source.header
-- Returns  one row
--   print  HUGEINT
SELECT CAST(coalesce(sum(md5_number_lower(concat_ws(
    ' ', hex(hash), hex(prev_hash), bits, tx_count, file, "offset", size, height, hex(work)
))), 0) AS HUGEINT) AS print
FROM source.header
WHERE hash IN (SELECT hash FROM wanted_block)
