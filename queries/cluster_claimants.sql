-- cluster_claimants: the transactions that an exchange signs with an account it gained in the round before.
--
-- Reads    debit, exchange_account
-- Params   $round   INTEGER   the round before this one; 0 is the labels
-- Returns  one row per (tx, entity), in no order
--   tx      BIGINT
--   entity  VARCHAR   exchange code
-- Transactions with older accounts of the exchange made their claims in an earlier round: those accounts joined, or are
-- in conflict, or cannot be claimed.
SELECT DISTINCT debit.tx, exchange_account.entity
FROM debit JOIN exchange_account ON debit.account = exchange_account.account
WHERE exchange_account.round = $round
