-- verify_counts: how many rows the tables have in all.
--
-- Reads    block, tx, debit, credit, coinbase
-- Returns  one row
--   block, tx, debit, credit, coinbase   BIGINT   rows
SELECT
    (SELECT count(*) FROM block) AS block,
    (SELECT count(*) FROM tx) AS tx,
    (SELECT count(*) FROM debit) AS debit,
    (SELECT count(*) FROM credit) AS credit,
    (SELECT count(*) FROM coinbase) AS coinbase
