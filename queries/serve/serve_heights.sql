-- serve_heights: the height at which each day stands, that of its first block, counted with BlkCnt from height 1.
--
-- Reads    metric_value (metrics.parquet of one recomputation)
-- Returns  one row per day, ascending
--   time          DATE    UTC day
--   first_height  BIGINT  of the day's first block; of the next block to come, if the day has none
SELECT
    time,
    CAST(
        1 + sum(CAST(value AS BIGINT)) OVER (ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        - CAST(value AS BIGINT) AS BIGINT
    ) AS first_height
FROM metric_value
WHERE metric = 'BlkCnt'
ORDER BY time
