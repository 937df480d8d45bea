-- kept_holdings_among: those of some accounts that hold something at the end of the last kept day.
--
-- Reads    kept.holding, wanted
-- Params   $clock  VARCHAR   mediantime or header
-- Returns  one row per account, in no order
--   account  BIGINT
--   balance  BIGINT   sat, not 0
SELECT account, balance
FROM kept.holding
WHERE clock = $clock AND account IN (SELECT account FROM wanted)
