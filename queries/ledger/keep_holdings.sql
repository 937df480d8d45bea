-- keep_holdings: keeps accounts that hold something.
--
-- Reads    incoming (account, balance)
-- Params   $clock  VARCHAR   mediantime or header
-- Changes  kept.holding
INSERT INTO kept.holding BY NAME
SELECT $clock AS clock, account, balance
FROM incoming
