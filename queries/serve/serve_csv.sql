-- serve_csv: the values of some metrics, each day's as the cells of a CSV line.
--
-- Reads    metric_value (metrics.parquet of one recomputation; a row for every day and metric)
-- Params   $metrics               VARCHAR[], ids
--          $first_day, $last_day  DATE, both included
--          $empty                 VARCHAR, what stands for no value, such as an empty text
-- Returns  one row per day, ascending
--   time    DATE     UTC day
--   fields  VARCHAR  values with commas between, in the order of the metrics' names; plain decimals without zeros at
--                    the end
WITH printed AS (
    SELECT
        time,
        metric,
        CASE
            WHEN value LIKE '%.%' THEN rtrim(rtrim(value, '0'), '.')
            ELSE value
        END AS value
    FROM (SELECT time, metric, CAST(value AS VARCHAR) AS value FROM metric_value) AS written
    WHERE metric IN (SELECT unnest($metrics)) AND time BETWEEN $first_day AND $last_day
)

SELECT time, string_agg(coalesce(value, $empty), ',' ORDER BY metric) AS fields
FROM printed
GROUP BY time
ORDER BY time
