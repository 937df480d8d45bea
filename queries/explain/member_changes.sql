-- member_changes: what each transaction of a day adds to what some accounts hold together.
--
-- Reads    account_change, member
-- Returns  one row per transaction that changes it, in chain order
--   tx     BIGINT
--   value  HUGEINT   sat, not 0
SELECT tx, sum(value) AS value
FROM account_change
WHERE account IN (SELECT account FROM member)
GROUP BY tx
HAVING sum(value) <> 0
ORDER BY tx
