"""What an account is: a public key that is paid directly and its address are one, any other script is its own.

The kernels and `script.account_of` are held against scripts written out by hand, folded with hashlib and embit.
"""

import hashlib
from collections.abc import Sequence

import coincurve
import numpy as np
import pytest
from embit.util.py_ripemd160 import ripemd160
from hypothesis import given, settings
from hypothesis import strategies as st

from reflow.blocks.decode import decode
from reflow.blocks.hashing import credit_accounts, debit_accounts
from reflow.blocks.kernels import TRANSFER_COUNT, TRANSFER_VALUE
from reflow.blocks.source import byte_array
from reflow.blocks.undo_writer import Coin, compress_script, serialize_undo, sha256d
from reflow.network import MAIN, REGTEST
from reflow.script import account_of, account_script, address_of, describe, public_key_of, script_of
from reflow.simulate.chain import find_header
from reflow.simulate.serialize import (
    NO_TXID,
    NO_VOUT,
    Input,
    Output,
    Prevout,
    Transaction,
    merkle_root,
    serialize_block,
    serialize_transaction,
    txid,
)
from support.chains import batch_of
from support.plain_parser import account as plain_account

KEY = coincurve.PrivateKey(b"\x07" * 32).public_key
COMPRESSED, UNCOMPRESSED = KEY.format(), KEY.format(compressed=False)
X, XY = COMPRESSED[1:], UNCOMPRESSED[1:]
CHECKSIG = b"\xac"


def pay_to_hash(key: bytes) -> bytes:
    return b"\x76\xa9\x14" + bytes(ripemd160(hashlib.sha256(key).digest())) + b"\x88\xac"


def hashed(script: bytes) -> int:
    return int.from_bytes(hashlib.sha256(script).digest()[:8], "big", signed=True)


FOLDED = [b"\x02" + X, b"\x03" + X, b"\x04" + XY, b"\x06" + XY, b"\x07" + XY, b"\x04" + b"\x01" * 64]
"""Keys; the last is not on the curve, which nobody has to find out to hash it."""
NOT_FOLDED = {
    "33 bytes that begin with 05": b"\x21\x05" + X + CHECKSIG,
    "33 bytes that begin with 04": b"\x21\x04" + X + CHECKSIG,
    "65 bytes that begin with 02": b"\x41\x02" + XY + CHECKSIG,
    "65 bytes that begin with 05": b"\x41\x05" + XY + CHECKSIG,
    "push of a byte less, in the same length": b"\x20\x02" + X + CHECKSIG,
    "push of a byte more, in the same length": b"\x42\x04" + XY + CHECKSIG,
    "32 bytes": b"\x20\x02" + X[:-1] + CHECKSIG,
    "64 bytes": b"\x40\x04" + XY[:-1] + CHECKSIG,
    "bytes behind OP_CHECKSIG": b"\x21\x02" + X + CHECKSIG + b"\x61",
    "two of OP_CHECKSIG": b"\x41\x04" + XY + CHECKSIG + CHECKSIG,
    "OP_CHECKSIGVERIFY": b"\x21\x02" + X + b"\xad",
    "no OP_CHECKSIG": b"\x21\x02" + X,
    "OP_PUSHDATA1": b"\x4c\x21\x02" + X + CHECKSIG,
    "push of nothing": b"\x00" + CHECKSIG,
    "OP_CHECKSIG alone": CHECKSIG,
    "nothing": b"",
    "two pushes": b"\x20" + X + b"\x51" + CHECKSIG,
}
EVERY = [bytes([len(key)]) + key + CHECKSIG for key in FOLDED] + list(NOT_FOLDED.values())
EVERY += [pay_to_hash(COMPRESSED), b"\xa9\x14" + bytes(20) + b"\x87", b"\x00\x14" + bytes(20), b"\x6a" * 300]


def credited(scripts: Sequence[bytes]) -> list[int]:
    """The kernel's accounts of outputs with these scripts."""
    ends = np.cumsum([0, *map(len, scripts)])
    accounts = np.empty(len(scripts), np.int64)
    raw = byte_array(b"".join(scripts) + b"\0")
    credit_accounts(raw, np.stack([ends[:-1], ends[1:]], axis=1), accounts)
    return accounts.tolist()


def debited(scripts: Sequence[bytes], *, in_full: bool) -> list[int]:
    """The kernel's accounts of coins with these scripts, in undo data's short forms or all of them in full."""
    undo, rows, ys = bytearray(), [], []
    for script in scripts:
        short = b"\xff" + script if in_full else compress_script(script)
        kind = short[0] if short[0] < 6 else 6
        body = short[1:] if kind < 6 else script
        rows.append((kind, len(undo), len(undo) + len(body)))
        undo += body
        if kind in (4, 5):
            ys.append(script[34:66])
    accounts = np.empty(len(scripts), np.int64)
    solved = np.frombuffer(b"".join(ys) + bytes(32), np.uint8).reshape(-1, 32)
    debit_accounts(byte_array(bytes(undo) + b"\0"), np.array(rows, np.int64), solved.copy(), accounts)
    return accounts.tolist()


