-- cluster_joined: the accounts that join in a round of the closure, as rows of exchange_account.
--
-- Reads    claim, exchange
-- Params   $round   INTEGER   this round
-- Returns  one row per account, in no order
--   account  BIGINT
--   entity   VARCHAR   exchange code
--   round    INTEGER
--   tx       BIGINT    the first transaction, in chain order, that claims it in this round
SELECT claim.account, exchange.entity, $round AS round, claim.tx
FROM claim JOIN exchange ON claim.exchange = exchange.number
