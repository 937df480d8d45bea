"""Transactions, signature hashes and coinbase fields of the simulator against embit and hand-made vectors."""

import random
from io import BytesIO

import pytest
from embit.script import Script
from embit.transaction import SIGHASH
from embit.transaction import Transaction as EmbitTransaction

from reflow.blocks.undo_writer import Coin, compact_size, sha256d
from reflow.simulate import serialize as s
from reflow.simulate.keys import KINDS, Address, Digests, sign_all


def random_transaction(seed: int, *, witness: bool) -> s.Transaction:
    rng = random.Random(seed)
    inputs = tuple(
        s.Input(
            s.Prevout(rng.randbytes(32), rng.randrange(1 << 32)),
            rng.randbytes(rng.choice((0, 3, 300))),
            tuple(rng.randbytes(n) for n in (0, 72, 260)[: rng.randint(1, 3)]) if witness else (),
            rng.randrange(1 << 32),
        )
        for _ in range(rng.choice((1, 2, 255)))
    )
    outputs = tuple(
        s.Output(rng.randrange(1 << 51), rng.randbytes(rng.choice((0, 22, 34)))) for _ in range(3)
    )
    return s.Transaction(inputs, outputs, version=rng.choice((1, 2)), locktime=rng.randrange(1 << 32))


@pytest.mark.parametrize("witness", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_transaction_bytes_are_read_back_by_embit(seed: int, witness: bool) -> None:
    tx = random_transaction(seed, witness=witness)
    read = EmbitTransaction.read_from(BytesIO(s.serialize_transaction(tx)))
    assert read.serialize() == s.serialize_transaction(tx)
    assert read.txid()[::-1] == s.txid(tx)
    assert [
        (i.txid[::-1], i.vout, i.script_sig.data, tuple(i.witness.items), i.sequence) for i in read.vin
    ] == [(*i.prevout, i.script_sig, i.witness, i.sequence) for i in tx.inputs]
    assert [(o.value, o.script_pubkey.data) for o in read.vout] == list(tx.outputs)


@pytest.mark.parametrize("seed", range(5))
def test_signature_hashes_are_those_of_embit(seed: int) -> None:
    tx = random_transaction(seed, witness=False)
    rng = random.Random(seed)
    coins = [Coin(rng.randrange(1 << 50), rng.randbytes(34), 5, False) for _ in tx.inputs]
    digests, theirs = Digests(tx, coins), EmbitTransaction.parse(s.serialize_transaction(tx))
    index, script = len(tx.inputs) - 1, rng.randbytes(25)
    assert digests.legacy(index, script) == theirs.sighash_legacy(index, Script(script))
    assert digests.segwit(index, script) == theirs.sighash_segwit(index, Script(script), coins[index].value)
    scripts, values = [Script(coin.script) for coin in coins], [coin.value for coin in coins]
    assert digests.taproot(index) == theirs.sighash_taproot(index, scripts, values, SIGHASH.DEFAULT)


def test_every_kind_of_address_has_its_form_of_script() -> None:
    forms = {kind: Address(kind, b"seed").script for kind in KINDS}
    assert {kind: (len(script), script[:2].hex(), script[-1:].hex()) for kind, script in forms.items()} == {
        "p2pkh": (25, "76a9", "ac"),
        "p2wpkh": (22, "0014", forms["p2pkh"][22:23].hex()),
        "p2tr": (34, "5120", forms["p2pk"][33:34].hex()),
        "p2sh_p2wpkh": (23, "a914", "87"),
        "p2wsh": (34, "0020", s.sha256(forms["multisig"])[31:].hex()),
        "p2pk": (35, forms["p2pk"][:2].hex(), "ac"),
        "p2pk_uncompressed": (67, "4104", "ac"),
        "multisig": (71, "5121", "ae"),
    }


def test_signing_the_same_twice_gives_the_same_bytes() -> None:
    addresses = [Address(kind, b"seed") for kind in KINDS]
    coins = [Coin(1000, address.script, 1, False) for address in addresses]
    inputs = tuple(s.Input(s.Prevout(bytes(32), n)) for n in range(len(coins)))
    tx = s.Transaction(inputs, (s.Output(1, b""),))
    assert sign_all(tx, coins, addresses) == sign_all(tx, coins, addresses)
    assert all(given.script_sig or given.witness for given in sign_all(tx, coins, addresses).inputs)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "00"),
        (252, "fc"),
        (253, "fdfd00"),
        (65535, "fdffff"),
        (65536, "fe00000100"),
        (1 << 32, "ff" + "00" * 4 + "01000000"),
    ],
)
def test_compact_size(number: int, expected: str) -> None:
    assert compact_size(number).hex() == expected


@pytest.mark.parametrize(
    ("height", "expected"),
    [
        (1, "51"),
        (16, "60"),
        (17, "0111"),
        (127, "017f"),
        (128, "028000"),
        (256, "020001"),
        (32768, "03008000"),
    ],
)
def test_coinbase_height_is_a_minimal_script_number(height: int, expected: str) -> None:
    assert s.height_push(height).hex() == expected


def test_merkle_root_repeats_the_last_hash_of_an_odd_level() -> None:
    a, b, c = (bytes([n]) * 32 for n in (1, 2, 3))
    assert s.merkle_root([a]) == a
    assert s.merkle_root([a, b, c]) == sha256d(sha256d(a + b) + sha256d(c + c))
