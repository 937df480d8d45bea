-- no_coinjoins: the CoinJoin-like transactions skipped before the first round of the closure, none.
--
-- Reads    label
-- Returns  no row, in the shape of cluster_coinjoins
--   entity  VARCHAR
--   tx      BIGINT
SELECT entity, CAST(0 AS BIGINT) AS tx
FROM label
WHERE FALSE
