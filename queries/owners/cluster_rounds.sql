-- cluster_rounds: how many accounts joined each exchange in each round of the closure.
--
-- Reads    exchange_account
-- Returns  one row per (entity, round) with an account, in that order
--   entity    VARCHAR   exchange code
--   round     INTEGER   0: labelled
--   accounts  BIGINT
SELECT entity, round, count(*) AS accounts
FROM exchange_account
GROUP BY entity, round
ORDER BY entity, round
