-- changed_accounts: the accounts that a day debits or credits.
--
-- Reads    account_change
-- Returns  one row per account, in no order
--   account  BIGINT
SELECT DISTINCT account
FROM account_change
