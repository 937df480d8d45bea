-- verify_scripts: the scripts that the ledger keeps, as they are stored.
--
-- Reads    script
-- Returns  one row per account, in stored order
--   account  BIGINT
--   script   BLOB     scriptPubKey
--   tx       BIGINT   the first coinbase that paid it
SELECT account, script, tx
FROM script
