-- unpaid_script_sigs: the coinbases that pay no known pool, so that their tag has to tell.
--
-- Reads    coinbase, paid_pool
-- Returns  one row per block, in chain order
--   height      INTEGER
--   script_sig  BLOB
SELECT height, script_sig
FROM coinbase
WHERE height NOT IN (SELECT height FROM paid_pool)
ORDER BY height
