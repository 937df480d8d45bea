"""The decoding kernels against a plain Python parser: on real full mainnet blocks and on the simulated chain, and
against harmed bytes, each of which must be told as what it is.
"""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reflow.blocks.decode import DecodedBatch, decode, input_counts
from reflow.blocks.revfiles import undo_counts
from reflow.blocks.source import byte_array
from reflow.blocks.undo_writer import Coin, serialize_undo
from reflow.errors import BadBlockError
from reflow.network import COIN, MAIN, REGTEST, Network
from support.chains import batch_of, simulation
from support.plain_parser import PlainCoin, account, merkle_root, parse_block, parse_undo, sha256d

REAL_HEIGHTS = (413567, 540107, 574200)


def assert_equal_to_plain(
    decoded: DecodedBatch, blocks: list[bytes], undos: list[bytes], network: Network
) -> None:
    """Every column against what the plain parser finds."""
    tx = 0
    debits: list[tuple[int, int, int]] = []
    outputs: list[tuple[int, int, int]] = []
    for b, (block, undo) in enumerate(zip(blocks, undos, strict=True)):
        transactions = parse_block(block)
        spent = parse_undo(undo)
        fees = transfer_count = transfer_value = 0
        for n, transaction in enumerate(transactions):
            assert decoded.txids[tx].tobytes().hex() == transaction.txid
            coins = spent[n - 1] if n else []
            debits += [(tx, account(coin.script), coin.value) for coin in coins]
            outputs += [(tx, account(script), value) for value, script in transaction.outputs]
            if n:
                assert len(coins) == transaction.spent
                fees += sum(coin.value for coin in coins) - sum(value for value, _ in transaction.outputs)
                senders = {account(coin.script) for coin in coins}
                moved = [v for v, script in transaction.outputs if v and account(script) not in senders]
                transfer_count += len(moved)
                transfer_value += sum(moved)
            tx += 1
        reward = sum(value for value, _ in transactions[0].outputs)
        assert decoded.sums[b, :4].tolist() == [fees, reward - fees, transfer_count, transfer_value]
        assert decoded.script_sigs[b] == transactions[0].script_sig
        assert decoded.prev_hashes[b].tobytes() == block[4:36][::-1]
        assert decoded.times[b] == int.from_bytes(block[68:72], "little")
        assert decoded.sizes[b] == len(block)
        assert decoded.first_tx[b + 1] == tx
    columns = (decoded.debit_tx, decoded.debit_account, decoded.debit_value)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == debits
    columns = (decoded.credit_tx, decoded.credit_account, decoded.credit_value)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == outputs
    assert network.subsidy(decoded.first_height) > 0


def real(shared_data: Path, name: str) -> bytes:
    return gzip.decompress((shared_data / "blocks" / f"{name}.gz").read_bytes())


@pytest.mark.parametrize("height", REAL_HEIGHTS)
def test_real_full_block_equals_the_plain_parser(shared_data: Path, height: int) -> None:
    """Of other blocks than 413567 there are no undo data: each input gets a coin, large enough, of one kind after the
    other. Block 574200 pays the address of the key among them, the generator of the curve.
    """
    block = real(shared_data, f"{height}.raw")
    transactions = parse_block(block)
    assert merkle_root([bytes.fromhex(t.txid)[::-1] for t in transactions]) == block[36:68]
    undo = serialize_undo([made_up_coins(t.spent, t.outputs, height) for t in transactions[1:]])
    decoded = decode(batch_of(height, [block], [undo]), MAIN)
    assert_equal_to_plain(decoded, [block], [undo], MAIN)
    assert len(decoded.txids) == len(transactions) > 200


def test_real_undo_data_equal_the_plain_parser(shared_data: Path) -> None:
    """4,886 coins of mainnet: what they are worth beyond the outputs is what the coinbase claims beyond its 25 BTC."""
    block, undo = real(shared_data, "413567.raw"), real(shared_data, "413567.undo")
    decoded = decode(batch_of(413567, [block], [undo]), MAIN)
    assert_equal_to_plain(decoded, [block], [undo], MAIN)
    assert len(decoded.debit_value) == 4886
    assert decoded.sums[0, :2].tolist() == [31_310_238, 25 * COIN]


