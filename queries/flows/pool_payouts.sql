-- pool_payouts: the pool that a block's coinbase pays.
--
-- Reads    block, credit, payout_address
-- Returns  one row per block whose coinbase pays a known address more than zero, in no order
--   height  INTEGER
--   entity  VARCHAR   of the highest-valued of these outputs (methodology 9.13); of several, the first by name
WITH paid AS (
    SELECT block.height, payout_address.entity, credit.value
    FROM credit
    JOIN payout_address ON credit.account = payout_address.account
    JOIN block ON credit.tx = block.first_tx
    WHERE credit.value > 0
),
highest AS (
    SELECT height, max(value) AS value
    FROM paid
    GROUP BY height
)
SELECT paid.height, min(paid.entity) AS entity
FROM paid JOIN highest ON paid.height = highest.height AND paid.value = highest.value
GROUP BY paid.height
