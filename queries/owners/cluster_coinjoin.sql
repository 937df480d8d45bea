-- cluster_coinjoin: the CoinJoin-like transactions that an exchange signs in a round, as rows of cluster_coinjoin.
--
-- Reads    claim, exchange
-- Params   $round   INTEGER   this round; a later one may have the same rows again
-- Returns  one row per (entity, tx), in no order
--   entity  VARCHAR   exchange code
--   tx      BIGINT
SELECT exchange.entity, claim.tx
FROM claim JOIN exchange ON claim.exchange = exchange.number
WHERE $round > 0
