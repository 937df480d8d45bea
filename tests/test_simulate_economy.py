"""The simulated economy: the same seed gives the same chain, and it holds what it is meant to show."""

from collections import Counter
from io import BytesIO
from itertools import pairwise

import pytest
from embit import compact
from embit.transaction import Transaction

from reflow.network import COIN, REGTEST
from reflow.simulate.chain import Block
from reflow.simulate.economy import Simulation, simulate
from reflow.simulate.market import EXCHANGES


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(seed=3, days=17)


def transactions(block: Block) -> list[Transaction]:
    """The transactions of a block after its coinbase."""
    stream = BytesIO(block.raw[80:])
    return [Transaction.read_from(stream) for _ in range(compact.read_from(stream))][1:]


def test_the_same_seed_gives_the_same_bytes(simulation: Simulation) -> None:
    again, other = simulate(seed=3, days=17), simulate(seed=4, days=17)
    assert [block.raw for block in again.blocks] == [block.raw for block in simulation.blocks]
    assert (again.rows, again.prices) == (simulation.rows, simulation.prices)
    assert other.blocks[-1].hash != simulation.blocks[-1].hash


def test_header_times_are_out_of_order_but_valid(simulation: Simulation) -> None:
    blocks = simulation.blocks
    pairs = list(pairwise(blocks[1:]))
    assert any(later.time < earlier.time for earlier, later in pairs)
    assert all(later.time > earlier.mediantime for earlier, later in pairs)
    assert len(simulation.rows) >= 10  # four days of maturing coinbases, then six


def test_the_books_balance_with_the_subsidy(simulation: Simulation) -> None:
    last = list(simulation.rows.values())[-1]
    complete = sum(int(row["BlkCnt"] or 0) for row in simulation.rows.values())
    assert last["SplyCur"] == sum(REGTEST.subsidy(height) for height in range(1, complete + 1)) // COIN


def test_every_exchange_has_flows_both_ways_within_one_hop(simulation: Simulation) -> None:
    for code in EXCHANGES:
        for way in ("In", "Out"):
            assert any(row[f"FlowMiner{way}1HopAll{code}Ntv"] for row in simulation.rows.values()), (
                way,
                code,
            )


def test_curiosities_occur(simulation: Simulation) -> None:
    seen: Counter[str] = Counter()
    for block in simulation.blocks:
        seen["several payees"] += len(block.coinbase.outputs) > 2
        made: set[bytes] = set()
        for tx in transactions(block):
            values = Counter(output.value for output in tx.vout)
            data = [(output.value, output.script_pubkey.data[:1] == b"\x6a") for output in tx.vout]
            seen["coinjoin"] += len(tx.vin) == 5 and max(values.values()) == 5
            seen["note"] += (0, True) in data
            seen["nothing paid"] += (0, False) in data
            seen["burnt"] += any(value > 0 and unspendable for value, unspendable in data)
            seen["same block"] += any(given.txid in made for given in tx.vin)
            seen["segwit" if tx.is_segwit else "legacy"] += 1
            made.add(tx.txid())
    assert len(+seen) == 8, seen


def test_stale_blocks_are_siblings(simulation: Simulation) -> None:
    assert simulation.stale
    for block in simulation.stale:
        winner = simulation.blocks[block.height]
        assert (block.prev_hash, block.undo) == (winner.prev_hash, None)
        assert block.hash != winner.hash
