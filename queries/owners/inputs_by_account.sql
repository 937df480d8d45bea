-- inputs_by_account: the inputs of transactions with several input accounts, so that those of an account lie together.
--
-- Reads    common_input
-- Returns  one row per input, in order of account and place
--   account      BIGINT
--   transaction  BIGINT   number of its transaction among those with several input accounts
--   place        BIGINT   number of the input, in chain order
SELECT account, transaction, place
FROM common_input
ORDER BY account, place
