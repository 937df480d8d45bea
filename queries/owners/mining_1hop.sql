-- mining_1hop: the accounts of M1, which the mining entity M0 paid.
--
-- Reads    credit, mining_transaction
-- Params   $rule   SMALLINT   number of the rule by which M0 and what it sent were found
-- Returns  one row per account, in no order
--   account  BIGINT
--   since1   BIGINT     tx of the first of these credits, zero values left out
--   rule     SMALLINT   as given
-- Exchange accounts are among the rows; whether they may be members is a parameter (methodology 3, 9.7).
SELECT account, min(tx) AS since1, CAST($rule AS SMALLINT) AS rule
FROM credit
WHERE value > 0 AND tx IN (SELECT tx FROM mining_transaction)
GROUP BY account
