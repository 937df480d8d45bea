-- cluster_coinjoins: the transactions that an exchange signs, but that claim nothing in this round since they are CoinJoin-like.
--
-- Reads    claimant, coinjoin
-- Returns  one row per (entity, tx), in no order; a later round may have it again
--   entity  VARCHAR   exchange code
--   tx      BIGINT
SELECT claimant.entity, claimant.tx
FROM claimant JOIN coinjoin ON claimant.tx = coinjoin.tx
