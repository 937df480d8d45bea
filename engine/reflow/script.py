"""scriptPubKey to address and back, and the account id of a scriptPubKey.

An account is one exact scriptPubKey, but for one exception: an output that pays a public key directly (P2PK) belongs
to the account of the P2PKH script of that key (methodology 2). An account's address, if it has one, is the
network's standard encoding: base58check for P2PKH and P2SH, bech32 for witness version 0 (BIP 173), bech32m for version
1 and up (BIP 350). Scripts without an address (bare multisig, OP_RETURN, anything else) are still accounts.

Label files hold hundreds of thousands of addresses, so where their text is decoded no Python statement runs per
character: what a character adds to the number (base58) or to the checksum (bech32, which is linear over GF(2)) depends
only on its place, and is looked up and summed by C code. That is 8 to 14 times faster than embit's reference code,
which the tests compare it with.
"""

import hashlib
from functools import cache, reduce
from operator import getitem, mul, xor
from typing import Final

from embit import base58, bech32
from embit.hashes import hash160

from reflow.network import NETWORKS, Network

_HRPS: Final = frozenset(network.hrp for network in NETWORKS.values())


_BASE58: Final = {c: n for n, c in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_LONGEST_BASE58: Final = 100
_POWERS: Final = tuple(58**n for n in range(_LONGEST_BASE58 - 1, -1, -1))

_BECH32_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_LONGEST_BECH32: Final = 90
_TO_BASE32: Final = str.maketrans(_BECH32_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CONST: Final = 1
_BECH32M_CONST: Final = 0x2BC830A3


class ChecksumError(ValueError):
    """The text has the right form, but its checksum does not fit."""


class AddressError(ValueError):
    """The text is not an address of the network: says what is wrong with it."""


def public_key_of(script: bytes) -> bytes | None:
    """The public key that a scriptPubKey pays directly (P2PK), None for any other script.

    Such a script is a push of a 33-byte key that begins with 02 or 03, or of a 65-byte key that begins with 04, 06 or
    07, then OP_CHECKSIG, and nothing else (methodology 2; Bitcoin Core's `CPubKey::ValidSize`).
    """
    if len(script) not in (35, 67) or script[0] != len(script) - 2 or script[-1] != 0xAC:
        return None
    return script[1:-1] if script[1] in ((2, 3) if len(script) == 35 else (4, 6, 7)) else None


def account_script(script: bytes) -> bytes:
    """The script that an account is a hash of: P2PKH of the key that `script` pays directly, else `script` itself."""
    key = public_key_of(script)
    return script if key is None else b"\x76\xa9\x14" + hash160(key) + b"\x88\xac"


def account_of(script: bytes) -> int:
    """Account id: the first 8 bytes of SHA-256(account_script), read as a big-endian signed 64-bit integer.

    The first 16 hex digits of the Electrum protocol's hash of that script before its byte reversal.
    """
    return int.from_bytes(hashlib.sha256(account_script(script)).digest()[:8], "big", signed=True)


def address_of(script: bytes, network: Network) -> str | None:
    """The standard address of a scriptPubKey's account on `network`, or None where no standard encoding exists."""
    script = account_script(script)
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return str(base58.encode_check(bytes([network.p2pkh_prefix]) + script[3:23]))
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22:] == b"\x87":
        return str(base58.encode_check(bytes([network.p2sh_prefix]) + script[2:22]))
    if witness := _witness_program(script):
        return str(bech32.encode(network.hrp, *witness))
    return None


def script_of(address: str, network: Network) -> bytes:
    """The scriptPubKey that an address of `network` pays to.

    Raises AddressError when the checksum is wrong, when the address belongs to another network, or when the
    text is no address at all.
    """
    lower = address.lower()
    separator = lower.rfind("1")
    if separator > 0 and lower[:separator] in _HRPS:
        return _script_of_segwit(address, lower[:separator], network)
    try:
        payload = base58check_decode(address)
    except ChecksumError:
        raise AddressError(f"bad checksum: {address}") from None
    except ValueError:
        raise AddressError(f"not base58 or bech32: {address}") from None
    if len(payload) != 21:
        raise AddressError(f"{len(payload)} bytes in base58, expected 21: {address}")
    prefix, digest = payload[0], payload[1:]
    if prefix == network.p2pkh_prefix:
        return b"\x76\xa9\x14" + digest + b"\x88\xac"
    if prefix == network.p2sh_prefix:
        return b"\xa9\x14" + digest + b"\x87"
    others = [n.name for n in NETWORKS.values() if prefix in (n.p2pkh_prefix, n.p2sh_prefix)]
    raise AddressError(_wrong_network(address, others, network))


def _script_of_segwit(address: str, hrp: str, network: Network) -> bytes:
    decoded = segwit_decode(hrp, address)
    if decoded is None:
        raise AddressError(f"bad checksum: {address}")
    if hrp != network.hrp:
        raise AddressError(
            _wrong_network(address, [n.name for n in NETWORKS.values() if n.hrp == hrp], network)
        )
    version, program = decoded
    return bytes([version + 0x50 if version else 0, len(program)]) + program


def _wrong_network(address: str, others: list[str], network: Network) -> str:
    found = " or ".join(others) if others else "no known network"
    return f"address of {found}, expected {network.name}: {address}"


def _witness_program(script: bytes) -> tuple[int, bytes] | None:
    """(version, program) of a witness output (BIP 141), or None; version 0 only with 20 or 32 bytes."""
    if not 4 <= len(script) <= 42 or script[1] != len(script) - 2:
        return None
    if script[0] == 0:
        return (0, script[2:]) if len(script) in (22, 34) else None
    return (script[0] - 0x50, script[2:]) if 0x51 <= script[0] <= 0x60 else None


def describe(script: bytes, network: Network) -> str:
    """How a person names a scriptPubKey's account: its address, or its type and its shortened hex where it has none."""
    address = address_of(script, network)
    if address is not None:
        return address
    return f"{_type_of(script)} {_shortened(script.hex())}".rstrip()


def _type_of(script: bytes) -> str:
    if script[:1] == b"\x6a":
        return "OP_RETURN"
    if script[-1:] == b"\xae" and 0x51 <= script[0] <= 0x60:
        return "multisig"
    return "script" if script else "empty script"


def _shortened(text: str, ends: int = 12) -> str:
    return text if len(text) <= 2 * ends + 1 else f"{text[:ends]}…{text[-ends:]}"


def base58check_decode(text: str) -> bytes:
    """The bytes of a base58check text, without its 4-byte checksum.

    Raises ChecksumError when the checksum is wrong, plain ValueError when the text is not base58 at all.
    """
    if not text or len(text) > _LONGEST_BASE58:
        raise ValueError("not base58")
    try:
        number: int = sum(map(mul, _POWERS[-len(text) :], map(_BASE58.__getitem__, text)))
    except KeyError:
        raise ValueError("not base58") from None
    zeros = len(text) - len(text.lstrip("1"))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    payload, checksum = data[:-4], data[-4:]
    if hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4] != checksum:
        raise ChecksumError("bad checksum")
    return payload


