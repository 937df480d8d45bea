-- cluster_accounts: the exchange accounts after closure.
--
-- Reads    exchange_account
-- Returns  one row per account, in order of account
--   account  BIGINT
--   entity   VARCHAR   exchange code
--   round    INTEGER   0 labelled, else the round of the closure in which it joined
SELECT account, entity, round
FROM exchange_account
ORDER BY account
