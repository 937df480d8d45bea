-- accounts_by_input: the numbers of the input accounts, back in chain order.
--
-- Reads    numbered_input (place, number)
-- Returns  one row per input, in order of place
--   number  BIGINT   of its account, in order of account
SELECT number
FROM numbered_input
ORDER BY place
