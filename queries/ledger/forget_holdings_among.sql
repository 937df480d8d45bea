-- forget_holdings_among: removes some of the accounts that hold something.
--
-- Reads    kept.holding, wanted
-- Params   $clock  VARCHAR   mediantime or header
-- Changes  kept.holding
DELETE FROM kept.holding
WHERE clock = $clock AND account IN (SELECT account FROM wanted)
