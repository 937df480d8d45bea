-- keep_until: says how far the figures of days are kept.
--
-- Params   $clock   VARCHAR   mediantime or header
--          $blocks  INTEGER   so many of the ledger's first blocks are those of kept days
-- Reads    nothing
-- Changes  kept.until
INSERT OR REPLACE INTO kept.until
VALUES ($clock, $blocks)
