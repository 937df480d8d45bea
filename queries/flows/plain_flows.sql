-- plain_flows: what the mining entities sent to anyone else each day, and what they got.
--
-- Reads    transaction_sum   one row per transaction with a debit or positive credit of S_1 or S_0
--            day INTEGER                                    number of the day
--            inputs, debit, credit BIGINT                   number, sat, sat: the whole transaction
--            inputs0, debit0, credit0, inputs1, …           of S_0 and S_1 as of the transaction
-- Params   $sender   VARCHAR   any_input, all_inputs, pro_rata or min_net
-- Returns  one row per day that moved, in no order
--   day                        INTEGER   number of the day
--   out0, in0, out1, in1       HUGEINT   sat, the plain FlowMinerOut and FlowMinerIn at either hop
-- methodology 5 (out), 6 and 9.1, 9.3 (in). A coinbase transaction has no inputs: nobody sent it, all it credits
-- to a mining entity is an inflow.
WITH side AS (
    SELECT day, 0 AS hop, inputs, debit, credit, inputs0 AS inputs_s, debit0 AS debit_s, credit0 AS credit_s
    FROM transaction_sum
    WHERE inputs0 > 0 OR credit0 > 0
    UNION ALL
    SELECT day, 1, inputs, debit, credit, inputs1, debit1, credit1
    FROM transaction_sum
    WHERE inputs1 > 0 OR credit1 > 0
),
flow AS (
    SELECT
        day,
        hop,
        CASE
            WHEN inputs_s = 0 THEN 0
            WHEN $sender = 'any_input' THEN credit - credit_s
            WHEN $sender = 'all_inputs' THEN CASE WHEN inputs_s = inputs THEN credit - credit_s ELSE 0 END
            WHEN $sender = 'min_net' THEN least(greatest(debit_s - credit_s, 0), credit - credit_s)
            WHEN debit > 0 THEN CAST(credit - credit_s AS HUGEINT) * debit_s // debit
            ELSE 0
        END AS sent,
        CASE
            WHEN inputs_s = 0 THEN credit_s
            WHEN $sender = 'all_inputs' THEN CASE WHEN inputs_s = inputs THEN 0 ELSE credit_s END
            WHEN $sender = 'pro_rata' AND debit > 0 THEN CAST(credit_s AS HUGEINT) * (debit - debit_s) // debit
            ELSE 0
        END AS received
    FROM side
)
SELECT
    day,
    sum(CASE WHEN hop = 0 THEN sent ELSE 0 END) AS out0,
    sum(CASE WHEN hop = 0 THEN received ELSE 0 END) AS in0,
    sum(CASE WHEN hop = 1 THEN sent ELSE 0 END) AS out1,
    sum(CASE WHEN hop = 1 THEN received ELSE 0 END) AS in1
FROM flow
GROUP BY day
