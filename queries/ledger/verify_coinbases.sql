-- verify_coinbases: the scriptSigs of the coinbases of a range of blocks, as they are stored.
--
-- Reads    coinbase
-- Params   $first, $last   INTEGER   heights, both included
-- Returns  one row per coinbase, in stored order
--   height      BIGINT
--   script_sig  BLOB
SELECT CAST(height AS BIGINT) AS height, script_sig
FROM coinbase
WHERE height BETWEEN $first AND $last
