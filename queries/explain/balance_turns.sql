-- balance_turns: the transactions of a day by which an account came to hold something, or held nothing any more.
--
-- Reads    account_change (all transactions of the day), earlier_balance (all blocks of earlier days)
-- Returns  one row per turn, in chain order
--   tx       BIGINT
--   account  BIGINT
--   turn     INTEGER   1: its balance is above 0 after the transaction and was not before; -1: the other way round
-- Where days are cut by header times an account may spend a day before it is paid: a balance below 0 counts as none.
WITH
earlier AS (
    SELECT account, sum(value) AS value
    FROM earlier_balance
    GROUP BY account
),
balance AS (
    SELECT
        change.tx,
        change.account,
        change.value,
        coalesce(earlier.value, 0)
        + sum(change.value) OVER (PARTITION BY change.account ORDER BY change.tx) AS balance
    FROM account_change AS change
    LEFT JOIN earlier ON change.account = earlier.account
)
SELECT tx, account, CASE WHEN balance > 0 THEN 1 ELSE -1 END AS turn
FROM balance
WHERE (balance > 0) <> (balance - value > 0)
ORDER BY tx, account
