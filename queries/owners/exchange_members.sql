-- exchange_members: the exchange accounts with the number of their exchange.
--
-- Reads    exchange_account, exchange
-- Returns  one row per account, in no order
--   account   BIGINT
--   exchange  SMALLINT
SELECT account, number AS exchange
FROM exchange_account JOIN exchange ON exchange_account.entity = exchange.entity
