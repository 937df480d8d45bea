-- earlier_balances: what some accounts held before a day, in parts.
--
-- Reads    earlier_balance
-- Returns  one row for each run of earlier blocks that changes an account's balance, in order of account
--   account  BIGINT
--   value    BIGINT   sat
SELECT account, value
FROM earlier_balance
ORDER BY account
