"""A plain Python parser of blocks and undo data: slow, obvious, and sharing no code with the engine's kernels."""

import hashlib
from typing import NamedTuple

from embit.hashes import ripemd160


class PlainTransaction(NamedTuple):
    txid: str
    wtxid: str
    spent: int
    outputs: list[tuple[int, bytes]]
    script_sig: bytes


class PlainCoin(NamedTuple):
    value: int
    script: bytes


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        assert self.at + size <= len(self.data)
        piece = self.data[self.at : self.at + size]
        self.at += size
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def compact(self) -> int:
        first = self.number(1)
        return first if first < 253 else self.number({253: 2, 254: 4, 255: 8}[first])

    def string(self) -> bytes:
        return self.take(self.compact())

    def varint(self) -> int:
        value = 0
        while True:
            byte = self.number(1)
            value = value * 128 + byte % 128
            if byte < 128:
                return value
            value += 1


def sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def parse_block(data: bytes) -> list[PlainTransaction]:
    reader = Reader(data)
    reader.take(80)
    transactions = [parse_transaction(reader) for _ in range(reader.compact())]
    assert reader.at == len(data)
    return transactions


def parse_transaction(reader: Reader) -> PlainTransaction:
    start = reader.at
    version = reader.take(4)
    segwit = reader.data[reader.at : reader.at + 2] == b"\x00\x01"
    if segwit:
        reader.take(2)
    body = reader.at
    script_sigs = []
    for _ in range(reader.compact()):
        reader.take(36)
        script_sigs.append(reader.string())
        reader.take(4)
    outputs = [(reader.number(8), reader.string()) for _ in range(reader.compact())]
    stripped = version + reader.data[body : reader.at]
    if segwit:
        for _ in script_sigs:
            for _ in range(reader.compact()):
                reader.string()
    stripped += reader.take(4)
    full = reader.data[start : reader.at]
    return PlainTransaction(
        sha256d(stripped)[::-1].hex(), sha256d(full)[::-1].hex(), len(script_sigs), outputs, script_sigs[0]
    )


def merkle_root(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = hashes + hashes[-1:] if len(hashes) % 2 else hashes
        hashes = [sha256d(a + b) for a, b in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def parse_undo(data: bytes) -> list[list[PlainCoin]]:
    reader = Reader(data)
    spent = [[parse_coin(reader) for _ in range(reader.compact())] for _ in range(reader.compact())]
    assert reader.at == len(data)
    return spent


def parse_coin(reader: Reader) -> PlainCoin:
    if reader.varint() > 1:
        reader.varint()
    return PlainCoin(amount(reader.varint()), parse_script(reader))


def amount(x: int) -> int:
    if x == 0:
        return 0
    x, exponent = divmod(x - 1, 10)
    if exponent == 9:
        return (x + 1) * 1_000_000_000
    x, digit = divmod(x, 9)
    return (x * 10 + digit + 1) * int("1" + "0" * exponent)


def parse_script(reader: Reader) -> bytes:
    kind = reader.varint()
    if kind == 0:
        return b"\x76\xa9\x14" + reader.take(20) + b"\x88\xac"
    if kind == 1:
        return b"\xa9\x14" + reader.take(20) + b"\x87"
    if kind in (2, 3):
        return b"\x21" + bytes([kind]) + reader.take(32) + b"\xac"
    if kind in (4, 5):
        x = reader.take(32)
        return b"\x41\x04" + x + lift(int.from_bytes(x, "big"), kind - 4).to_bytes(32, "big") + b"\xac"
    return reader.take(kind - 6)


def lift(x: int, parity: int) -> int:
    """y of the secp256k1 point with this x and parity of y (y^2 = x^3 + 7 modulo the field's prime)."""
    prime = 2**256 - 2**32 - 977
    y: int = pow(x**3 + 7, (prime + 1) // 4, prime)
    return y if y % 2 == parity else prime - y


def account(script: bytes) -> int:
    """Of the script itself, or of the P2PKH script of the key that it pays directly."""
    key = script[1:-1]
    is_push_and_checksig = script == bytes([len(key) % 256]) + key + b"\xac"
    kinds = {(33, b"\2"), (33, b"\3"), (65, b"\4"), (65, b"\6"), (65, b"\7")}
    if is_push_and_checksig and (len(key), key[:1]) in kinds:
        script = b"\x76\xa9\x14" + ripemd160(hashlib.sha256(key).digest()) + b"\x88\xac"
    return int.from_bytes(hashlib.sha256(script).digest()[:8], "big", signed=True)
