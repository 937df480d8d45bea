-- cluster_coinjoin: the CoinJoin-like transactions that an exchange signs in a round, as rows of cluster_coinjoin.
--
-- Reads    incoming (exchange, tx), exchange (entity, number)
-- Params   $round   INTEGER   this round; a later one may have the same rows again
-- Returns  one row per (entity, tx), in no order
--   entity  VARCHAR   exchange code
--   tx      BIGINT
SELECT exchange.entity, incoming.tx
FROM incoming JOIN exchange ON incoming.exchange = exchange.number
WHERE $round > 0
