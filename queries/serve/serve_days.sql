-- serve_days: the days on which at least one of some metrics has a value.
--
-- Reads    metric_value (metrics.parquet of one recomputation)
-- Params   $metrics  VARCHAR[], ids
-- Returns  one row per day, ascending
--   time  DATE  UTC day
SELECT time
FROM metric_value
WHERE metric IN (SELECT unnest($metrics))
GROUP BY time
HAVING count(value) > 0
ORDER BY time
