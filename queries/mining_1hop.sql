-- mining_1hop: every credit that makes an account a member of M1, the accounts that the mining entity M0 paid.
--
-- Reads    credit, mining_transaction (the transactions sent by M0)
-- Returns  one row per credit, in no order; the lowest since1 of an account counts
--   account  BIGINT
--   since1   BIGINT   tx
-- Not grouped here: the reader keeps members in a hash table anyway, and grouping first would be the dearest step of all.
-- Exchange accounts are among the rows; whether they may be members is a parameter (METHODOLOGY section 3, 9.7).
SELECT account, tx AS since1
FROM credit
WHERE value > 0 AND tx IN (SELECT tx FROM mining_transaction)
