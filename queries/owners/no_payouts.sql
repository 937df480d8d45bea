-- no_payouts: the accounts of M1 before any rule was applied, none.
--
-- Reads    block
-- Returns  no row, in the shape of mining_1hop
--   account  BIGINT
--   since1   BIGINT
--   rule     SMALLINT
SELECT first_tx AS account, first_tx AS since1, CAST(0 AS SMALLINT) AS rule
FROM block
WHERE FALSE
