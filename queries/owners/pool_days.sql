-- pool_days: blocks and rewards of every pool on every complete day.
--
-- Reads    block, miner_entity
-- Returns  one row per (day, entity) with a block, in that order, the blocks that nothing names last
--   day      DATE      UTC day of the block's mediantime
--   entity   VARCHAR   NULL where nothing names a pool
--   blocks   BIGINT
--   payouts  BIGINT    how many of them a payout address tells
--   tags     BIGINT    how many a tag tells
--   reward   HUGEINT   sat: issuance and fees, all that their coinbases credit
SELECT
    block.day,
    miner_entity.entity,
    count(*) AS blocks,
    count(CASE WHEN miner_entity.basis = 'payout' THEN 1 END) AS payouts,
    count(CASE WHEN miner_entity.basis = 'tag' THEN 1 END) AS tags,
    sum(block.issuance + block.fees) AS reward
FROM block JOIN miner_entity ON block.height = miner_entity.height
WHERE block.day < (SELECT max(day) FROM block)
GROUP BY block.day, miner_entity.entity
ORDER BY block.day, miner_entity.entity NULLS LAST
