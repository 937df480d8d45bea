-- cluster_members: every exchange account and how it joined.
--
-- Reads    exchange_account, label_address, account_balance, cluster_edge, tx
-- Params   $entity   VARCHAR   exchange code, or NULL for all exchanges
-- Returns  one row per account, in order of entity, round, account
--   entity   VARCHAR   exchange code
--   account  BIGINT
--   address  VARCHAR   of a labelled account, else NULL
--   round    INTEGER   0: labelled
--   balance  HUGEINT   sat at the tip of the ledger
--   source   BIGINT    the account by whose signature it joined; NULL if labelled
--   height   INTEGER   of the transaction by which it joined; NULL if labelled
--   txid     VARCHAR   hex, as explorers print it; NULL if labelled
SELECT
    exchange_account.entity,
    exchange_account.account,
    label_address.address,
    exchange_account.round,
    coalesce(account_balance.balance, 0) AS balance,
    cluster_edge.source,
    tx.height,
    lower(hex(tx.txid)) AS txid
FROM exchange_account
LEFT JOIN label_address ON exchange_account.account = label_address.account
LEFT JOIN account_balance ON exchange_account.account = account_balance.account
LEFT JOIN cluster_edge ON exchange_account.account = cluster_edge.account
LEFT JOIN tx ON exchange_account.tx = tx.tx
WHERE CAST($entity AS VARCHAR) IS NULL OR exchange_account.entity = CAST($entity AS VARCHAR)
ORDER BY exchange_account.entity, exchange_account.round, exchange_account.account
