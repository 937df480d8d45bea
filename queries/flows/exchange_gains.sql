-- exchange_gains: what every exchange gained, lost and holds more each day, and the transfers to it and from it.
--
-- Reads    exchange_sum   one row per transaction and exchange with a debit or positive credit in it
--            day INTEGER                 number of the day
--            inputs, outputs BIGINT      number of debits and of positive credits: the whole transaction
--            exchange SMALLINT           -1 for all exchanges as one set
--            inputs_e, outputs_e BIGINT  number of debits and of positive credits: of the exchange
--            debit_e, credit_e BIGINT    sat: of the exchange
-- Returns  one row per (day, exchange) with a transaction, in no order
--   day                    INTEGER   number of the day
--   exchange               SMALLINT
--   gained, lost           HUGEINT   sat: FlowIn and FlowOut (methodology 6)
--   held                   HUGEINT   sat that it holds more at the end of the day than at its beginning (Sply)
--   transfers_in           HUGEINT   positive outputs to it in transactions without an input of it (FlowTfrIn)
--   transfers_out          HUGEINT   positive outputs not to it in transactions with an input of it (FlowTfrOut)
--   exchange_transactions  HUGEINT   transactions with an input of it or a positive output to it (TxExCnt)
-- A coinbase transaction, which has no inputs, changes what it holds and nothing else.
SELECT
    day,
    exchange,
    sum(CASE WHEN inputs > 0 THEN greatest(credit_e - debit_e, 0) ELSE 0 END) AS gained,
    sum(CASE WHEN inputs > 0 THEN greatest(debit_e - credit_e, 0) ELSE 0 END) AS lost,
    sum(credit_e - debit_e) AS held,
    sum(CASE WHEN inputs > 0 AND inputs_e = 0 THEN outputs_e ELSE 0 END) AS transfers_in,
    sum(CASE WHEN inputs_e > 0 THEN outputs - outputs_e ELSE 0 END) AS transfers_out,
    sum(CASE WHEN inputs > 0 THEN 1 ELSE 0 END) AS exchange_transactions
FROM exchange_sum
GROUP BY day, exchange
