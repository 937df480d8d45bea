-- members_paid: the accounts that the mining entity M0 paid, which may be in M1.
--
-- Reads    payout, wanted
-- Params   $every   BOOLEAN   all of them, not only those that are wanted
-- Returns  one row per account and rule, in no order
--   account  BIGINT
--   since1   BIGINT     tx of the first payout
--   rule     SMALLINT   number of the rule by which M0 and what it sent were found
SELECT account, since1, rule
FROM payout
WHERE $every OR account IN (SELECT account FROM wanted)
