-- pool_blocks: the pool of every block of the complete days.
--
-- Reads    block, miner_entity
-- Returns  one row per block, in chain order
--   height  INTEGER
--   hash    VARCHAR   hex, as explorers print it
--   day     DATE      UTC day of its mediantime
--   entity  VARCHAR   NULL where nothing names a pool
--   basis   VARCHAR   payout or tag; NULL where entity is
--   reward  BIGINT    sat: issuance and fees
SELECT
    block.height,
    lower(hex(block.hash)) AS hash,
    block.day,
    miner_entity.entity,
    miner_entity.basis,
    block.issuance + block.fees AS reward
FROM block JOIN miner_entity ON block.height = miner_entity.height
WHERE block.day < (SELECT max(day) FROM block)
ORDER BY block.height
