-- cluster_joined: the accounts that join in a round of the closure, as rows of exchange_account.
--
-- Reads    incoming (account, exchange, tx), exchange (entity, number)
-- Params   $round   INTEGER   this round
-- Returns  one row per account, in no order
--   account  BIGINT
--   entity   VARCHAR   exchange code
--   round    INTEGER
--   tx       BIGINT    the first transaction, in chain order, that claims it in this round
SELECT incoming.account, exchange.entity, $round AS round, incoming.tx
FROM incoming JOIN exchange ON incoming.exchange = exchange.number
