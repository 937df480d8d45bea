-- period_times: the header times that decide the targets of the chain's periods.
--
-- Reads    block
-- Params   $period   INTEGER   blocks that have the same target, counted from genesis
-- Returns  one row for the first and one for the last block of each period, in chain order
--   height  INTEGER
--   time    BIGINT   seconds since 1970 UTC
SELECT height, time
FROM block
WHERE height % $period = 0 OR height % $period = $period - 1
ORDER BY height
