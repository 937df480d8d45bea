-- kept_days: the figures of days that the ledger keeps.
--
-- Reads    kept.day
-- Params   $clock  VARCHAR   mediantime or header
--          $end    DATE      the first day that is not asked for
-- Returns  one row per day, from the ledger's first on, in order
--   active            BIGINT   distinct accounts debited, or credited more than 0
--   sent              BIGINT   distinct accounts debited
--   received          BIGINT   distinct accounts credited more than 0
--   holders           BIGINT   accounts with a balance above 0 at the end of the day
--   fee_middle        BIGINT   sat; the fee in the middle, or the sum of the two
--   fee_middles       BIGINT   how many these are: 0, 1 or 2
--   transfer_middle   BIGINT   sat; the transfer in the middle, or the sum of the two
--   transfer_middles  BIGINT   how many these are
SELECT active, sent, received, holders, fee_middle, fee_middles, transfer_middle, transfer_middles
FROM kept.day
WHERE clock = $clock AND day < $end
ORDER BY day
