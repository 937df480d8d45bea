-- forget_days: removes kept figures of days.
--
-- Reads    kept.day
-- Params   $clock  VARCHAR   mediantime or header
--          $end    DATE      the first day to go
-- Changes  kept.day
DELETE FROM kept.day
WHERE clock = $clock AND day >= $end
