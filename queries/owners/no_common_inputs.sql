-- no_common_inputs: the inputs of transactions with several input accounts before any block was read, none.
--
-- Reads    block
-- Returns  no row, in the shape of common_input
--   account      BIGINT
--   transaction  BIGINT   number of its transaction among those with several input accounts
--   place        BIGINT   number of the input, in chain order
SELECT first_tx AS account, first_tx AS transaction, first_tx AS place
FROM block
WHERE FALSE
