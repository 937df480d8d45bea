-- members_of_exchanges: the exchange accounts with the number of their exchange.
--
-- Reads    exchange_account, exchange, wanted
-- Params   $every   BOOLEAN   all of them, not only those that are wanted
-- Returns  one row per account, in no order
--   account   BIGINT
--   exchange  SMALLINT
SELECT account, number AS exchange
FROM exchange_account JOIN exchange ON exchange_account.entity = exchange.entity
WHERE $every OR account IN (SELECT account FROM wanted)
