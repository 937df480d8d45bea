-- cluster_conflict: the claims of a round on accounts that two or more exchanges claim in it, as rows of cluster_conflict.
--
-- Reads    claim, exchange
-- Params   $round   INTEGER   this round
-- Returns  one row per (account, entity, tx), in no order
--   account  BIGINT
--   entity   VARCHAR   exchange code
--   tx       BIGINT    a transaction that claims it for this exchange
--   round    INTEGER
SELECT claim.account, exchange.entity, claim.tx, $round AS round
FROM claim JOIN exchange ON claim.exchange = exchange.number
