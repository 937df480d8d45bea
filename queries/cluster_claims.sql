-- cluster_claims: which accounts are claimed for which exchange in this round.
--
-- Reads    debit, claimant, coinjoin, exchange_account, label, coinbase_account, cluster_conflict
-- Returns  one row per (account, entity, tx), in no order
--   account  BIGINT
--   entity   VARCHAR   the exchange that claims it
--   tx       BIGINT    by this transaction
-- Not claimable: any labelled account, a coinbase's payee, an account that has an owner or was in conflict (METHODOLOGY
-- section 3, 9.6).
SELECT DISTINCT debit.account, claimant.entity, debit.tx
FROM debit JOIN claimant ON debit.tx = claimant.tx
WHERE debit.tx NOT IN (SELECT tx FROM coinjoin)
    AND debit.account NOT IN (SELECT account FROM exchange_account)
    AND debit.account NOT IN (SELECT account FROM label)
    AND debit.account NOT IN (SELECT account FROM coinbase_account)
    AND debit.account NOT IN (SELECT account FROM cluster_conflict)
