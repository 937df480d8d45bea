-- cluster_bridges: for every round from the second on, the account that brought most others in, and how it came in itself.
--
-- Reads    exchange_account, cluster_edge, tx
-- Returns  one row per (entity, round), in that order
--   entity    VARCHAR   exchange code
--   round     INTEGER
--   source    BIGINT    the account; of several, the lowest
--   accounts  BIGINT    how many joined in this round by its signature
--   height    INTEGER   of the transaction by which it had joined in the round before
--   txid      VARCHAR   hex, as explorers print it
WITH brought AS (
    SELECT joined.entity, joined.round, cluster_edge.source, count(*) AS accounts
    FROM exchange_account AS joined JOIN cluster_edge ON joined.account = cluster_edge.account
    WHERE joined.round > 1
    GROUP BY joined.entity, joined.round, cluster_edge.source
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY entity, round ORDER BY accounts DESC, source) AS place
    FROM brought
)
SELECT ranked.entity, ranked.round, ranked.source, ranked.accounts, tx.height, lower(hex(tx.txid)) AS txid
FROM ranked
JOIN exchange_account AS bridge ON ranked.source = bridge.account
JOIN tx ON bridge.tx = tx.tx
WHERE ranked.place = 1
ORDER BY ranked.entity, ranked.round
