-- no_conflicts: the conflicts before the first round of the closure, none.
--
-- Reads    label
-- Returns  no row, in the shape of cluster_conflicts
--   account  BIGINT
--   entity   VARCHAR
--   tx       BIGINT
--   round    INTEGER
SELECT account, entity, CAST(0 AS BIGINT) AS tx, 0 AS round
FROM label
WHERE FALSE
