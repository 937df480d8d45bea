-- skipped_coinjoins: the CoinJoin-like transactions that an exchange signed, so that they claim nothing for it.
--
-- Reads    cluster_coinjoin, tx
-- Returns  one row per (entity, transaction), in chain order for each entity
--   entity  VARCHAR   exchange code
--   height  INTEGER
--   txid    VARCHAR   hex, as explorers print it
SELECT skipped.entity, tx.height, lower(hex(tx.txid)) AS txid
FROM (SELECT DISTINCT entity, tx FROM cluster_coinjoin) AS skipped JOIN tx ON skipped.tx = tx.tx
ORDER BY skipped.entity, tx.tx
