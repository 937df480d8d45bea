-- cluster_joins: the accounts that exactly one exchange claims in this round.
--
-- Reads    claim
-- Params   $round   INTEGER   this round
-- Returns  one row per account, in no order
--   account  BIGINT
--   entity   VARCHAR
--   round    INTEGER
--   tx       BIGINT    the first transaction, in chain order, that claims it in this round
SELECT account, min(entity) AS entity, $round AS round, min(tx) AS tx
FROM claim
GROUP BY account
HAVING min(entity) = max(entity)
