-- mining_transactions: the transactions with an input from the mining entity M0 as of that transaction.
--
-- Reads    debit, mining_0hop
-- Returns  one row per transaction, in no order
--   tx  BIGINT
SELECT DISTINCT debit.tx
FROM debit JOIN mining_0hop ON debit.account = mining_0hop.account
WHERE mining_0hop.since0 <= debit.tx
