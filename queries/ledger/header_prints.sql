-- header_prints: a fingerprint of known headers, whatever their order: the sum of a hash of each.
--
-- Reads    source.header
-- Returns  one row
--   print  HUGEINT
SELECT CAST(coalesce(sum(md5_number_lower(concat_ws(
    ' ', hex(hash), hex(prev_hash), bits, tx_count, file, "offset", size, height, hex(work)
))), 0) AS HUGEINT) AS print
FROM source.header