def segwit_decode(hrp: str, text: str) -> tuple[int, bytes] | None:
    """(witness version, program) of a bech32 or bech32m address of prefix `hrp`, else None."""
    lower = text.lower()
    if len(text) > _LONGEST_BECH32 or text not in (lower, text.upper()) or not lower.startswith(f"{hrp}1"):
        return None
    data = lower[len(hrp) + 1 :]
    if len(data) < 8 or not _SHARES[0].keys() >= set(data):
        return None
    checksum = reduce(xor, map(getitem, _SHARES[-len(data) :], data), _prefix_share(hrp, len(data)))
    version, program = _SHARES[-1][data[0]], _regroup(data[1:-6])
    expected = _BECH32M_CONST if version else _BECH32_CONST
    if checksum != expected or version > 16 or program is None:
        return None
    lengths = range(2, 41) if version else (20, 32)
    return (version, program) if len(program) in lengths else None


def _shift(checksum: int) -> int:
    """The checksum register after one more five-bit zero (BIP 173's `polymod` step)."""
    top, checksum = checksum >> 25, (checksum & 0x1FFFFFF) << 5
    for i, generator in enumerate(_GENERATOR):
        checksum ^= generator if top >> i & 1 else 0
    return checksum


def _shares() -> tuple[dict[str, int], ...]:
    """What each character adds to the checksum, one table per place; the last place comes last."""
    tables = [{character: n for n, character in enumerate(_BECH32_ALPHABET)}]
    for _ in range(_LONGEST_BECH32 - 1):
        tables.append({character: _shift(share) for character, share in tables[-1].items()})
    return tuple(reversed(tables))


_SHARES: Final = _shares()


@cache
def _prefix_share(hrp: str, length: int) -> int:
    """What the human-readable part adds to the checksum of `length` characters."""
    checksum = 1
    for value in (*(ord(c) >> 5 for c in hrp), 0, *(ord(c) & 31 for c in hrp), *[0] * length):
        checksum = _shift(checksum) ^ value
    return checksum


def _regroup(characters: str) -> bytes | None:
    """Five-bit characters as bytes; None when the padding is longer than four bits or not zero."""
    bits = 5 * len(characters)
    padding = bits % 8
    number = int(characters.translate(_TO_BASE32), 32)
    if padding > 4 or number & ((1 << padding) - 1):
        return None
    return (number >> padding).to_bytes(bits // 8, "big")
