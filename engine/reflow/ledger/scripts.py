"""The scripts of accounts: from the ledger where it keeps them, else from where its blocks came.

The ledger keeps no script for every account (it would grow by about a third); the payees of coinbases are in its
table `script`. Any other is read again from the blocks that the caller names. Only blocks show
whether an output pays a public key directly, since its account is that of the key's address.
"""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from reflow.blocks.headers import Header
from reflow.blocks.lookup import FileLookup, Found, Lookup, RpcLookup, scripts_at
from reflow.errors import SourceError
from reflow.ledger.ledger import Ledger
from reflow.script import account_of, account_script, public_key_of
from reflow.store.resources import query

_P2PKH: Final = b"\x76\xa9\x14"


class Origin(NamedTuple):
    """Where blocks can be read again; nothing given: from the folder that the ledger remembers."""

    datadir: Path | None = None
    rpc: str | None = None
    cookie: Path | None = None


class Posting(NamedTuple):
    """All inputs, or all outputs, of an account in a transaction."""

    block_hash: bytes
    """In display order."""
    position: int
    """Of the transaction in its block."""
    is_debit: bool
    account: int


class Scripts(NamedTuple):
    """The scripts that were found."""

    of_account: dict[int, bytes]
    """Account to the script that it is a hash of: P2PKH where a key was paid directly, whichever was seen first."""
    to_key: set[Posting]
    """Those with an output that pays a public key directly (P2PK), or an input that spends one."""
    warning: str | None
    """One line on why accounts are missing, if any is."""


def find_scripts(
    ledger: Ledger,
    accounts: AbstractSet[int],
    transactions: Mapping[bytes, Collection[int]],
    origin: Origin = Origin(),  # noqa: B008  # immutable
    labelled: Mapping[int, bytes] | None = None,
) -> Scripts:
    """Scripts of `accounts`, each of which appears in one of `transactions`: block hash (display order) to positions.

    `labelled` are scripts from labels. Blocks are read if a script is unknown, or if an account is that of a key, which
    may be paid in two forms.
    Raises SourceError if a folder or RPC that was asked for is not there. If the folder that the ledger remembers is
    gone, only scripts in the ledger are found, and the warning says so.
    """
    known = dict(labelled or {})
    known |= _kept(ledger, accounts - known.keys())
    missing = set(accounts) - known.keys()
    found = Scripts(known, set(), None)
    if not missing and not any(script.startswith(_P2PKH) for script in known.values()):
        return found
    try:
        lookup = _open(ledger, origin)
    except SourceError as error:
        if origin != Origin():
            raise
        return found._replace(warning=_warning(len(missing), str(error)) if missing else None)
    reason = _look_up(lookup, transactions, missing, found)
    left = len(missing - known.keys())
    return found._replace(warning=_warning(left, reason) if left else None)


def _kept(ledger: Ledger, accounts: Collection[int]) -> dict[int, bytes]:
    with ledger.con.cursor() as con:
        con.register("wanted", pa.table({"account": pa.array(sorted(accounts), pa.int64())}))
        rows = con.execute(query("kept_scripts")).fetchall()
    return {account: account_script(bytes(script)) for account, script in rows}


def _open(ledger: Ledger, origin: Origin) -> Lookup:
    if origin.rpc is not None:
        from reflow.blocks.rpc import RpcSource

        return RpcLookup(RpcSource(origin.rpc, cookie=origin.cookie, network=ledger.network))
    folder = origin.datadir.expanduser() if origin.datadir else _remembered(ledger)
    return FileLookup(folder, ledger.network, lambda hashes: _headers(ledger, hashes))


def _remembered(ledger: Ledger) -> Path:
    rows = ledger.con.execute("SELECT path FROM source.folder").fetchall()
    if not rows:
        raise SourceError("the ledger was read over RPC, so it knows no folder of blocks")
    return Path(rows[0][0])


def _headers(ledger: Ledger, hashes: Collection[bytes]) -> Iterable[Header]:
    with ledger.con.cursor() as con:
        wire = pa.array([block_hash[::-1] for block_hash in sorted(hashes)], pa.binary())
        con.register("wanted_block", pa.table({"hash": wire}))
        rows = con.execute(query("source_places")).fetchall()
    return [Header(bytes(hash_), bytes(prev), *rest) for hash_, prev, *rest in rows]


def _look_up(
    lookup: Lookup,
    transactions: Mapping[bytes, Collection[int]],
    missing: Collection[int],
    found: Scripts,
) -> str:
    """Fill `found`; gives why a block could not be read, or that the blocks have no such accounts."""
    reason = "the blocks do not show them"
    for block_hash, answer in lookup.blocks(transactions.keys()):
        if not isinstance(answer, Found):
            reason = answer
            continue
        for position, is_debit, script in scripts_at(answer, transactions[block_hash]):
            account = account_of(script)
            if account in missing:
                found.of_account[account] = account_script(script)
            if public_key_of(script) is not None:
                found.to_key.add(Posting(block_hash, position, is_debit, account))
    return reason


def _warning(count: int, reason: str) -> str:
    return f"no address for {count:,} accounts: {reason}; name the blocks with --datadir or --rpc"
