"""Transactions and blocks to bytes, as the peer-to-peer protocol and the blk files have them.

Byte order: hashes are in internal order (as hashed), not in display order. Amounts are satoshis. Sources:
Bitcoin Core `primitives/transaction.h` and `primitives/block.h`, BIP 141 (segwit), BIP 34 (coinbase height).
"""

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from reflow.blocks.undo_writer import compact_size, sha256d

FINAL_SEQUENCE: Final = 0xFFFFFFFF
NO_TXID: Final = bytes(32)
NO_VOUT: Final = 0xFFFFFFFF


class Prevout(NamedTuple):
    """Which output an input spends."""

    txid: bytes
    vout: int


class Input(NamedTuple):
    """One input; the coinbase's has the prevout (NO_TXID, NO_VOUT)."""

    prevout: Prevout
    script_sig: bytes = b""
    witness: tuple[bytes, ...] = ()
    sequence: int = FINAL_SEQUENCE


class Output(NamedTuple):
    """One output: satoshis and the scriptPubKey that they are paid to."""

    value: int
    script: bytes


class Transaction(NamedTuple):
    """A transaction; it is serialized with witnesses iff one of its inputs has one."""

    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    version: int = 2
    locktime: int = 0

    @property
    def has_witness(self) -> bool:
        """Whether any input carries a witness, which decides the serialization (BIP 144)."""
        return any(given.witness for given in self.inputs)


def sha256(data: bytes) -> bytes:
    """One SHA-256."""
    return hashlib.sha256(data).digest()


def sized(data: bytes) -> bytes:
    """The bytes behind their CompactSize length: a script, a witness item."""
    return compact_size(len(data)) + data


def push(data: bytes) -> bytes:
    """A script's push of up to 255 bytes."""
    return (bytes([len(data)]) if len(data) < 76 else b"\x4c" + bytes([len(data)])) + data


def serialize_prevout(prevout: Prevout) -> bytes:
    """Txid and output number, 36 bytes."""
    return prevout.txid + prevout.vout.to_bytes(4, "little")


def serialize_output(output: Output) -> bytes:
    """Value and scriptPubKey."""
    return output.value.to_bytes(8, "little") + sized(output.script)


def serialize_outputs(outputs: tuple[Output, ...]) -> bytes:
    """The outputs one after the other, without their number."""
    return b"".join(map(serialize_output, outputs))


def serialize_transaction(tx: Transaction, *, witness: bool = True) -> bytes:
    """A transaction's bytes; `witness=False` gives what the txid is the hash of."""
    segwit = witness and tx.has_witness
    inputs = b"".join(
        serialize_prevout(given.prevout) + sized(given.script_sig) + given.sequence.to_bytes(4, "little")
        for given in tx.inputs
    )
    return b"".join(
        (
            tx.version.to_bytes(4, "little"),
            b"\x00\x01" if segwit else b"",
            compact_size(len(tx.inputs)) + inputs,
            compact_size(len(tx.outputs)) + serialize_outputs(tx.outputs),
            b"".join(_serialize_witness(given.witness) for given in tx.inputs) if segwit else b"",
            tx.locktime.to_bytes(4, "little"),
        )
    )


def _serialize_witness(items: tuple[bytes, ...]) -> bytes:
    return compact_size(len(items)) + b"".join(map(sized, items))


def txid(tx: Transaction) -> bytes:
    """Transaction id, internal order."""
    return sha256d(serialize_transaction(tx, witness=False))


def merkle_root(hashes: list[bytes]) -> bytes:
    """Root of the Merkle tree over `hashes`; an odd level repeats its last hash."""
    while len(hashes) > 1:
        if len(hashes) % 2:
            hashes = [*hashes, hashes[-1]]
        hashes = [sha256d(hashes[i] + hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def coinbase_transaction(
    height: int, tag: bytes, outputs: Sequence[Output], witness_root: bytes | None
) -> Transaction:
    """A coinbase with the height (BIP 34) and `tag` in its scriptSig.

    `witness_root` is the Merkle root of the wtxids, zeros in place of the coinbase's; with it comes the commitment that
    a block with witnesses must have (BIP 141), without it, None, neither commitment nor witness.
    """
    script_sig = height_push(height) + push(height.to_bytes(4, "big")) + tag
    only = Input(Prevout(NO_TXID, NO_VOUT), script_sig)
    if witness_root is None:
        return Transaction((only,), tuple(outputs))
    reserved = bytes(32)
    commitment = Output(0, b"\x6a\x24\xaa\x21\xa9\xed" + sha256d(witness_root + reserved))
    return Transaction((only._replace(witness=(reserved,)),), (*outputs, commitment))


def height_push(height: int) -> bytes:
    """The height as a coinbase scriptSig must begin (BIP 34): a minimal script number."""
    if height <= 16:
        return bytes([0x50 + height if height else 0])
    return push(height.to_bytes(height.bit_length() // 8 + 1, "little"))


def serialize_header(version: int, prev_hash: bytes, root: bytes, time: int, bits: int, nonce: int) -> bytes:
    """The 80 header bytes."""
    numbers = b"".join(number.to_bytes(4, "little") for number in (time, bits, nonce))
    return version.to_bytes(4, "little") + prev_hash + root + numbers


def serialize_block(header: bytes, transactions: list[bytes]) -> bytes:
    """Header and serialized transactions as one block."""
    return header + compact_size(len(transactions)) + b"".join(transactions)
