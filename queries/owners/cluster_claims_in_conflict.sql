-- cluster_claims_in_conflict: which exchanges claimed the accounts that joined nobody, and by which transactions.
--
-- Reads    cluster_conflict, tx
-- Returns  one row per (account, entity), in that order
--   account  BIGINT
--   entity   VARCHAR   an exchange that claimed it
--   round    INTEGER   of the closure
--   claims   BIGINT    transactions that claim it for this exchange
--   height   INTEGER   of the first of them, in chain order
--   txid     VARCHAR   its txid, hex as explorers print it
WITH claim_of AS (
    SELECT account, entity, round, count(*) AS claims, min(tx) AS tx
    FROM cluster_conflict
    GROUP BY account, entity, round
)
SELECT claim_of.account, claim_of.entity, claim_of.round, claim_of.claims, tx.height, lower(hex(tx.txid)) AS txid
FROM claim_of JOIN tx ON claim_of.tx = tx.tx
ORDER BY claim_of.account, claim_of.entity
