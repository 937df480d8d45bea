-- payout_senders: the mining accounts that were debited in some transactions, as of the transaction.
--
-- Reads    debit, mining_0hop, wanted_tx
-- Returns  one row per (tx, account), in that order
--   tx       BIGINT
--   account  BIGINT
SELECT DISTINCT debit.tx, debit.account
FROM debit JOIN mining_0hop ON debit.account = mining_0hop.account
WHERE mining_0hop.since0 <= debit.tx AND debit.tx IN (SELECT tx FROM wanted_tx)
ORDER BY debit.tx, debit.account
