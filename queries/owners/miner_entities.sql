-- miner_entities: the pool of every block (methodology 3).
--
-- Reads    block, paid_pool, tagged_pool
-- Returns  one row per block, in chain order
--   height  INTEGER
--   entity  VARCHAR   NULL where nothing names a pool
--   basis   VARCHAR   payout: its coinbase pays a known address; tag: its scriptSig has a known tag; NULL: neither
SELECT
    block.height,
    coalesce(paid_pool.entity, tagged_pool.entity) AS entity,
    CASE WHEN paid_pool.entity IS NOT NULL THEN 'payout' WHEN tagged_pool.entity IS NOT NULL THEN 'tag' END AS basis
FROM block
LEFT JOIN paid_pool ON block.height = paid_pool.height
LEFT JOIN tagged_pool ON block.height = tagged_pool.height
ORDER BY block.height
