"""One label, as a file states it: what the CSV and the TagPack reader both give.

Errors in the data are values with their place, so that one run over a file can tell all of them; who wants
none raises the first (methodology 3 and 9.12).
"""

import csv
import re
from functools import cache
from typing import Final, NamedTuple

from reflow.errors import LabelError
from reflow.network import Network
from reflow.script import AddressError, script_of
from reflow.store.resources import folder

EXCHANGE: Final = "exchange"
"""The category whose entities get metrics of their own; accounts of all others are merely not claimable."""

RESERVED: Final = frozenset({"ex", "exincl", "all"})
"""Words that metric ids use for sets of exchanges; in lower case, since ids must differ in more than case."""

_BASE58_SCRIPTS: Final = frozenset({0x76, 0xA9})
"""First bytes of P2PKH (OP_DUP) and P2SH (OP_HASH160): in their addresses case matters."""


class Label(NamedTuple):
    """One address and who owns it."""

    place: str
    """File and line, for messages."""
    script: bytes
    """The scriptPubKey that the address pays to."""
    address: str
    """The address in its canonical spelling: bech32 in lower case."""
    entity: str
    """Exchange code, or any name where the category is not exchange."""
    category: str
    """`exchange`, `pool`, `miner`, … in lower case."""


def make_label(place: str, address: str, entity: str, category: str, network: Network) -> Label | LabelError:
    """A checked label; a LabelError (not raised) when address, entity or category cannot be right."""
    if fault := _entity_fault(entity, category):
        return LabelError(f"{place}: {fault}")
    try:
        script = script_of(address, network)
    except AddressError as error:
        return LabelError(f"{place}: {error}")
    is_base58 = script[0] in _BASE58_SCRIPTS
    return Label(place, script, address if is_base58 else address.lower(), entity, category)


@cache
def _entity_fault(entity: str, category: str) -> str | None:
    if not entity:
        return "empty entity"
    if not (entity.isprintable() and category.isprintable()):
        return f"entity {entity!r} of category {category!r} has unprintable characters"
    if category != EXCHANGE:
        return None
    if re.fullmatch("[A-Za-z0-9]+", entity) is None:
        return f"exchange {entity!r}: expected letters and digits only, since it becomes part of metric ids"
    if entity.lower() in RESERVED:
        return f"exchange {entity!r}: this word is reserved in metric ids"
    return None


@cache
def exchange_names() -> dict[str, str]:
    """Exchange code of every known code and name; keys are in the form that `plain` gives.

    Read from labels/exchange-names.csv, a table of `code,name` with one row for every way in which packs of
    labels write an exchange.
    """
    names: dict[str, str] = {}
    with (folder("labels") / "exchange-names.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["code"], row["name"]) for row in csv.DictReader(file)]
    for code, name in [(code, code) for code, _ in rows] + rows:
        names.setdefault(plain(name), code)
    return names


def exchange_entity(*names: str) -> str:
    """The exchange that `names` mean, most trusted first: a known one, else the first as an entity."""
    known = exchange_names()
    for name in names:
        if plain(name) in known:
            return known[plain(name)]
    return next((re.sub("[^A-Za-z0-9]", "", name) for name in names if name), "")


def plain(name: str) -> str:
    """A name without what people write in different ways: lower case, letters and digits only."""
    return "".join(character for character in name.casefold() if character.isalnum())
