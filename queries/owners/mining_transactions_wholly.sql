-- mining_transactions_wholly: those mining transactions whose every input is from M0 as of that transaction.
--
-- Reads    debit, mining_0hop, mining_transaction
-- Returns  one row per transaction, in no order
--   tx  BIGINT
SELECT debit.tx
FROM debit LEFT JOIN mining_0hop ON debit.account = mining_0hop.account AND mining_0hop.since0 <= debit.tx
WHERE debit.tx IN (SELECT tx FROM mining_transaction)
GROUP BY debit.tx
HAVING count(*) = count(mining_0hop.account)
