-- transaction_parties: who was debited and credited in some transactions.
--
-- Reads    debit, credit, wanted_tx
-- Returns  one row per (tx, side, account): in chain order, debits first, the largest value first
--   tx        BIGINT
--   is_debit  BOOLEAN
--   account   BIGINT
--   value     HUGEINT   sat
--   postings  BIGINT    number of inputs or outputs
WITH side AS (
    SELECT tx, TRUE AS is_debit, account, value
    FROM debit
    WHERE tx IN (SELECT tx FROM wanted_tx)
    UNION ALL
    SELECT tx, FALSE, account, value
    FROM credit
    WHERE tx IN (SELECT tx FROM wanted_tx)
)
SELECT tx, is_debit, account, sum(value) AS value, count(*) AS postings
FROM side
GROUP BY tx, is_debit, account
ORDER BY tx, is_debit DESC, value DESC, account
