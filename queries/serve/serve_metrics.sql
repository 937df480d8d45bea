-- serve_metrics: the metrics of a recomputation, and from when to when each has values.
--
-- Reads    metric_value (metrics.parquet of one recomputation)
-- Returns  one row per metric, in name order
--   metric     VARCHAR
--   first_day  DATE     first UTC day with a value, null if it has none at all
--   last_day   DATE     last UTC day with a value, null likewise
SELECT
    metric,
    min(CASE WHEN value IS NOT NULL THEN time END) AS first_day,
    max(CASE WHEN value IS NOT NULL THEN time END) AS last_day
FROM metric_value
GROUP BY metric
ORDER BY metric