def made_up_coins(count: int, outputs: list[tuple[int, bytes]], height: int) -> list[Coin]:
    """Coins that cover the outputs and a fee; the first has the first output's script, so that there is change."""
    total = sum(value for value, _ in outputs) + COIN // 100
    key = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    scripts = [
        outputs[0][1],
        b"\x76\xa9\x14" + bytes(20) + b"\x88\xac",
        b"\xa9\x14" + bytes(range(20)) + b"\x87",
        b"\x21" + key + b"\xac",
        b"\x51",
        b"",
        b"\x00\x14" + bytes(20),
    ]
    values = [total // count] * (count - 1)
    values.append(total - sum(values))
    return [Coin(value, scripts[i % len(scripts)], height - 1, i % 3 == 0) for i, value in enumerate(values)]


@pytest.mark.parametrize("per_batch", [1, 7, 1000])
def test_simulated_chain_equals_the_plain_parser(per_batch: int) -> None:
    """Every script form, compressed and not, and every serialization, in batches of several sizes."""
    chain = simulation().blocks[1:]
    for start in range(0, len(chain), per_batch):
        part = chain[start : start + per_batch]
        blocks = [block.raw for block in part]
        undos = [block.undo or b"" for block in part]
        batch = batch_of(part[0].height, blocks, undos, [block.hash for block in part])
        assert_equal_to_plain(decode(batch, REGTEST), blocks, undos, REGTEST)


def test_coinbase_payees_are_kept_with_their_scripts() -> None:
    block = simulation().blocks[200]
    decoded = decode(batch_of(200, [block.raw], [block.undo or b""]), REGTEST)
    paid = [script for value, script in parse_block(block.raw)[0].outputs if value]
    assert decoded.payee_scripts == paid
    assert decoded.payee_account.tolist() == [account(script) for script in paid]
    assert decoded.payee_tx.tolist() == [0] * len(paid)


def busy_block() -> tuple[int, bytes, bytes]:
    """A block of the simulation with many transactions, witnesses among them."""
    block = max(simulation().blocks, key=lambda block: len(block.raw))
    assert block.undo is not None
    return block.height, block.raw, block.undo


def fault_of(height: int, block: bytes, undo: bytes, **how: list[bytes]) -> str:
    with pytest.raises(BadBlockError) as caught:
        decode(batch_of(height, [block], [undo], **how), REGTEST)
    message = str(caught.value)
    assert message.startswith(f"block 0 of the test: block at height {height}: ")
    assert "\n" not in message
    return message.partition(f"height {height}: ")[2]


def with_root(block: bytes) -> bytes:
    """The block with the Merkle root that its transactions have."""
    root = merkle_root([bytes.fromhex(t.txid)[::-1] for t in parse_block(block)])
    return block[:36] + root + block[68:]


def change_undo(change: Callable[[list[list[Coin]]], object]) -> str:
    height, block, undo = busy_block()
    coins = [[Coin(c.value, c.script, 1, False) for c in spent] for spent in parse_undo(undo)]
    change(coins)
    return fault_of(height, block, serialize_undo(coins))


def test_wrong_hash_is_told() -> None:
    height, block, undo = busy_block()
    assert (
        fault_of(height, block, undo, hashes=[bytes(32)]) == "header hash differs from the one found before"
    )


def test_block_cut_short_is_told() -> None:
    height, block, undo = busy_block()
    assert "cut short" in fault_of(height, block[:-1], undo)


def test_bytes_behind_the_block_are_told() -> None:
    height, block, undo = busy_block()
    size = len(block)
    assert fault_of(height, block + b"\0", undo) == f"{size + 1} bytes, but its transactions end after {size}"


def test_undo_with_fewer_transactions_is_told() -> None:
    assert "undo data of" in change_undo(lambda coins: coins.pop())


def test_undo_with_fewer_inputs_is_told() -> None:
    assert "inputs, expected" in change_undo(lambda coins: coins[0].pop())


def test_undo_cut_short_is_told() -> None:
    height, block, undo = busy_block()
    assert "cut short" in fault_of(height, block, undo[:-1])


def test_undo_with_bytes_behind_is_told() -> None:
    height, block, undo = busy_block()
    size = len(undo)
    assert fault_of(height, block, undo + b"\0") == f"undo data have {size + 1} bytes, but end after {size}"


def test_a_coin_beyond_all_money_is_told() -> None:
    huge = 21_000_001 * COIN
    message = change_undo(lambda coins: coins[0].__setitem__(0, coins[0][0]._replace(value=huge)))
    assert f"a coin of {huge} sat" in message


def test_a_transaction_that_pays_more_than_it_spends_is_told() -> None:
    message = change_undo(lambda coins: coins[0].__setitem__(0, coins[0][0]._replace(value=0)))
    assert "debits must cover credits" in message


def test_a_coinbase_that_claims_too_much_is_told() -> None:
    """The fees shrink to nothing when the coins are just what the outputs pay."""

    def shrink(coins: list[list[Coin]]) -> None:
        _, block, _ = busy_block()
        for spent, transaction in zip(coins, parse_block(block)[1:], strict=True):
            total = sum(value for value, _ in transaction.outputs)
            spent[:] = [spent[0]._replace(value=total)] + [coin._replace(value=0) for coin in spent[1:]]

    assert "coinbase claims" in change_undo(shrink)


def test_a_key_off_the_curve_is_told() -> None:
    """x = 5 is on no point of secp256k1."""
    height, block, undo = busy_block()
    off = b"\x04" + (5).to_bytes(32, "big")
    coins = parse_undo(undo)
    raw = bytearray(serialize_undo([[Coin(c.value, c.script, 1, False) for c in spent] for spent in coins]))
    first = raw.index(serialize_undo([[Coin(coins[0][0].value, coins[0][0].script, 1, False)]])[2:])
    coin = serialize_undo([[Coin(coins[0][0].value, b"", 1, False)]])[2:-1] + off
    length = len(serialize_undo([[Coin(coins[0][0].value, coins[0][0].script, 1, False)]])[2:])
    raw[first : first + length] = coin
    assert fault_of(height, block, bytes(raw)) == "undo data have a public key that is not on the curve"


def test_no_coinbase_in_front_is_told() -> None:
    height, block, undo = busy_block()
    transactions = parse_block(block)
    null = block.index(bytes(32) + b"\xff\xff\xff\xff", 80)
    changed = with_root(block[:null] + b"\x01" + block[null + 1 :])
    assert fault_of(height, changed, undo) == "its first transaction is not a coinbase"
    assert len(transactions) > 1


def test_a_merkle_root_that_does_not_fit_is_told() -> None:
    height, block, undo = busy_block()
    changed = block[:36] + bytes(32) + block[68:]
    assert fault_of(height, changed, undo) == "Merkle root of its transactions differs from its header"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_flipped_bit_of_a_block_or_its_undo_data_goes_unnoticed(data: st.DataObject) -> None:
    """Witness bytes included. The rev file's checksum, not the decoder, covers heights and the like in undo data."""
    height, block, undo = busy_block()
    bit = data.draw(st.integers(0, 8 * len(block) - 1))
    harmed = bytearray(block)
    harmed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadBlockError):
        decode(batch_of(height, [bytes(harmed)], [undo], [sha256d(block[:80])]), REGTEST)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=100))
