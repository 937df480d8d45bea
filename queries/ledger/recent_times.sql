-- recent_times: the header times that count as predecessors for the next block's mediantime.
--
-- Reads    block
-- Returns  up to eleven rows in chain order (genesis is not in the ledger: the caller puts it first when there are fewer)
--   time  BIGINT   seconds since 1970 UTC
SELECT time
FROM block
WHERE height > (SELECT max(height) FROM block) - 11
ORDER BY height