@pytest.mark.parametrize("key", FOLDED, ids=lambda key: f"{len(key)} bytes, {key[:1].hex()}, ends {key[-1]}")
def test_a_key_that_is_paid_directly_is_in_the_account_of_its_address(key: bytes) -> None:
    script, expected = bytes([len(key)]) + key + CHECKSIG, hashed(pay_to_hash(key))
    assert account_of(script) == plain_account(script) == account_of(pay_to_hash(key)) == expected
    assert (
        credited([script])
        == debited([script], in_full=False)
        == debited([script], in_full=True)
        == [expected]
    )
    assert (public_key_of(script), account_script(script)) == (key, pay_to_hash(key))


@pytest.mark.parametrize("script", NOT_FOLDED.values(), ids=NOT_FOLDED)
def test_what_only_resembles_it_is_an_account_of_its_own(script: bytes) -> None:
    assert account_of(script) == plain_account(script) == hashed(script)
    assert credited([script]) == debited([script], in_full=False) == debited([script], in_full=True)
    assert credited([script]) == [hashed(script)]
    assert (public_key_of(script), account_script(script)) == (None, script)


def test_the_forms_of_one_key_are_different_accounts() -> None:
    """Compressed, uncompressed and hybrid bytes hash differently, as their addresses do."""
    assert len({account_of(bytes([len(key)]) + key + CHECKSIG) for key in FOLDED}) == len(FOLDED)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(EVERY), max_size=60))
def test_any_scripts_in_any_order(scripts: list[bytes]) -> None:
    expected = [plain_account(script) for script in scripts]
    assert credited(scripts) == expected
    if scripts:
        assert debited(scripts, in_full=False) == debited(scripts, in_full=True) == expected


def test_more_scripts_than_are_hashed_at_a_time() -> None:
    """The scratch array holds 4,096 short scripts: keys must not be left behind or taken along when it is full."""
    numbers = range(13_000)
    keys = [(b"\x02" + n.to_bytes(32, "big"), b"\x07" + n.to_bytes(64, "big"))[n % 3 == 0] for n in numbers]
    scripts = [
        bytes([len(key)]) + key + CHECKSIG if n % 7 else pay_to_hash(key) for n, key in enumerate(keys)
    ]
    for several in (scripts, scripts[:4096], scripts[:4097], [*scripts, b"\x6a" * 300_000, *scripts]):
        expected = [plain_account(script) for script in several]
        assert credited(several) == debited(several, in_full=False) == expected


def test_the_address_of_a_key_that_is_paid_directly() -> None:
    """Genesis pays this key directly; everybody knows it by its address."""
    key = bytes.fromhex(
        "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb6"
        "49f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f"
    )
    script, address = b"\x41" + key + CHECKSIG, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
    assert address_of(script, MAIN) == describe(script, MAIN) == address
    assert account_of(script) == account_of(script_of(address, MAIN))
    assert address_of(NOT_FOLDED["65 bytes that begin with 02"], MAIN) is None


def test_both_forms_of_one_key_in_one_transaction_are_no_transfer() -> None:
    """Change goes back to the account that it came from, whichever form either side has; 7 sat go to another key."""
    direct, by_hash = b"\x41" + UNCOMPRESSED + CHECKSIG, pay_to_hash(UNCOMPRESSED)
    other = b"\x21" + COMPRESSED + CHECKSIG
    for spent, paid in ((direct, by_hash), (by_hash, direct), (direct, direct)):
        outputs = (Output(100, paid), Output(7, other), Output(50, by_hash))
        decoded = decode(batch_of(200, *one_block(spent, outputs)), REGTEST)
        assert decoded.sums[0, [TRANSFER_COUNT, TRANSFER_VALUE]].tolist() == [1, 7]
        assert set(decoded.debit_account.tolist()) == {hashed(by_hash)}
        assert decoded.credit_account.tolist()[1:] == [hashed(by_hash), plain_account(other), hashed(by_hash)]


def one_block(spent: bytes, outputs: tuple[Output, ...]) -> tuple[list[bytes], list[bytes]]:
    """A block, and its undo data, whose one transaction spends 157 sat of script `spent`."""
    coinbase = Transaction((Input(Prevout(NO_TXID, NO_VOUT), b"\x51\x51"),), (Output(50, b"\x51"),))
    payment = Transaction((Input(Prevout(b"\x01" * 32, 0)),), outputs)
    root = merkle_root([txid(coinbase), txid(payment)])
    header, _ = find_header(sha256d(b"before"), root, 1_600_000_000)
    block = serialize_block(header, [serialize_transaction(coinbase), serialize_transaction(payment)])
    return [block], [serialize_undo([[Coin(157, spent, 100, False)]])]
