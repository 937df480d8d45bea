-- forget_holdings: removes one part of the accounts that hold something.
--
-- Reads    kept.holding
-- Params   $clock  VARCHAR   mediantime or header
--          $mask   BIGINT    the lowest bits of an account that tell parts apart
--          $part   BIGINT
-- Changes  kept.holding
DELETE FROM kept.holding
WHERE clock = $clock AND (account & CAST($mask AS BIGINT)) = CAST($part AS BIGINT)
