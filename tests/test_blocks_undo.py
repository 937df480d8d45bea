"""Undo data of the simulator: Bitcoin Core's own test vectors, every script form, a record by hand."""

import coincurve
import pytest

from reflow.blocks.undo_writer import (
    Coin,
    compress_amount,
    compress_script,
    serialize_coin,
    serialize_undo,
    sha256d,
    undo_checksum,
    varint,
)
from reflow.network import COIN, MAX_MONEY

KEY = coincurve.PrivateKey(b"\x07" * 32).public_key
COMPRESSED, UNCOMPRESSED = KEY.format(), KEY.format(compressed=False)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8000"),
        (255, "807f"),
        (256, "8100"),
        (16383, "fe7f"),
        (16384, "ff00"),
        (16511, "ff7f"),
        (65535, "82fe7f"),
        (1 << 32, "8efefeff00"),
    ],
)
def test_varint_as_listed_in_core(number: int, expected: str) -> None:
    assert varint(number).hex() == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0), (1, 1), (COIN // 100, 7), (COIN, 9), (50 * COIN, 0x32), (MAX_MONEY, 0x1406F40)],
)
def test_amounts_as_tested_in_core(value: int, expected: int) -> None:
    assert compress_amount(value) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (b"\x76\xa9\x14" + b"h" * 20 + b"\x88\xac", b"\x00" + b"h" * 20),
        (b"\xa9\x14" + b"h" * 20 + b"\x87", b"\x01" + b"h" * 20),
        (b"\x21" + COMPRESSED + b"\xac", COMPRESSED),
        (b"\x41" + UNCOMPRESSED + b"\xac", bytes([4 + UNCOMPRESSED[64] % 2]) + UNCOMPRESSED[1:33]),
        (b"", b"\x06"),
        (b"\x51", b"\x07\x51"),
        (b"\x00\x14" + b"h" * 20, b"\x1c\x00\x14" + b"h" * 20),
        (b"\x6a" * 200, b"\x80\x4e" + b"\x6a" * 200),
    ],
)
def test_scripts_with_and_without_a_short_form(script: bytes, expected: bytes) -> None:
    assert compress_script(script) == expected


def test_a_key_that_is_no_point_stays_as_it_is() -> None:
    script = b"\x41\x04" + b"\x01" * 64 + b"\xac"
    assert compress_script(script) == varint(67 + 6) + script


def test_a_coin_of_genesis_has_no_zero_behind_its_height() -> None:
    assert serialize_coin(Coin(COIN, b"", 0, True)).hex() == "01" + "09" + "06"
    assert serialize_coin(Coin(COIN, b"", 300, True)).hex() == "8359" + "00" + "09" + "06"


def test_a_record_counts_transactions_then_inputs() -> None:
    coin = Coin(COIN, b"", 1, False)
    one = serialize_coin(coin)
    assert serialize_undo([]) == b"\x00"
    assert serialize_undo([[coin], [coin, coin]]) == b"\x02\x01" + one + b"\x02" + one + one


def test_checksum_covers_the_previous_hash_and_the_record() -> None:
    assert undo_checksum(b"p" * 32, b"undo") == sha256d(b"p" * 32 + b"undo")
