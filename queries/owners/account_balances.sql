-- account_balances: what every exchange account holds at the tip of the ledger.
--
-- Reads    debit, credit, exchange_account
-- Returns  one row per account that the ledger has, in no order
--   account  BIGINT
--   balance  HUGEINT   sat
SELECT account, sum(value) AS balance
FROM (
    SELECT account, value FROM credit
    UNION ALL
    SELECT account, -value FROM debit
) AS posting
WHERE account IN (SELECT account FROM exchange_account)
GROUP BY account
