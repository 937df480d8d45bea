-- labelled_exchange_accounts: where the closure starts.
--
-- Reads    label
-- Returns  one row per account labelled as an exchange's, in no order
--   account  BIGINT
--   entity   VARCHAR   exchange code
--   round    INTEGER   0: known by label
--   tx       BIGINT    NULL: by no transaction
SELECT account, entity, 0 AS round, CAST(NULL AS BIGINT) AS tx
FROM label
WHERE category = 'exchange'
