-- cluster_sizes: how many accounts each exchange has, by label and after closure.
--
-- Reads    exchange_account
-- Returns  one row per exchange, in order of entity
--   entity    VARCHAR
--   labelled  BIGINT   accounts with a label
--   accounts  BIGINT   accounts in all
SELECT entity, count(CASE WHEN round = 0 THEN 1 END) AS labelled, count(*) AS accounts
FROM exchange_account
GROUP BY entity
ORDER BY entity
