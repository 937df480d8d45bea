-- unclaimable_accounts: the accounts that no exchange can claim, as they are before the first round of the closure.
--
-- Reads    label, coinbase_account
-- Returns  one row per account, in no order
--   account  BIGINT
-- Any labelled account and every payee of a coinbase (methodology 3, 9.6); accounts labelled as an exchange's are
-- among them.
SELECT account FROM label
UNION
SELECT account FROM coinbase_account
