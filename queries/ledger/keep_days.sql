-- keep_days: keeps the figures of days.
--
-- Reads    incoming (the columns of kept.day but clock)
-- Params   $clock  VARCHAR   mediantime or header
-- Changes  kept.day
INSERT INTO kept.day BY NAME
SELECT *, $clock AS clock
FROM incoming
ORDER BY day
