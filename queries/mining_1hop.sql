-- mining_1hop: the accounts that the mining entity M0 paid, M1.
--
-- Reads    credit, mining_transaction (the transactions sent by M0), exchange_account
-- Params   $ever        BOOLEAN   a member counts as one in the whole history
--          $exchanges   BOOLEAN   an exchange's account may be a member
-- Returns  one row per account, in no order
--   account  BIGINT
--   since1   BIGINT   member in every transaction from this tx on; -1 if always
WITH paid AS (
    SELECT account, min(tx) AS since1
    FROM credit
    WHERE value > 0 AND tx IN (SELECT tx FROM mining_transaction)
    GROUP BY account
)
SELECT account, CASE WHEN $ever THEN -1 ELSE since1 END AS since1
FROM paid
WHERE $exchanges OR account NOT IN (SELECT account FROM exchange_account)
