-- cluster_edges: by whose signature an account joined.
--
-- Reads    debit, exchange_account
-- Returns  one row per account that joined in a round, in no order
--   account  BIGINT
--   source   BIGINT   the account of its exchange, of the round before, that signed the transaction by which it joined;
--                     of several, the lowest
WITH signer AS (
    SELECT debit.tx, member.entity, member.round, min(debit.account) AS source
    FROM debit JOIN exchange_account AS member ON debit.account = member.account
    WHERE debit.tx IN (SELECT tx FROM exchange_account WHERE round > 0)
    GROUP BY debit.tx, member.entity, member.round
)
SELECT joined.account, signer.source
FROM exchange_account AS joined
JOIN signer
    ON joined.tx = signer.tx AND joined.entity = signer.entity AND joined.round = signer.round + 1
