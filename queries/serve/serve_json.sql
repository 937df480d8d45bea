-- serve_json: the values of some metrics, each day's as the members of a JSON object.
--
-- Reads    metric_value (metrics.parquet of one recomputation; a row for every day and metric)
-- Params   $metrics               VARCHAR[], ids
--          $first_day, $last_day  DATE, both included
--          $empty                 VARCHAR, what stands for no value, such as null
-- Returns  one row per day, ascending
--   time    DATE     UTC day
--   fields  VARCHAR  "metric":"value" with commas between, in name order; plain decimals without zeros at the end
-- Sorting the members sorts the ids: a quotation mark comes before every letter and digit, so a shorter id comes first.
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

SELECT
    time,
    array_to_string(list_sort(list('"' || metric || '":' || coalesce('"' || value || '"', $empty))), ',') AS fields
FROM printed
GROUP BY time
ORDER BY time
