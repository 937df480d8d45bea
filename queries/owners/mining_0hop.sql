-- mining_0hop: the mining entity M0.
--
-- Reads    coinbase_account, exchange_account
-- Params   $ever        BOOLEAN   a member counts as one in the whole history
--          $exchanges   BOOLEAN   an exchange's account may be a member
-- Returns  one row per account, in no order
--   account  BIGINT
--   since0   BIGINT   member in every transaction from this tx on; -1 if always
SELECT account, CASE WHEN $ever THEN -1 ELSE since0 END AS since0
FROM coinbase_account
WHERE $exchanges OR account NOT IN (SELECT account FROM exchange_account)
