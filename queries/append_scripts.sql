-- append_scripts: keeps the scripts of new coinbase payees; a script that the ledger already has stays as it was first seen.
--
-- Reads    incoming (account, script, tx), rows of new blocks in chain order; script
-- Changes  script
INSERT INTO script
SELECT account, min(script) AS script, min(tx) AS tx
FROM incoming
WHERE account NOT IN (SELECT account FROM script)
GROUP BY account
ORDER BY tx, account
