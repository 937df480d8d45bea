-- coinbase_accounts: every account that a coinbase transaction credits, and since when.
--
-- Reads    block, credit
-- Returns  one row per account, in no order
--   account  BIGINT
--   since0   BIGINT   the first coinbase tx that credits it more than zero
-- Whoever else owns the account: this is what the closure asks, and where the mining entity starts (methodology 3).
SELECT account, min(tx) AS since0
FROM credit
WHERE value > 0 AND tx IN (SELECT first_tx FROM block)
GROUP BY account
