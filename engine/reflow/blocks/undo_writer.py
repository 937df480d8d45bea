"""Undo data as Bitcoin Core writes it: the coins that a block's inputs spent, compressed.

Sources: Bitcoin Core `undo.h` (records), `serialize.h` (VARINT), `compressor.cpp` (amounts and scripts).
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import coincurve

SPECIAL_SCRIPTS: Final = 6
"""Script sizes in undo data are shifted by the number of script kinds that have a short form."""


class Coin(NamedTuple):
    """A spent output, and where it was made."""

    value: int
    """Satoshis."""
    script: bytes
    height: int
    coinbase: bool


def sha256d(data: bytes) -> bytes:
    """SHA-256 of SHA-256: block hashes, txids, checksums."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def compact_size(number: int) -> bytes:
    """Bitcoin's CompactSize: 1, 3, 5 or 9 bytes."""
    if number < 253:
        return bytes([number])
    for marker, width in ((253, 2), (254, 4), (255, 8)):
        if number < 1 << 8 * width:
            return bytes([marker]) + number.to_bytes(width, "little")
    raise OverflowError(f"{number} does not fit into a CompactSize")


def varint(number: int) -> bytes:
    """Core's VARINT: base 128, most significant first, one less in every group but the last."""
    groups = [number & 0x7F]
    while number > 0x7F:
        number = (number >> 7) - 1
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))


def compress_amount(value: int) -> int:
    """Core's CompressAmount: up to nine trailing decimal zeros of `value` (sat) become one digit."""
    if value == 0:
        return 0
    exponent = 0
    while value % 10 == 0 and exponent < 9:
        value //= 10
        exponent += 1
    if exponent == 9:
        return 1 + (value - 1) * 10 + 9
    value, digit = divmod(value, 10)
    return 1 + (value * 9 + digit - 1) * 10 + exponent


def compress_script(script: bytes) -> bytes:
    """A scriptPubKey as undo data have it: kind and 20 or 32 bytes, else VARINT(size + 6) and the script.

    Kinds: 0 P2PKH, 1 P2SH, 2 and 3 P2PK (compressed), 4 and 5 P2PK (uncompressed, if the key is on the
    curve).
    """
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return b"\x00" + script[3:23]
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22:] == b"\x87":
        return b"\x01" + script[2:22]
    if len(script) == 35 and script[0] == 33 and script[1] in (2, 3) and script[34] == 0xAC:
        return script[1:34]
    if len(script) == 67 and script[:2] == b"\x41\x04" and script[66] == 0xAC and _on_curve(script[1:66]):
        return bytes([4 | script[65] & 1]) + script[2:34]
    return varint(len(script) + SPECIAL_SCRIPTS) + script


def expand_script(kind: int, data: bytes) -> bytes:
    """The scriptPubKey behind the 20 or 32 bytes of kind 0 to 5, or the script itself for any other kind.

    Undo data keep x and the parity of y for uncompressed P2PK; the script needs y (SEC 1, section 2.3.4).
    Raises ValueError if there is no such point on the curve.
    """
    if kind == 0:
        return b"\x76\xa9\x14" + data + b"\x88\xac"
    if kind == 1:
        return b"\xa9\x14" + data + b"\x87"
    if kind in (2, 3):
        return bytes([33, kind]) + data + b"\xac"
    if kind in (4, 5):
        return b"\x41" + coincurve.PublicKey(bytes([kind - 2]) + data).format(compressed=False) + b"\xac"
    return data


def _on_curve(key: bytes) -> bool:
    try:
        coincurve.PublicKey(key)
    except ValueError:
        return False
    return True


def serialize_coin(coin: Coin) -> bytes:
    """One spent coin; the zero stands where old versions of Core had a transaction version."""
    code = varint(2 * coin.height + coin.coinbase)
    return b"".join(
        (
            code,
            b"\x00" if coin.height > 0 else b"",
            varint(compress_amount(coin.value)),
            compress_script(coin.script),
        )
    )


def serialize_undo(spent: Sequence[Iterable[Coin]]) -> bytes:
    """A block's undo record: for each transaction after the coinbase the coins of its inputs, in order."""
    records = [list(map(serialize_coin, coins)) for coins in spent]
    return compact_size(len(records)) + b"".join(compact_size(len(r)) + b"".join(r) for r in records)


def undo_checksum(prev_hash: bytes, undo: bytes) -> bytes:
    """The 32 bytes behind an undo record in a rev file."""
    return sha256d(prev_hash + undo)
