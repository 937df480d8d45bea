"""The verbs of the ledger: `ingest` makes it from a node's blocks, `verify` checks it again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reflow.amounts import plain
from reflow.cli import console, options
from reflow.cli.console import complain, print_table, say
from reflow.network import Network

if TYPE_CHECKING:
    from reflow.blocks.source import BlockSource
    from reflow.ledger.ingest import IngestResult
    from reflow.ledger.verify import Verification


def ingest(
    ledger: options.Ledger,
    datadir: options.DataDir = None,
    rpc: options.Rpc = None,
    rpc_cookie: options.RpcCookie = None,
    network: options.SourceNetwork = None,
    to_height: Annotated[
        int | None, typer.Option(min=0, max=options.MOST, metavar="N", help="Stop after this height.")
    ] = None,
    memory: options.ProcessMemory = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Bring a ledger up to date with a node's best chain; run again, it continues from the tip."""
    options.check_node(datadir, rpc, rpc_cookie, needed=True)
    from reflow.ledger.ingest import ingest as run

    with console.ingest_progress(quiet=as_json) as progress:
        source = _open_source(datadir, rpc, rpc_cookie, network)
        result = run(ledger, source, to_height=to_height, progress=progress, memory=memory, threads=threads)
    if as_json:
        behind = result.behind._asdict() if result.behind else None
        console.print_json(result._asdict() | {"behind": behind})
    else:
        _print_ingest(ledger, result)


def _open_source(
    datadir: Path | None, rpc: str | None, cookie: Path | None, network: Network | None
) -> "BlockSource":
    if rpc is not None:
        from reflow.blocks.rpc import RpcSource

        return RpcSource(rpc, cookie=cookie, network=network)
    from reflow.blocks.datadir import DatadirSource

    assert datadir is not None
    return DatadirSource(datadir.expanduser(), network)


def _print_ingest(ledger: Path, result: "IngestResult") -> None:
    """What came in, how fast, where the ledger stands now, and what is odd about the source."""
    rate = result.byte_count / 1e6 / max(result.seconds, 1e-9)
    if result.rolled_back:
        say(f"rolled back   {result.rolled_back:,} blocks that are no longer on the best chain")
    say(f"blocks        {result.blocks:,} appended, {result.transactions:,} transactions")
    say(f"speed         {result.byte_count / 1e6:,.1f} MB in {result.seconds:,.1f} s, {rate:,.0f} MB/s")
    if result.days_kept:
        say(f"days          {result.days_kept:,} complete days computed and kept")
    say(f"tip           {result.height:,}  {result.tip_hash}")
    say(f"ledger        {ledger} ({result.network})")
    for warning in result.warnings:
        complain(f"warning: {warning}")


def verify(
    ledger: options.Ledger,
    memory: options.ProcessMemory = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Check a whole ledger again from its rows, and print digests that others can compare."""
    from reflow.ledger.verify import DEFAULT_MEMORY, database_memory, facts
    from reflow.ledger.verify import verify as run

    database = database_memory(memory or DEFAULT_MEMORY)
    with options.open_ledger(ledger, quiet=as_json, memory=database, threads=threads) as (opened, progress):
        verification = run(opened, progress=progress, threads=threads)
    if as_json:
        console.print_json(facts(verification))
    else:
        _print_verification(verification)
    if verification.fault_count:
        raise typer.Exit(1)


def _print_verification(result: "Verification") -> None:
    """What the ledger holds, the digest of every 10,000 blocks, and the first faults, one line each."""
    count = result.rows
    rate = (count["debit"] + count["credit"]) / 1e6 / max(result.seconds, 1e-9)
    rows = [(f"{chunk.first_height:,} to {chunk.last_height:,}", chunk.digest) for chunk in result.chunks]
    print_table(("heights", "digest"), rows)
    say(f"rows          {count['tx']:,} transactions, {count['debit']:,} debits, {count['credit']:,} credits")
    say(f"speed         {result.seconds:,.1f} s, {rate:,.1f} M debits and credits a second")
    say(f"supply        {plain(result.supply)}")
    say(f"tip           {result.height:,}  {result.tip_hash}")
    say(f"digest        {result.digest} ({result.network})")
    for fault in result.faults:
        complain(str(fault))
    if result.fault_count > len(result.faults):
        complain(f"{result.fault_count:,} faults in all; only the first {len(result.faults)} are listed")
    elif not result.fault_count:
        say("faults        none")
