-- accounts_of_exchange: the accounts of one exchange, or of all of them.
--
-- Reads    exchange_account
-- Params   $entity   VARCHAR   exchange code, or Ex for all exchanges as one set
-- Returns  one row per account, in no order
--   account  BIGINT
SELECT account
FROM exchange_account
WHERE entity = $entity OR $entity = 'Ex'
