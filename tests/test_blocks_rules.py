"""One bad block for each rule of consensus that is checked: refused with file, offset, height and rule.

The blocks before it stay in the ledger, and a later ingest takes a repaired chain.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from reflow.blocks.decode import decode
from reflow.blocks.undo_writer import sha256d
from reflow.errors import BadBlockError
from reflow.ledger.ledger import Ledger
from reflow.ledger.rows import Assembler, Past
from reflow.network import (
    COIN,
    MAIN,
    MAX_MONEY,
    NETWORKS,
    REGTEST,
    Network,
    bits_fault,
    bits_of,
    retarget,
    target_of,
    time_fault,
)
from reflow.simulate.serialize import Input, Output, Prevout, Transaction
from support.bad_blocks import (
    SCRIPT,
    SOUND,
    START,
    Made,
    coinbase,
    make,
    sound_chain,
    spend,
    write_blocks,
)
from support.chains import batch_of, ingest_folder

HEIGHT = SOUND + 1
TIME = START + 600 * HEIGHT
SUPPLY = SOUND * 50 * COIN
NULL_INPUT = Input(Prevout(bytes(32), 0xFFFFFFFF), b"")


@cache
def chain() -> list[Made]:
    return sound_chain()


def on_top(*transactions: Transaction, values: list[list[int]] | None = None, **how: int) -> Made:
    """A block at HEIGHT of a coinbase and these transactions."""
    return make(chain()[-1].hash, [coinbase(HEIGHT), *transactions], values or (), **({"time": TIME} | how))


def of_coinbase(**how: bytes) -> Made:
    return make(chain()[-1].hash, [coinbase(HEIGHT, **how)], time=TIME)


def many(count: int, value: int, pays: int) -> Made:
    """Transactions that each spend one coin and pay one output."""
    return on_top(*(spend(number, pays=[pays]) for number in range(count)), values=[[value]] * count)


class Case(NamedTuple):
    block: Callable[[], Made]
    rule: str


PAIR = (spend(1), spend(2))
CASES = {
    "bits beyond the limit": Case(lambda: on_top(bits=0x2100FFFF), "bits 2100ffff, expected a target above 0"),
    "time of the median": Case(
        lambda: on_top(time=START + 600 * (SOUND - 5)), f"header time {START + 600 * (SOUND - 5)}, expected more than"
    ),
    "time of 0": Case(lambda: on_top(time=0), "header time 0, expected more than"),
    "no inputs": Case(lambda: on_top(spend(pays=[1, 1])), "transaction 1 has no inputs"),
    "no outputs": Case(lambda: on_top(spend(1, pays=[])), "transaction 1 has no outputs"),
    "scriptSig too short": Case(lambda: of_coinbase(script_sig=b"\x5d"), "has 1 bytes, expected 2 to 100"),
    "scriptSig too long": Case(lambda: of_coinbase(script_sig=bytes(101)), "has 101 bytes, expected 2 to 100"),
    "no coinbase": Case(
        lambda: make(chain()[-1].hash, [spend(1), *PAIR], time=TIME), "its first transaction is not a coinbase"
    ),
    "two coinbases": Case(
        lambda: on_top(coinbase(HEIGHT, COIN)), "transaction 1 is a second coinbase"
    ),
    "null input": Case(
        lambda: on_top(Transaction((spend(1).inputs[0], NULL_INPUT), (Output(COIN, SCRIPT),))),
        "transaction 1 has an input without an output that it spends",
    ),
    "spent twice in a transaction": Case(lambda: on_top(spend(1, 2, 1)), "transaction 1 spends an output that is"),
    "spent twice in a block": Case(lambda: on_top(spend(1, 2), spend(3, 2)), "transaction 2 spends an output that is"),
    "repeated transactions": Case(lambda: on_top(*PAIR, PAIR[1]), "it repeats transactions (CVE-2012-2459)"),
    "weight": Case(
        lambda: on_top(Transaction(spend(1).inputs, (Output(COIN, b"\x6a" + bytes(1_000_000)),))),
        "expected at most 4000000",
    ),
    "output beyond 21 million": Case(
        lambda: on_top(spend(1, pays=[MAX_MONEY + 1])), f"has an output of {MAX_MONEY + 1} sat"
    ),
    "negative output": Case(lambda: on_top(spend(1, pays=[2**64 - 1])), "has an output of -1 sat"),
    "outputs beyond 21 million": Case(
        lambda: on_top(spend(1, pays=[MAX_MONEY, 1])), f"has outputs of {MAX_MONEY + 1} sat and more"
    ),
    "coin beyond 21 million": Case(
        lambda: on_top(spend(1), values=[[MAX_MONEY + 1]]), f"have a coin of {MAX_MONEY + 1} sat"
    ),
    "300 coins of 21 million": Case(
        lambda: on_top(spend(*range(300)), values=[[MAX_MONEY] * 300]), f"spends {2 * MAX_MONEY} sat and more"
    ),
    "fees beyond 21 million": Case(lambda: many(2, MAX_MONEY, 0), f"fees up to transaction 2 are {2 * MAX_MONEY} sat"),
    "outputs of a block beyond 64 bits": Case(
        lambda: many(2200, MAX_MONEY, MAX_MONEY), "outputs up to transaction 2197 come to"
    ),
    "more outputs than inputs": Case(lambda: on_top(spend(1, pays=[51 * COIN])), "debits must cover credits"),
    "coinbase beyond subsidy and fees": Case(
        lambda: make(chain()[-1].hash, [coinbase(HEIGHT, 50 * COIN + 1)], time=TIME), "coinbase claims 5000000001 sat"
    ),
    "a coin beyond the supply": Case(
        lambda: on_top(spend(1), values=[[SUPPLY + 1]]),
        f"a transaction spends {SUPPLY + 1} sat, but only {SUPPLY} were issued before",
    ),
    "fees beyond the supply": Case(
        lambda: many(3, SUPPLY, 0), f"fees of {3 * SUPPLY} sat, more than the {SUPPLY} that were issued"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def ledger_before(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The digest of the ledger of the sound blocks alone."""
    folder = tmp_path_factory.mktemp("sound")
    ingest_folder(folder / "ledger", write_blocks(folder / "blocks", chain()))
    return digest_of(folder / "ledger")


