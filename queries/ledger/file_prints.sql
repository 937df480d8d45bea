-- file_prints: a fingerprint of what is known of the node's folder and files.
--
-- Reads    source.folder, source.file
-- Returns  one row
--   print  HUGEINT
SELECT CAST(coalesce(sum(md5_number_lower(text)), 0) AS HUGEINT) AS print
FROM (
    SELECT concat_ws(' ', path, hex(xor_key)) AS text FROM source.folder
    UNION ALL
    SELECT concat_ws(' ', number, size, mtime_ns, scanned_to) AS text FROM source.file
) AS known
