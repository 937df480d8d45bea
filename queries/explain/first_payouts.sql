-- first_payouts: the first transaction sent by the mining entity M0 that credits each of some accounts.
--
-- Reads    credit, mining_transaction, wanted
-- Returns  one row per account that was paid, in order of account
--   account  BIGINT
--   tx       BIGINT
-- Exchange accounts are among the rows; whether they may be members is a parameter (methodology 3, 9.7).
SELECT account, min(tx) AS tx
FROM credit
WHERE value > 0
    AND account IN (SELECT account FROM wanted)
    AND tx IN (SELECT tx FROM mining_transaction)
GROUP BY account
ORDER BY account
