-- members: the accounts of exchanges, and those of the mining entities M0 and M1.
--
-- Reads    exchange_account, exchange, coinbase_account, payout, wanted
-- Params   $every   BOOLEAN   all of them, not only those that are wanted
-- Returns  one row per account and what it is, in no order
--   account  BIGINT
--   role     SMALLINT   -2: an exchange's; -1: paid by a coinbase, so it may be in M0; from 0 on: paid by M0 under the
--                       rule with that number, so it may be in M1
--   number   BIGINT     number of the exchange; or the tx from which on it is a member: the first coinbase that
--                       credits it more than zero, the first payout
SELECT account, CAST(-2 AS SMALLINT) AS role, CAST(exchange.number AS BIGINT) AS number
FROM exchange_account JOIN exchange ON exchange_account.entity = exchange.entity
WHERE $every OR account IN (SELECT account FROM wanted)
UNION ALL
SELECT account, CAST(-1 AS SMALLINT), since0
FROM coinbase_account
WHERE $every OR account IN (SELECT account FROM wanted)
UNION ALL
SELECT account, rule, since1
FROM payout
WHERE $every OR account IN (SELECT account FROM wanted)
