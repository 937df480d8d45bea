"""The scripts of accounts: from the ledger where it keeps them, else from where its blocks came.

The ledger keeps no script for every account (it would grow by about a third); the payees of coinbases are in its
table `script`. Any other is read again from the blocks that the caller names.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from reflow.blocks.headers import Header
from reflow.blocks.lookup import FileLookup, Found, Lookup, RpcLookup, scripts_at
from reflow.errors import SourceError
from reflow.ledger.ledger import Ledger
from reflow.resources import query
from reflow.script import account_of


class Origin(NamedTuple):
    """Where blocks can be read again; nothing given: from the folder that the ledger remembers."""

    datadir: Path | None = None
    rpc: str | None = None
    cookie: Path | None = None


class Scripts(NamedTuple):
    """What was found."""

    of_account: dict[int, bytes]
    """Account to its scriptPubKey."""
    warning: str | None
    """One line on why accounts are missing, if any is."""


def find_scripts(
    ledger: Ledger,
    accounts: Collection[int],
    transactions: Mapping[bytes, Collection[int]],
    origin: Origin = Origin(),  # noqa: B008  # immutable
) -> Scripts:
    """Scripts of `accounts`, each of which appears in one of `transactions`: block hash (display order) to positions.

    A folder or an RPC that was asked for must be there: raises SourceError if it is not. If the folder that the ledger
    remembers is gone, what it keeps itself is all there is, and the warning says so.
    """
    found = _kept(ledger, accounts)
    missing = set(accounts) - found.keys()
    if not missing:
        return Scripts(found, None)
    try:
        lookup = _open(ledger, origin)
    except SourceError as error:
        if origin != Origin():
            raise
        return Scripts(found, _warning(len(missing), str(error)))
    reason = _look_up(lookup, transactions, missing, found)
    left = len(missing - found.keys())
    return Scripts(found, _warning(left, reason) if left else None)


def _kept(ledger: Ledger, accounts: Collection[int]) -> dict[int, bytes]:
    with ledger.con.cursor() as con:
        con.register("wanted", pa.table({"account": pa.array(sorted(accounts), pa.int64())}))
        return {account: bytes(script) for account, script in con.execute(query("kept_scripts")).fetchall()}


def _open(ledger: Ledger, origin: Origin) -> Lookup:
    if origin.rpc is not None:
        from reflow.blocks.rpc import RpcSource

        return RpcLookup(RpcSource(origin.rpc, cookie=origin.cookie, network=ledger.network))
    folder = origin.datadir.expanduser() if origin.datadir else _remembered(ledger)
    return FileLookup(folder, ledger.network, lambda hashes: _headers(ledger, hashes))


def _remembered(ledger: Ledger) -> Path:
    rows = ledger.con.execute("SELECT path FROM source.folder").fetchall()
    if not rows:
        raise SourceError("the ledger remembers no folder of blocks: it came over RPC")
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
    found: dict[int, bytes],
) -> str:
    """Fill `found`; gives why a block could not be read, or that the blocks have no such accounts."""
    reason = "the blocks do not show them"
    for block_hash, answer in lookup.blocks(transactions.keys()):
        if not isinstance(answer, Found):
            reason = answer
            continue
        for script in scripts_at(answer, transactions[block_hash]):
            account = account_of(script)
            if account in missing:
                found[account] = script
    return reason


def _warning(count: int, reason: str) -> str:
    return f"no address for {count:,} accounts: {reason}; --datadir or --rpc say where the blocks are"
