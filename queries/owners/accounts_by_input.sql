-- accounts_by_input: the numbers of the input accounts, back in chain order.
--
-- Reads    numbered_input
-- Returns  one row per input, in order of place
--   number  UINTEGER   of its account, in order of account
SELECT number
FROM numbered_input
ORDER BY place
