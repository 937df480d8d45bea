-- changed_mining_accounts: the mining accounts, of either hop, that a day debits or credits.
--
-- Reads    account_change, mining_0hop, payout, exchange_account
-- Params   $never       BIGINT    what stands for no membership
--          $exchanges   BOOLEAN   an exchange's account may be in M1
-- Returns  one row per account, in no order
--   account  BIGINT
--   since0   BIGINT   the tx since which it is in M0, -1 if always, $never if never
--   since1   BIGINT   the tx of the first payout by M0 that makes it a member of M1, $never if there is none
WITH
changed AS (
    SELECT DISTINCT account
    FROM account_change
),
paid AS (
    SELECT account, since1
    FROM payout
    WHERE $exchanges OR account NOT IN (SELECT account FROM exchange_account)
)
SELECT
    changed.account,
    coalesce(mining_0hop.since0, $never) AS since0,
    coalesce(paid.since1, $never) AS since1
FROM changed
LEFT JOIN mining_0hop ON changed.account = mining_0hop.account
LEFT JOIN paid ON changed.account = paid.account
WHERE mining_0hop.account IS NOT NULL OR paid.account IS NOT NULL
