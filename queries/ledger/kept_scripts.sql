-- kept_scripts: the scripts that the ledger has of some accounts.
--
-- Reads    script, wanted
-- Returns  one row per account that the ledger has the script of, in no order
--   account  BIGINT
--   script   BLOB      scriptPubKey
SELECT account, script
FROM script
WHERE account IN (SELECT account FROM wanted)
