-- members: every account whose owner matters, and what it is.
--
-- Reads    exchange_account, exchange (entity, number), mining_0hop, mining_1hop
-- Params   $never   BIGINT    larger than any tx
--          $exact   BOOLEAN   one hop means M1 without M0; else M0 and M1 together
-- Returns  one row per account, in no order
--   account   BIGINT
--   exchange  SMALLINT   number of its exchange, -1 if none
--   since0    BIGINT     in M0 from this tx on, $never if not at all
--   since1    BIGINT     in M1 (exact) or W1 (within) from this tx on, $never if not at all
WITH mining AS (
    SELECT
        coalesce(mining_0hop.account, mining_1hop.account) AS account,
        coalesce(since0, $never) AS since0,
        coalesce(since1, $never) AS since1
    FROM mining_0hop FULL JOIN mining_1hop ON mining_0hop.account = mining_1hop.account
),
owned AS (
    SELECT account, number
    FROM exchange_account JOIN exchange ON exchange_account.entity = exchange.entity
)
SELECT
    coalesce(owned.account, mining.account) AS account,
    CAST(coalesce(number, -1) AS SMALLINT) AS exchange,
    coalesce(since0, $never) AS since0,
    coalesce(CASE WHEN $exact THEN since1 ELSE least(since0, since1) END, $never) AS since1
FROM owned FULL JOIN mining ON owned.account = mining.account
