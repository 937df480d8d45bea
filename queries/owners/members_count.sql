-- members_count: how many accounts exchanges, the mining entity M0 and those that it paid have, at most.
--
-- Reads    exchange_account, coinbase_account, payout
-- Returns  one row
--   accounts  BIGINT   an account that is several of these counts as often
SELECT
    (SELECT count(*) FROM exchange_account)
    + (SELECT count(*) FROM coinbase_account)
    + (SELECT count(*) FROM payout) AS accounts
