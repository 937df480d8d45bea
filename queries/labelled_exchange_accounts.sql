-- labelled_exchange_accounts: where the closure starts.
--
-- Reads    label
-- Returns  one row per account labelled as an exchange's, in no order
--   account  BIGINT
--   entity   VARCHAR   exchange code
--   round    INTEGER   0: known by label
SELECT account, entity, 0 AS round
FROM label
WHERE category = 'exchange'
