-- pool_accounts: the mining entity M0, each account with the pool whose coinbase paid it first.
--
-- Reads    mining_0hop, block, miner_entity
-- Returns  one row per account, in no order
--   account  BIGINT
--   entity   VARCHAR  NULL where nothing names that pool
--   since0   BIGINT   tx of that coinbase
SELECT mining_0hop.account, miner_entity.entity, mining_0hop.since0
FROM mining_0hop
JOIN block ON mining_0hop.since0 = block.first_tx
JOIN miner_entity ON block.height = miner_entity.height
