-- append_scripts: keeps the scripts of new coinbase payees; a script that the ledger already has stays as it was first seen.
--
-- Of the scripts of one account (P2PK and P2PKH of one key) it is the one that the first coinbase paid, and the smaller one
-- where that coinbase paid both: how many blocks come in at a time makes no difference.
--
-- Reads    incoming (account, script, tx: rows of new blocks in chain order), script
-- Changes  script
INSERT INTO script
SELECT account, min(script) AS script, tx
FROM (SELECT account, script, tx, min(tx) OVER (PARTITION BY account) AS first_tx FROM incoming) AS paid
WHERE tx = first_tx AND account NOT IN (SELECT account FROM script)
GROUP BY account, tx
ORDER BY tx, account
