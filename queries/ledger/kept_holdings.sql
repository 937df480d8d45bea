-- kept_holdings: one part of the accounts that hold something at the end of the last kept day.
--
-- Reads    kept.holding
-- Params   $clock  VARCHAR   mediantime or header
--          $mask   BIGINT    the lowest bits of an account that tell parts apart
--          $part   BIGINT
-- Returns  one row per account, in no order
--   account  BIGINT
--   balance  BIGINT   sat, not 0
SELECT account, balance
FROM kept.holding
WHERE clock = $clock AND (account & CAST($mask AS BIGINT)) = CAST($part AS BIGINT)