def test_garbage_is_an_error_in_one_line_and_never_a_crash(block: bytes, undo: bytes) -> None:
    _, real, real_undo = busy_block()
    for body, spent in ((real[:80] + block, real_undo), (real, undo), (real[:200] + block, undo)):
        with pytest.raises(BadBlockError):
            decode(batch_of(1, [body], [spent]), REGTEST)


def test_a_count_that_exceeds_the_block_allocates_nothing() -> None:
    header = busy_block()[1][:80]
    for count in (b"\xff" + b"\xff" * 8, b"\xfe\xff\xff\xff\xff", b"\xff" + (1 << 62).to_bytes(8, "little")):
        assert fault_of(1, header + count + bytes(100), b"\0").startswith("its number of transactions")


def test_input_counts_of_block_and_undo_agree() -> None:
    _, block, undo = busy_block()
    counts = [t.spent for t in parse_block(block)[1:]]
    assert input_counts(byte_array(block)).tolist() == counts
    assert undo_counts(byte_array(undo)).tolist() == counts


def test_the_digest_of_a_block_sees_every_row_but_not_their_order() -> None:
    """Two coins of one transaction change places: the same rows. One satoshi more: other rows."""
    height, block, undo = busy_block()
    coins = [[Coin(c.value, c.script, 1, False) for c in spent] for spent in parse_undo(undo)]
    several = next(i for i, spent in enumerate(coins) if len({coin.script for coin in spent}) > 1)

    def digest(spent: list[list[Coin]]) -> int:
        return int(decode(batch_of(height, [block], [serialize_undo(spent)]), REGTEST).sums[0, 4])

    turned = [list(reversed(spent)) if i == several else spent for i, spent in enumerate(coins)]
    richer = [list(spent) for spent in coins]
    richer[several][0] = richer[several][0]._replace(value=richer[several][0].value + 1)
    assert digest(coins) == digest(turned) != digest(richer)


def test_plain_parser_reads_every_compressed_form() -> None:
    """The parser that judges the kernels is itself judged: by scripts whose compressed form is known."""
    generator = bytes.fromhex(
        "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
    )
    scripts = [b"\x41" + generator + b"\xac", b"\x21\x03" + generator[1:33] + b"\xac", b"\x6a", b""]
    undo = serialize_undo([[Coin(7 * 10**k, script, 5, True) for k, script in enumerate(scripts)]])
    assert parse_undo(undo) == [[PlainCoin(7 * 10**k, script) for k, script in enumerate(scripts)]]
    assert hashlib.sha256(scripts[2]).digest()[:8] == (account(scripts[2]) % 2**64).to_bytes(8, "big")
