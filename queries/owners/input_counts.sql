-- input_counts: how many inputs and transactions the ledger has.
--
-- Reads    debit, block
-- Returns  one row
--   inputs        BIGINT
--   transactions  BIGINT
SELECT
    (SELECT count(*) FROM debit) AS inputs,
    (SELECT coalesce(max(first_tx + tx_count), 0) FROM block) AS transactions
