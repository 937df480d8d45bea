-- unseen_labels: the labelled accounts that the ledger has never seen.
--
-- Reads    label_account, credit
-- Returns  one row per account that no output pays, not even zero, in order of account
--   account  BIGINT
SELECT account
FROM label_account
WHERE account NOT IN (SELECT account FROM credit WHERE account IN (SELECT account FROM label_account))
ORDER BY account