def digest_of(path: Path) -> bytes:
    with Ledger.open(path, read_only=True) as ledger:
        return ledger.digest().encode()


@pytest.mark.parametrize("name", CASES)
def test_a_bad_block_is_refused_and_those_before_it_stay(
    name: str, tmp_path: Path, ledger_before: bytes
) -> None:
    bad = CASES[name].block()
    write_blocks(tmp_path / "bad", [*chain(), bad])
    place = (tmp_path / "bad" / "blk00000.dat").read_bytes().index(bad.raw)
    with pytest.raises(BadBlockError) as caught:
        ingest_folder(tmp_path / "ledger", tmp_path / "bad")
    text = str(caught.value)
    assert "\n" not in text
    assert f"{tmp_path / 'bad' / 'blk00000.dat'}, offset {place}: block " in text
    assert f"at height {HEIGHT}: " in text
    assert CASES[name].rule in text
    assert digest_of(tmp_path / "ledger") == ledger_before


def test_the_repaired_chain_is_taken(tmp_path: Path) -> None:
    write_blocks(tmp_path / "blocks", [*chain(), CASES["spent twice in a block"].block()])
    with pytest.raises(BadBlockError):
        ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    for file in (tmp_path / "blocks").iterdir():
        file.unlink()
    write_blocks(tmp_path / "blocks", [*chain(), on_top(*PAIR)])
    assert ingest_folder(tmp_path / "ledger", tmp_path / "blocks").height == HEIGHT


def test_the_first_of_several_bad_blocks_counts(tmp_path: Path) -> None:
    """Of two bad blocks in one batch, the later one breaks a rule that is looked at first."""
    first = on_top(spend(1), values=[[MAX_MONEY + 1]])
    second = make(first.hash, [coinbase(HEIGHT + 1, script_sig=b"\x5d")], time=TIME + 600)
    write_blocks(tmp_path / "blocks", [*chain(), first, second])
    with pytest.raises(BadBlockError, match=f"block at height {HEIGHT}: .* a coin of"):
        ingest_folder(tmp_path / "ledger", tmp_path / "blocks")
    with Ledger.open(tmp_path / "ledger", read_only=True) as ledger:
        tip = ledger.tip()
    assert tip is not None
    assert tip.height == SOUND


def test_an_output_may_be_spent_in_its_own_block(tmp_path: Path) -> None:
    write_blocks(tmp_path / "blocks", [*chain(), on_top(*PAIR)])
    assert ingest_folder(tmp_path / "ledger", tmp_path / "blocks").height == HEIGHT


def decoded(block: Made, height: int, network: Network) -> str:
    """What is wrong with a block by itself, or nothing."""
    try:
        decode(batch_of(height, [block.raw], [block.undo], [block.hash]), network)
    except BadBlockError as error:
        return str(error)
    return ""


