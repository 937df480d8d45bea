-- exchange_numbers: a small number for each exchange, in the order of their codes.
--
-- Reads    label
-- Returns  one row per exchange
--   entity  VARCHAR    exchange code
--   number  SMALLINT   from 0
SELECT entity, CAST(row_number() OVER (ORDER BY entity) - 1 AS SMALLINT) AS number
FROM (SELECT DISTINCT entity FROM label WHERE category = 'exchange') AS code
