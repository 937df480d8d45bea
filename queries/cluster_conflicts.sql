-- cluster_conflicts: the claims on accounts that two or more exchanges claim in this round.
--
-- Reads    claim
-- Params   $round   INTEGER   this round
-- Returns  one row per (account, entity, tx), in that order
--   account  BIGINT
--   entity   VARCHAR
--   tx       BIGINT
--   round    INTEGER
SELECT account, entity, tx, $round AS round
FROM claim
WHERE account IN (SELECT account FROM claim GROUP BY account HAVING min(entity) < max(entity))
ORDER BY account, entity, tx
