-- kept_until: how far the figures of days are kept, for each clock.
--
-- Reads    kept.until
-- Returns  one row per clock of which something is kept
--   clock   VARCHAR   mediantime or header
--   blocks  BIGINT    so many of the ledger's first blocks are those of kept days
SELECT clock, CAST(blocks AS BIGINT) AS blocks
FROM kept.until
