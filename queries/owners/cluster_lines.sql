-- cluster_lines: the exchange accounts after closure as text, from which their digest is made.
--
-- Reads    exchange_account
-- Returns  one row per account, in order of account
--   line  VARCHAR   account, comma, exchange code, end of line
SELECT concat(account, ',', entity, chr(10)) AS line
FROM exchange_account
ORDER BY account
