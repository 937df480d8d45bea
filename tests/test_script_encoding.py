"""The fast address decoder against embit's: the same bytes for good addresses, and every damaged one refused.

Made from random scriptPubKeys of every kind that has one, on every network; damage is one changed
character.
"""

import pytest
from embit import base58, bech32
from hypothesis import given
from hypothesis import strategies as st

from reflow.network import MAIN, NETWORKS, Network
from reflow.script import (
    AddressError,
    ChecksumError,
    address_of,
    base58check_decode,
    script_of,
    segwit_decode,
)

hashes = st.binary(min_size=20, max_size=20)
scripts = st.one_of(
    hashes.map(lambda h: b"\x76\xa9\x14" + h + b"\x88\xac"),
    hashes.map(lambda h: b"\xa9\x14" + h + b"\x87"),
    hashes.map(lambda h: b"\x00\x14" + h),
    st.binary(min_size=32, max_size=32).map(lambda h: b"\x00\x20" + h),
    st.tuples(st.integers(0x51, 0x60), st.binary(min_size=2, max_size=40)).map(
        lambda pair: bytes([pair[0], len(pair[1])]) + pair[1]
    ),
)


@given(scripts, st.sampled_from(list(NETWORKS.values())))
def test_an_address_pays_to_the_script_it_was_made_from(script: bytes, network: Network) -> None:
    address = address_of(script, network)
    assert address is not None
    assert script_of(address, network) == script


@given(scripts, st.data())
def test_a_damaged_address_is_refused_by_both_decoders(script: bytes, data: st.DataObject) -> None:
    address = address_of(script, MAIN) or ""
    place = data.draw(st.integers(0, len(address) - 1))
    character = data.draw(st.sampled_from("123abcqpzXYZlIO0_ é"))
    damaged = address[:place] + character + address[place + 1 :]
    if damaged == address:
        return
    expected = _embit_script(damaged)
    try:
        found = script_of(damaged, MAIN)
    except AddressError:
        found = None
    assert found == expected


@given(st.text(alphabet="bc1qpzry9x8gf2tvdw0s3jn54khce6mua7l", max_size=100))
def test_the_segwit_decoder_agrees_with_embit_on_any_text(text: str) -> None:
    for address in (text, f"bc1{text}", f"BC1{text.upper()}"):
        version, program = _embit_segwit(address)
        expected = None if version is None or program is None else (version, bytes(program))
        assert segwit_decode("bc", address) == expected


@pytest.mark.parametrize(
    ("address", "version", "size"),
    [
        # The valid addresses of BIP 350.
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", 0, 20),
        ("bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y", 1, 40),
        ("BC1SW50QGDZ25J", 16, 2),
        ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", 2, 16),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", 1, 32),
    ],
)
def test_bip350_valid(address: str, version: int, size: int) -> None:
    decoded = segwit_decode("bc", address)
    assert decoded is not None
    assert (decoded[0], len(decoded[1])) == (version, size)


@pytest.mark.parametrize(
    "address",
    [
        # Invalid addresses of BIP 350: wrong checksum kind, version, length, padding, mixed case, empty data.
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
        "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
        "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
        "bc1pw5dgrnzv",
        "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
        "bc1p0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQZK5JJ0",
        "bc1gmk9yu",
    ],
)
def test_bip350_invalid(address: str) -> None:
    assert segwit_decode("bc", address) is None


@pytest.mark.parametrize(
    ("characters", "last", "valid"),
    [
        (52, 0, True),  # 32 bytes and four bits, all zero
        (52, 1, False),
        (52, 8, False),
        (52, 16, True),  # the highest bit of the last character belongs to the program
        (54, 0, False),  # 33 bytes and six bits: one character too many
        (32, 31, True),  # 20 bytes, nothing left
    ],
)
def test_padding_is_short_and_zero_even_where_the_checksum_fits(
    characters: int, last: int, valid: bool
) -> None:
    data = [1, *[7] * (characters - 1), last]
    address = bech32.bech32_encode(bech32.Encoding.BECH32M, "bc", data)
    assert (segwit_decode("bc", address) is not None) is valid
    assert (_embit_segwit(address) != (None, None)) is valid


def test_base58_tells_a_wrong_checksum_from_a_wrong_alphabet() -> None:
    good = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
    assert base58check_decode(good) == base58.decode_check(good)
    with pytest.raises(ChecksumError):
        base58check_decode(good.replace("zP", "zQ"))
    for text in ("", "0OIl", good + "é", "1" * 101):
        with pytest.raises(ValueError, match="not base58"):
            base58check_decode(text)


def _embit_segwit(address: str) -> tuple[int | None, list[int] | None]:
    # embit raises where the data part is empty: it looks for a version there.
    try:
        version, program = bech32.decode("bc", address)
    except IndexError:
        return None, None
    return version, program


def _embit_script(address: str) -> bytes | None:
    version, program = _embit_segwit(address)
    if version is not None and program is not None:
        return bytes([version + 0x50 if version else 0, len(program), *program])
    try:
        payload = base58.decode_check(address)
    except ValueError:
        return None
    ends = {0x00: (b"\x76\xa9\x14", b"\x88\xac"), 0x05: (b"\xa9\x14", b"\x87")}
    if len(payload) != 21 or payload[0] not in ends:
        return None
    start, end = ends[payload[0]]
    return start + bytes(payload[1:]) + end
