-- account_owners: all that is known about who owns some accounts, and by what.
--
-- Reads    wanted, label, exchange_account, mining_0hop, coinbase_account
-- Returns  one row per account, in order of account
--   account       BIGINT
--   label         VARCHAR   entity that a label names, null without a label
--   category      VARCHAR   category of the label
--   exchange      VARCHAR   exchange code, null if it is no exchange's account
--   round         INTEGER   0 labelled, else the round of the closure in which it joined
--   joined        BIGINT    tx by which it joined, null if labelled
--   first_minted  BIGINT    the first coinbase tx that credits it, null if none does or it may not be a mining account
SELECT
    wanted.account,
    label.entity AS label,
    label.category,
    exchange_account.entity AS exchange,
    exchange_account.round,
    exchange_account.tx AS joined,
    CASE WHEN mining_0hop.account IS NOT NULL THEN coinbase_account.since0 END AS first_minted
FROM wanted
LEFT JOIN label ON wanted.account = label.account
LEFT JOIN exchange_account ON wanted.account = exchange_account.account
LEFT JOIN mining_0hop ON wanted.account = mining_0hop.account
LEFT JOIN coinbase_account ON wanted.account = coinbase_account.account
ORDER BY wanted.account
