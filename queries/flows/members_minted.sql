-- members_minted: the accounts that a coinbase paid, which may be in the mining entity M0.
--
-- Reads    coinbase_account, wanted
-- Params   $every   BOOLEAN   all of them, not only those that are wanted
-- Returns  one row per account, in no order
--   account  BIGINT
--   since0   BIGINT   the first coinbase tx that credits it more than zero
SELECT account, since0
FROM coinbase_account
WHERE $every OR account IN (SELECT account FROM wanted)