def test_a_hash_above_its_target_is_refused_from_every_source() -> None:
    """Files show it in the scan already; over RPC only the decoder sees the header."""
    block = on_top()
    harder = block.raw[:72] + (0x1D00FFFF).to_bytes(4, "little") + block.raw[76:]
    fault = decoded(block._replace(raw=harder), HEIGHT, REGTEST)
    assert "header hash differs" in fault
    rehashed = block._replace(raw=harder, hash=sha256d(harder[:80]))
    assert "its hash does not meet its own target, bits 1d00ffff" in decoded(rehashed, HEIGHT, REGTEST)


@pytest.mark.parametrize(
    ("height", "push"), [(5, "55"), (17, "0111"), (128, "028000"), (300_000, "03e09304")]
)
def test_the_height_in_the_coinbase(height: int, push: str) -> None:
    network = REGTEST._replace(bip34_height=5, halving_interval=10**6)
    right = make(bytes(32), [coinbase(height)], time=TIME)
    assert decoded(right, height, network) == ""
    wrong = make(bytes(32), [coinbase(height + 1)], time=TIME)
    assert f"expected its height, {push}" in decoded(wrong, height, network)
    assert decoded(wrong, 4, network) == ""
    assert decoded(wrong, height, network._replace(bip34_height=None)) == ""


def test_a_block_without_transactions_is_refused() -> None:
    empty = make(bytes(32), [], time=TIME)
    assert "its number of transactions exceeds its bytes or is zero" in decoded(empty, HEIGHT, REGTEST)


def test_bits_within_the_limits() -> None:
    for network in NETWORKS.values():
        assert bits_fault(network.pow_limit, network) is None
        for bits in (network.pow_limit + 1, 0, 0x01003456, 0x04923456, 0x23000001, 0xFF123456, 0x1D800001):
            assert bits_fault(bits, network) is not None
    assert bits_fault(0x1D00FFFE, MAIN) is None


def test_compact_targets_as_bitcoin_core_has_them() -> None:
    """Vectors of its arith_uint256 tests."""
    for bits, compact in ((0x05009234, 0x05009234), (0x04123456, 0x04123456), (0x20123456, 0x20123456)):
        assert bits_of(target_of(bits)) == compact
    assert bits_of(0x80) == 0x02008000
    assert bits_of(0) == 0


@pytest.mark.parametrize(
    ("first", "last", "bits", "expected"),
    [
        (1261130161, 1262152739, 0x1D00FFFF, 0x1D00D86A),
        (1231006505, 1233061996, 0x1D00FFFF, 0x1D00FFFF),
        (1279008237, 1279297671, 0x1C05A3F4, 0x1C0168FD),
        (1263163443, 1269211443, 0x1C387F6F, 0x1D00E1FD),
    ],
)
def test_retargets_of_main(first: int, last: int, bits: int, expected: int) -> None:
    """Blocks 32255, 2015, 68543 and 46367 of main, as in Bitcoin Core's pow_tests."""
    assert retarget(bits, last - first, MAIN) == expected


def test_bits_that_do_not_follow_from_the_times_are_refused() -> None:
    network = REGTEST._replace(retargets=True)
    assembler = Assembler(Past.genesis(network)._replace(times=(START,)))
    right, wrong = (
        make(chain()[0].hash, [coinbase(1)], time=TIME, bits=bits) for bits in (0x207FFFFF, 0x207FFFFE)
    )
    batch = decode(batch_of(1, [wrong.raw], [wrong.undo], [wrong.hash]), network)
    with pytest.raises(
        BadBlockError, match="bits 207ffffe, expected 207fffff, which follow from header times"
    ):
        assembler.rows(batch)
    assembler.rows(decode(batch_of(1, [right.raw], [right.undo], [right.hash]), network))


def test_the_target_of_a_new_period_in_a_ledger_is_that_of_its_times() -> None:
    """A period at twice the speed has half the target: of the time between its first and last block, as Core counts."""
    past = Past.genesis(MAIN)
    spacing = 300
    for height in range(1, 2016):
        past = past.at_period(height, MAIN.genesis_time + height * spacing)
    assert past.bits == 0x1C << 24 | (0xFFFF << 8) * 2015 * spacing // 1_209_600


def test_header_times() -> None:
    assert time_fault(6, [1, 9, 5]) is None
    assert time_fault(5, [1, 9, 5]) == "header time 5, expected more than 5, the median before it"
