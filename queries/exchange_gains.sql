-- exchange_gains: what every exchange gained and lost each day.
--
-- Reads    exchange_sum   one row per non-coinbase transaction and exchange with a debit or positive credit in it
--            day INTEGER                number of the day
--            exchange SMALLINT          -1 for all exchanges as one set
--            debit_e, credit_e BIGINT   sat: of the exchange
-- Returns  one row per (day, exchange, series) with a transaction, in no order
--   day       INTEGER   number of the day
--   exchange  SMALLINT
--   series    VARCHAR   gained, lost: FlowIn and FlowOut (METHODOLOGY section 6)
--   value     HUGEINT   sat
SELECT day, exchange, 'gained' AS series, sum(greatest(credit_e - debit_e, 0)) AS value
FROM exchange_sum
GROUP BY day, exchange
UNION ALL
SELECT day, exchange, 'lost', sum(greatest(debit_e - credit_e, 0))
FROM exchange_sum
GROUP BY day, exchange
