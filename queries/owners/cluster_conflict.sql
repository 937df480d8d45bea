-- cluster_conflict: the claims of a round on accounts that two or more exchanges claim in it, as rows of cluster_conflict.
--
-- Reads    incoming (account, exchange, tx), exchange (entity, number)
-- Params   $round   INTEGER   this round
-- Returns  one row per (account, entity, tx), in no order
--   account  BIGINT
--   entity   VARCHAR   exchange code
--   tx       BIGINT    a transaction that claims it for this exchange
--   round    INTEGER
SELECT incoming.account, exchange.entity, incoming.tx, $round AS round
FROM incoming JOIN exchange ON incoming.exchange = exchange.number
