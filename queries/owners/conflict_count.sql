-- conflict_count: how many accounts two or more exchanges claimed in one round, so that they joined nobody.
--
-- Reads    cluster_conflict
-- Returns  one row
--   accounts  BIGINT
SELECT count(DISTINCT account) AS accounts
FROM cluster_conflict
