"""Addresses with their private keys, and the signatures that spend what they received.

Every kind of output that matters in practice is here: P2PKH, P2WPKH, P2TR (key path), P2SH-P2WPKH, P2WSH,
P2PK with both key formats, bare multisig. Signature hashes: the original one, BIP 143 and BIP 341, always
over all inputs and outputs.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Final, NamedTuple

import coincurve
from embit.hashes import hash160, tagged_hash

from reflow.blocks.undo_writer import Coin, compact_size, sha256d
from reflow.simulate.serialize import (
    Input,
    Transaction,
    push,
    serialize_outputs,
    serialize_prevout,
    sha256,
    sized,
)

KINDS: Final = ("p2pkh", "p2wpkh", "p2tr", "p2sh_p2wpkh", "p2wsh", "p2pk", "p2pk_uncompressed", "multisig")
"""The kinds of scriptPubKey that `Address` can make."""

SIGHASH_ALL: Final = b"\x01"


class Address:
    """A scriptPubKey of one of the KINDS and the keys that spend it, derived from `seed` alone."""

    def __init__(self, kind: str, seed: bytes) -> None:
        self.kind: Final = kind
        self._key = coincurve.PrivateKey(sha256(seed))
        public = self._key.public_key.format()
        self._public: bytes = public
        if kind == "p2wsh":  # 1-of-2, as a shared wallet has it
            self._redeem = _one_of_two(public, sha256(public))
            self.script = b"\x00\x20" + sha256(self._redeem)
        elif kind == "multisig":
            self._redeem = self.script = _one_of_two(public, sha256(public))
        elif kind == "p2tr":  # an output key without a script tree, not tweaked: BIP 341 allows any
            self.script = b"\x51\x20" + public[1:]
        elif kind == "p2pk":
            self.script = push(public) + b"\xac"
        elif kind == "p2pk_uncompressed":
            self.script = push(self._key.public_key.format(compressed=False)) + b"\xac"
        else:
            self._hash = hash160(public)
            self.script = {
                "p2pkh": _p2pkh(self._hash),
                "p2wpkh": b"\x00\x14" + self._hash,
                "p2sh_p2wpkh": b"\xa9\x14" + hash160(b"\x00\x14" + self._hash) + b"\x87",
            }[kind]

    def sign(self, digests: "Digests", index: int) -> Input:
        """Input `index` of the transaction behind `digests`, which spends a coin of this address, signed."""
        plain = digests.tx.inputs[index]
        if self.kind == "p2tr":
            return plain._replace(witness=(self._key.sign_schnorr(digests.taproot(index), bytes(32)),))
        if self.kind in ("p2wpkh", "p2sh_p2wpkh"):
            signature = self._ecdsa(digests.segwit(index, _p2pkh(self._hash)))
            nested = push(b"\x00\x14" + self._hash) if self.kind == "p2sh_p2wpkh" else b""
            return plain._replace(script_sig=nested, witness=(signature, self._public))
        if self.kind == "p2wsh":
            signature = self._ecdsa(digests.segwit(index, self._redeem))
            return plain._replace(witness=(b"", signature, self._redeem))
        signature = push(self._ecdsa(digests.legacy(index, self.script)))
        before = b"\x00" if self.kind == "multisig" else b""  # CHECKMULTISIG takes one item too many
        after = push(self._public) if self.kind == "p2pkh" else b""
        return plain._replace(script_sig=before + signature + after)

    def _ecdsa(self, digest: bytes) -> bytes:
        return bytes(self._key.sign(digest, hasher=None)) + SIGHASH_ALL


class Digests:
    """The signature hashes of one transaction, for the coins that its inputs spend."""

    def __init__(self, tx: Transaction, coins: Sequence[Coin]) -> None:
        self.tx: Final = tx
        self._coins = coins
        self._head = tx.version.to_bytes(4, "little")
        self._tail = tx.locktime.to_bytes(4, "little")

    def legacy(self, index: int, script: bytes) -> bytes:
        """The original signature hash for input `index`, with `script` in place of its scriptSig."""
        inputs = b"".join(
            serialize_prevout(given.prevout)
            + sized(script if position == index else b"")
            + given.sequence.to_bytes(4, "little")
            for position, given in enumerate(self.tx.inputs)
        )
        count = compact_size(len(self.tx.inputs))
        outputs = compact_size(len(self.tx.outputs)) + self._parts.outputs
        return sha256d(self._head + count + inputs + outputs + self._tail + b"\x01\x00\x00\x00")

    def segwit(self, index: int, script: bytes) -> bytes:
        """The signature hash of BIP 143 for input `index`, with its script code."""
        given, parts = self.tx.inputs[index], self._parts
        own = (
            serialize_prevout(given.prevout) + sized(script) + self._coins[index].value.to_bytes(8, "little")
        )
        before = (
            sha256d(parts.prevouts) + sha256d(parts.sequences) + own + given.sequence.to_bytes(4, "little")
        )
        return sha256d(self._head + before + sha256d(parts.outputs) + self._tail + b"\x01\x00\x00\x00")

    def taproot(self, index: int) -> bytes:
        """The signature hash of BIP 341 (SIGHASH_DEFAULT, key path, no annex) for input `index`."""
        parts = self._parts
        values = b"".join(coin.value.to_bytes(8, "little") for coin in self._coins)
        scripts = b"".join(sized(coin.script) for coin in self._coins)
        hashes = b"".join(map(sha256, (parts.prevouts, values, scripts, parts.sequences, parts.outputs)))
        message = b"\x00\x00" + self._head + self._tail + hashes + b"\x00" + index.to_bytes(4, "little")
        return bytes(tagged_hash("TapSighash", message))

    @cached_property
    def _parts(self) -> "_Parts":
        return _Parts(
            b"".join(serialize_prevout(given.prevout) for given in self.tx.inputs),
            b"".join(given.sequence.to_bytes(4, "little") for given in self.tx.inputs),
            serialize_outputs(self.tx.outputs),
        )


class _Parts(NamedTuple):
    prevouts: bytes
    sequences: bytes
    outputs: bytes


def sign_all(tx: Transaction, coins: Sequence[Coin], addresses: Sequence[Address]) -> Transaction:
    """`tx` with every input signed by the address whose coin it spends."""
    digests = Digests(tx, coins)
    return tx._replace(inputs=tuple(address.sign(digests, i) for i, address in enumerate(addresses)))


def _p2pkh(key_hash: bytes) -> bytes:
    return b"\x76\xa9" + push(key_hash) + b"\x88\xac"


def _one_of_two(key: bytes, other: bytes) -> bytes:
    """1-of-2 multisig; the second key is a point that nobody needs."""
    return b"\x51" + push(key) + push(b"\x02" + other) + b"\x52\xae"
