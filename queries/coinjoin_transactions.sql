-- coinjoin_transactions: which claimants are CoinJoin-like, so that a common input says nothing about a common owner.
--
-- Reads    debit, credit, claimant
-- Returns  one row per transaction, in no order
--   tx  BIGINT
-- With k the highest number of outputs of one same value: k >= 3, at least k distinct input accounts, and 2k >= number of
-- outputs; zero values count (METHODOLOGY section 3, 9.5).
WITH same_value AS (
    SELECT tx, value, count(*) AS outputs
    FROM credit
    WHERE tx IN (SELECT tx FROM claimant)
    GROUP BY tx, value
),
shape AS (
    SELECT tx, max(outputs) AS k, sum(outputs) AS outputs
    FROM same_value
    GROUP BY tx
    HAVING max(outputs) >= 3 AND 2 * max(outputs) >= sum(outputs)
),
signer AS (
    SELECT tx, count(DISTINCT account) AS accounts
    FROM debit
    WHERE tx IN (SELECT tx FROM shape)
    GROUP BY tx
)
SELECT shape.tx
FROM shape JOIN signer ON shape.tx = signer.tx
WHERE signer.accounts >= shape.k
