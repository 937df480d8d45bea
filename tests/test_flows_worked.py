"""The worked transactions of methodology 7 as a table, under the default and under the variants it names.

M = 1 (a miner), A = 2 and B = 3 (exchanges AAA and BBB), U and V = strangers. The transaction under test is
alone on its day, which follows the day on which the coinbases were paid.
"""

from dataclasses import replace

import pytest

from reflow.flows.methodology import REFERENCE, Methodology, Sender
from reflow.flows.recompute import recompute
from support.economy import (
    Transaction,
    clock_to,
    coinbase,
    in_sat,
    labels_of,
    ledger_of,
    on_day,
    pay,
    settled,
)

M, A, B, U, V = 1, 2, 3, 8, 9
EXCHANGES = {A: "AAA", B: "BBB"}


def flows(transaction: Transaction, method: Methodology = REFERENCE) -> dict[str, int]:
    """Metric id -> sat on the day of the transaction."""
    economy = settled(on_day(0, coinbase((M, 5000))), *clock_to(1), on_day(1, transaction))
    with ledger_of(economy) as ledger:
        result = recompute(ledger, labels_of(EXCHANGES), methodology=method)
    sums = [metric for metric in result.metrics if metric.unit == "native" and not metric.is_quotient]
    return {metric.stem: value for metric in sums if (value := in_sat(result, metric.id)[1]) is not None}


ONE = pay([(M, 1000)], [(A, 600), (M, 390)])
TWO = pay([(M, 100), (U, 900)], [(A, 500), (U, 490)])
THREE = pay([(M, 500), (A, 500)], [(A, 990)])
FOUR = pay([(A, 1000)], [(M, 300), (A, 690)])
FIVE = pay([(A, 1000)], [(B, 500), (U, 490)])
SIX = pay([(M, 1000)], [(V, 900), (A, 90)])
SEVEN = coinbase((A, 625_000_000))

TABLE: list[tuple[str, Transaction, Sender, dict[str, int]]] = [
    (
        "1 miner to exchange with change",
        ONE,
        "any_input",
        {
            "FlowMinerOut0HopAllAAA": 600,
            "FlowMinerOut0HopAllEx": 600,
            "FlowMinerOut0HopAll": 600,
            "FlowMinerOut1HopAllAAA": 600,
            "FlowMinerOut1HopAll": 600,
            "FlowInAAA": 600,
            "FlowMinerIn0HopAll": 0,
        },
    ),
    ("2 shared inputs", TWO, "any_input", {"FlowMinerOut0HopAllAAA": 500, "FlowMinerOut1HopAllAAA": 500}),
    ("2 shared inputs", TWO, "pro_rata", {"FlowMinerOut0HopAllAAA": 50, "FlowMinerOut1HopAllAAA": 500}),
    ("2 shared inputs", TWO, "all_inputs", {"FlowMinerOut0HopAllAAA": 0, "FlowMinerOut1HopAllAAA": 0}),
    ("2 shared inputs", TWO, "min_net", {"FlowMinerOut0HopAllAAA": 100, "FlowMinerOut1HopAllAAA": 500}),
    (
        "3 both send to the exchange",
        THREE,
        "any_input",
        {"FlowMinerOut0HopAllAAA": 490, "FlowMinerIn0HopAllAAA": 0, "FlowInAAA": 490, "FlowOutAAA": 0},
    ),
    (
        "4 exchange to miner",
        FOUR,
        "any_input",
        {
            "FlowMinerIn0HopAllAAA": 300,
            "FlowOutAAA": 310,
            "FlowMinerIn0HopAll": 300,
            "FlowMinerOut0HopAllAAA": 0,
        },
    ),
    (
        "5 exchange to exchange",
        FIVE,
        "any_input",
        {
            "FlowMinerOut1HopAllEx": 0,
            "FlowMinerIn1HopAllEx": 0,
            "FlowOutAAA": 1000,
            "FlowInBBB": 500,
            "FlowOutEx": 500,
            "FlowInEx": 0,
            "FlowInExIncl": 500,
            "FlowOutExIncl": 1000,
            "FlowNetExIncl": -500,
        },
    ),
    (
        "6 a new one-hop account",
        SIX,
        "any_input",
        {
            "FlowMinerOut1HopAll": 90,
            "FlowMinerOut0HopAll": 990,
            "FlowMinerOut1HopAllAAA": 90,
            "SplyMiner1HopAll": 5000 - 1000 + 900,
        },
    ),
    (
        "7 coinbase to an exchange",
        SEVEN,
        "any_input",
        {"FlowInAAA": 0, "FlowMinerIn0HopAll": 0, "SplyMiner0HopAll": 5000, "IssTot": 625_000_000},
    ),
]


@pytest.mark.parametrize(
    ("transaction", "sender", "expected"),
    [row[1:] for row in TABLE],
    ids=[f"{row[0]}: {row[2]}" for row in TABLE],
)
def test_worked_transaction(transaction: Transaction, sender: Sender, expected: dict[str, int]) -> None:
    found = flows(transaction, replace(REFERENCE, sender=sender))
    assert {name: found[name] for name in expected} == expected
