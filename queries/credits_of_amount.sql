-- credits_of_amount: the transactions of a range that credit one account with exactly so much, and are no coinbases.
--
-- Reads    credit, debit
-- Params   $first, $last   BIGINT    transactions, both included
--          $amount         BIGINT    sat, more than 0
-- Returns  one row per transaction and account, in that order
--   tx       BIGINT
--   account  BIGINT
SELECT credit.tx, credit.account
FROM credit
WHERE
    credit.tx BETWEEN $first AND $last
    AND EXISTS (SELECT 1 FROM debit WHERE debit.tx = credit.tx)
GROUP BY credit.tx, credit.account
HAVING sum(credit.value) = $amount
ORDER BY credit.tx, credit.account
