-- outside_credits: the largest payments of a range to accounts of no exchange, coinbases left out.
--
-- Reads    credit, debit, exchange_account
-- Params   $first, $last   BIGINT    transactions, both included
--          $most           BIGINT    sat, no larger ones
--          $rows           BIGINT    so many rows at most
-- Returns  one row per transaction and account, largest first
--   tx       BIGINT
--   account  BIGINT
--   value    HUGEINT   sat, more than 0
SELECT credit.tx, credit.account, sum(credit.value) AS value
FROM credit
WHERE
    credit.tx BETWEEN $first AND $last
    AND credit.tx IN (SELECT tx FROM debit WHERE tx BETWEEN $first AND $last)
    AND credit.account NOT IN (SELECT account FROM exchange_account)
GROUP BY credit.tx, credit.account
HAVING sum(credit.value) BETWEEN 1 AND $most
ORDER BY value DESC, credit.tx, credit.account
LIMIT $rows
