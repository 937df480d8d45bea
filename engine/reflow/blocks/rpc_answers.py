"""Blocks in a node's answers, field by field: what is not as Bitcoin Core writes it is named, never guessed.

Every field has one type and one range; anything else raises FieldError, which knows the way to the field.
"""

from decimal import Decimal
from typing import Any, Final

from reflow.blocks.undo_writer import Coin, compact_size, serialize_undo
from reflow.network import COIN

_UNSIGNED: Final = 2**32 - 1
_HIGHEST: Final = 2**31 - 1
_MOST_COINS: Final = (2**63 - 1) // COIN
"""What an amount's satoshis may be in a file; whether they can exist is the decoder's question."""


class FieldError(Exception):
    """A field that is not what it should be."""

    def __init__(self, path: str, found: object, expected: str) -> None:
        super().__init__(path)
        self.path = path
        """Such as `tx[3].vin[0].prevout.value`."""
        self.found = found
        self.expected = expected

    def within(self, path: str) -> "FieldError":
        """The same, seen from further outside."""
        return FieldError(f"{path}.{self.path}" if self.path else path, self.found, self.expected)


def parse_block(answer: Any) -> tuple[bytes, bytes]:
    """The bytes of a block and its undo data, from `getblock` with verbosity 3.

    Raises FieldError; for an input without `prevout` with that as the path's end and None found.
    """
    header = (
        (whole_at(answer, "version", -(2**31), _UNSIGNED) & _UNSIGNED).to_bytes(4, "little")
        + hex_at(answer, "previousblockhash", 32)[::-1]
        + hex_at(answer, "merkleroot", 32)[::-1]
        + whole_at(answer, "time", 0, _UNSIGNED).to_bytes(4, "little")
        + hex_at(answer, "bits", 4)[::-1]
        + whole_at(answer, "nonce", 0, _UNSIGNED).to_bytes(4, "little")
    )
    transactions = list_at(answer, "tx")
    number, raws, undo = 0, [], []
    try:
        for number, transaction in enumerate(transactions):
            raws.append(hex_at(transaction, "hex"))
            if number:
                undo.append(_coins(list_at(transaction, "vin")))
    except FieldError as error:
        raise error.within(f"tx[{number}]") from None
    return header + compact_size(len(raws)) + b"".join(raws), serialize_undo(undo)


def whole_at(part: Any, name: str, low: int, high: int) -> int:
    """A whole number in a range. Raises FieldError."""
    value = _member(part, name)
    if type(value) is not int or not low <= value <= high:
        raise FieldError(name, value, f"a whole number from {low} to {high}")
    return value


def text_at(part: Any, name: str) -> str:
    """A text. Raises FieldError."""
    value = _member(part, name)
    if type(value) is not str:
        raise FieldError(name, value, "a text")
    return value


def list_at(part: Any, name: str) -> list[Any]:
    """A list. Raises FieldError."""
    value = _member(part, name)
    if type(value) is not list:
        raise FieldError(name, value, "a list")
    return value


def hex_at(part: Any, name: str, size: int | None = None) -> bytes:
    """Bytes in hex digits, exactly `size` if given. Raises FieldError."""
    value = _member(part, name)
    try:
        data = bytes.fromhex(value)
    except (TypeError, ValueError):
        data = None
    if data is None or 2 * len(data) != len(value) or size not in (None, len(data)):
        raise FieldError(name, value, "hex digits" if size is None else f"{2 * size} hex digits")
    return data


def _coins(inputs: list[Any]) -> list[Coin]:
    coins = []
    for number, spent in enumerate(inputs):
        path = f"vin[{number}]"
        try:
            prevout = _member(spent, "prevout")
            path = f"vin[{number}].prevout"
            coins.append(_coin(prevout))
        except FieldError as error:
            raise error.within(path) from None
    return coins


def _coin(prevout: Any) -> Coin:
    return Coin(
        _satoshis_at(prevout, "value"),
        _script_at(prevout),
        whole_at(prevout, "height", 0, _HIGHEST),
        _flag_at(prevout, "generated"),
    )


def _satoshis_at(part: Any, name: str) -> int:
    value = _member(part, name)
    if type(value) in (int, Decimal) and 0 <= value <= _MOST_COINS:
        satoshis = value * COIN
        if satoshis == int(satoshis):
            return int(satoshis)
    raise FieldError(name, value, "an amount of at most eight decimal places")


def _script_at(prevout: Any) -> bytes:
    try:
        return hex_at(_member(prevout, "scriptPubKey"), "hex")
    except FieldError as error:
        raise error.within("scriptPubKey") from None


def _flag_at(part: Any, name: str) -> bool:
    value = _member(part, name)
    if type(value) is not bool:
        raise FieldError(name, value, "true or false")
    return value


def _member(part: Any, name: str) -> Any:
    if type(part) is not dict:
        raise FieldError("", part, "an object")
    return part.get(name)
