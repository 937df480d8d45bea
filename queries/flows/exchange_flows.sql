-- exchange_flows: what every exchange exchanged with the mining entities each day.
--
-- Reads    shared_sum     one row per non-coinbase transaction and exchange with a debit or positive credit in it, if
--                         S_0 or S_1 has one too
--            day INTEGER                                    number of the day
--            exchange SMALLINT                              -1 for all exchanges as one set
--            inputs, debit, credit BIGINT                   number, sat, sat: the whole transaction
--            inputs0, debit0, credit0, inputs1, …           of S_0 and S_1 as of the transaction
--            inputs_e, debit_e, credit_e BIGINT             of the exchange
--            debit_e0, credit_e0, debit_e1, credit_e1       of the exchange's accounts in S_0, in S_1
-- Params   $sender   VARCHAR   any_input, all_inputs, pro_rata or min_net
--          $gross    BOOLEAN   take what R was credited, not what it gained
-- Returns  one row per (day, exchange, series) that moved, in no order
--   day       INTEGER   number of the day
--   exchange  SMALLINT
--   series    VARCHAR   out0, in0, out1, in1: FlowMinerOut and FlowMinerIn at either hop (methodology 5)
--   value     HUGEINT   sat
-- R loses the accounts that are also in S (methodology 9.7).
WITH
-- S sends to R: inputs, debits and credits of S; credits and debits of R without S.
pair AS (
    SELECT day, exchange, 'out0' AS series, inputs, debit, inputs0 AS inputs_s, debit0 AS debit_s, credit0 AS credit_s,
        credit_e - credit_e0 AS credit_r, debit_e - debit_e0 AS debit_r
    FROM shared_sum
    WHERE inputs0 > 0 AND credit_e > 0
    UNION ALL
    SELECT day, exchange, 'out1', inputs, debit, inputs1, debit1, credit1, credit_e - credit_e1, debit_e - debit_e1
    FROM shared_sum
    WHERE inputs1 > 0 AND credit_e > 0
    UNION ALL
    SELECT day, exchange, 'in0', inputs, debit, inputs_e, debit_e, credit_e, credit0 - credit_e0, debit0 - debit_e0
    FROM shared_sum
    WHERE inputs_e > 0 AND credit0 > 0
    UNION ALL
    SELECT day, exchange, 'in1', inputs, debit, inputs_e, debit_e, credit_e, credit1 - credit_e1, debit1 - debit_e1
    FROM shared_sum
    WHERE inputs_e > 0 AND credit1 > 0
),
transfer AS (
    SELECT *, CASE WHEN $gross THEN credit_r ELSE greatest(credit_r - debit_r, 0) END AS gain
    FROM pair
),
flow AS (
    SELECT
        day,
        exchange,
        series,
        CASE $sender
            WHEN 'any_input' THEN gain
            WHEN 'all_inputs' THEN CASE WHEN inputs_s = inputs THEN credit_r ELSE 0 END
            WHEN 'pro_rata' THEN CASE
                WHEN debit > debit_r THEN CAST(gain AS HUGEINT) * debit_s // (debit - debit_r) ELSE 0
            END
            WHEN 'min_net' THEN least(greatest(debit_s - credit_s, 0), gain)
        END AS value
    FROM transfer
)
SELECT day, exchange, series, sum(value) AS value
FROM flow
GROUP BY day, exchange, series
