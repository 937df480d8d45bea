"""The verbs that show results: `explain` one value, `serve` and `report` all of them, `demo` the whole way."""

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reflow.amounts import plain
from reflow.cli import console, options
from reflow.cli.check import print_diagnosis
from reflow.cli.console import complain, print_table, say
from reflow.network import NETWORKS

if TYPE_CHECKING:
    from reflow.explanations.explanation import Explanation, Party
    from reflow.explanations.reasons import Reason
    from reflow.ledger.ledger import Ledger
    from reflow.owners.pools import PoolReport
    from reflow.progress import Progress
    from reflow.report.report import Written
    from reflow.simulate.demo import DemoResult

_PARTIES_SHOWN: Final = 10
"""Accounts listed of one side of a transaction; --json has all of them."""

_Limit = Annotated[
    int | None,
    typer.Option(
        min=0, max=options.MOST, metavar="N", help="Show only the N largest parts; the sum always covers all."
    ),
]
_Graph = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR|FILE", help="Write the payment paths as GraphML and SVG there, or as one of them."
    ),
]


def explain(
    ledger: options.Ledger,
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="The id of a metric.")],
    day: Annotated[
        date,
        typer.Argument(
            parser=options.parse_day, metavar="DAY", help="A complete UTC day, such as 2021-02-28."
        ),
    ],
    labels: options.Labels,
    prices: options.Prices = None,
    methodology: Annotated[
        str, typer.Option(metavar="PRESET|FILE.toml", help="A preset's name, or a file with parameters.")
    ] = "reference",
    limit: _Limit = None,
    graph: _Graph = None,
    datadir: options.DataDir = None,
    rpc: options.Rpc = None,
    rpc_cookie: options.RpcCookie = None,
    prefer_later: options.PreferLater = False,
    memory: options.Memory = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Explain a value: every transaction behind it, who paid whom and why; they add up to it."""
    options.check_node(datadir, rpc, rpc_cookie, needed=False)
    from reflow.explanations.explain import explain as run
    from reflow.explanations.payment_graph import check_graph, write_graph
    from reflow.flows.methodology import Methodology
    from reflow.ledger.scripts import Origin
    from reflow.owners.labels import read_labels

    if graph is not None:
        check_graph(graph)
    chosen, dollars = Methodology.read(methodology), options.read_prices(prices)
    origin = Origin(datadir, rpc, rpc_cookie)
    with options.open_ledger(ledger, quiet=as_json, memory=memory, threads=threads) as (opened, progress):
        labelled = read_labels(labels, opened.network, prefer_later=prefer_later)
        given: dict[str, Any] = {"prices": dollars, "methodology": chosen, "origin": origin, "limit": limit}
        explanation = run(opened, labelled, metric, day, progress=progress, **given)
    files = write_graph(explanation, graph) if graph is not None else []
    if as_json:
        console.print_json(explanation.facts() | {"files": files})
    else:
        _print_explanation(explanation, files)


def _print_explanation(explanation: "Explanation", files: Sequence["Path"]) -> None:
    """Transactions or blocks, and accounts that joined, largest first, then the sum and the value."""
    say(f"{explanation.metric.id}, {explanation.day}: {explanation.metric.definition}")
    for part in explanation.parts:
        name = explanation.names[part.tx]
        say("", f"{_amount(explanation, part.amount)}  height {name.height:,}  {name.txid}")
        _print_side(explanation, "from", part.debits)
        _print_side(explanation, "to", part.credits)
    for block in explanation.blocks:
        say(f"{_amount(explanation, block.amount)}  height {block.height:,}  {block.block_hash}")
    _print_joined(explanation)
    _print_sum(explanation)
    say(f"methodology   {explanation.methodology.name()}")
    for file in files:
        say(f"written       {file}")
    for warning in explanation.warnings:
        complain(f"warning: {warning}")


def _print_joined(explanation: "Explanation") -> None:
    if explanation.joined:
        say("", "accounts that joined or left that day, with what they held the day before:")
    for joined in explanation.joined:
        why = "; ".join(_reason(explanation, reason) for reason in joined.reasons)
        say(f"{_amount(explanation, joined.amount)}  {joined.address}  {why}")


def _print_sum(explanation: "Explanation") -> None:
    things = "blocks" if explanation.blocks else "transactions"
    shown = len(explanation.parts) + len(explanation.blocks)
    hidden = f", the {shown:,} largest shown" if shown < explanation.number else ""
    joined = ""
    if explanation.joined_number:
        few = (
            f", the {len(explanation.joined):,} largest shown"
            if len(explanation.joined) < explanation.joined_number
            else ""
        )
        joined = f" and {explanation.joined_number:,} accounts that joined or left{few}"
    label = "sum" if explanation.before is None else "change"
    say(
        "",
        f"{label:<12}  {_amount(explanation, explanation.total)} in {explanation.number:,} {things}{hidden}{joined}",
    )
    if explanation.before is not None:
        say(f"day before    {_amount(explanation, explanation.before)}")
    whole = explanation.total + (explanation.before or 0)
    priced = f" = {plain(whole)} at {explanation.price} USD" if explanation.price else ""
    say(f"value         {explanation.cell() or 'null'}{priced}")


def _amount(explanation: "Explanation", amount: int) -> str:
    return f"{amount:,}" if explanation.metric.unit in ("count", "bytes") else plain(amount)


def _print_side(explanation: "Explanation", way: str, parties: Sequence["Party"]) -> None:
    """One side: accounts with a role first; many others share a line."""
    ordered = sorted(parties, key=lambda party: not (party.role or party.reasons))
    for party in ordered[:_PARTIES_SHOWN]:
        why = "; ".join(_reason(explanation, reason) for reason in party.reasons)
        counts = f"{party.role}: " if party.role else ""
        note = f"  {counts}{why or 'anyone'}" if party.role or why else ""
        directly = " (paid to its key directly)" if party.to_key else ""
        say(f"    {way:<4}  {plain(party.value):>16}  {party.address}{directly}{note}")
    if rest := ordered[_PARTIES_SHOWN:]:
        say(f"    {way:<4}  {plain(sum(p.value for p in rest)):>16}  {len(rest):,} more accounts")


def _reason(explanation: "Explanation", reason: "Reason") -> str:
    if reason.tx is None:
        category = f" ({reason.category})" if reason.category != "exchange" else ""
        return f"{reason.entity}{category} by label"
    name = explanation.names[reason.tx]
    if reason.kind == "closure":
        return f"{reason.entity} by closure, round {reason.round}, transaction {name.txid}"
    if reason.kind == "coinbase":
        return f"0-hop by the coinbase of block {name.height:,}"
    return f"1-hop by payout {name.txid} in block {name.height:,}"


_Key = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="The environment variable with the key that requests must give as api_key."
    ),
]
_ALL_ADDRESSES: Final = ("0.0.0.0", "::")  # compared with, not listened on
_Names = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Answer requests to this name too, beside localhost and HOST; repeatable. Others get 403; `*` is any.",
    ),
]
_VendorBeside = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="The vendor's series, CSV, Parquet or JSON, to serve beside the results."
    ),
]
_ExplainFrom = Annotated[
    Path | None, typer.Option(metavar="LEDGER", help="Explain values from this ledger; needs --labels.")
]


def serve(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="What recompute wrote, or a folder of several such folders.")
    ],
    host: Annotated[
        str,
        typer.Option(metavar="HOST", help="The address to listen on; 0.0.0.0 is all, see --allow-host."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="The port; 0 takes a free one.")
    ] = 8080,
    allow_host: _Names = None,
    api_key_env: _Key = None,
    ledger: _ExplainFrom = None,
    labels: options.LabelsOfResults = None,
    prices: options.Prices = None,
    prefer_later: options.PreferLater = False,
    vendor: _VendorBeside = None,
    as_json: options.Json = False,
) -> None:
    """Serve results in the format of the vendor's API, with a page to browse them, until Ctrl-C."""
    options.check_ledger_and_labels(ledger, labels)
    key = None if api_key_env is None else _key_from(api_key_env)
    from reflow.errors import ServeError

    try:
        from reflow.serve.explaining import Sources
        from reflow.serve.server import serve as run
    except ModuleNotFoundError as error:
        if str(error.name).startswith("reflow"):
            raise
        raise ServeError(
            f"{error.name} is not installed; install it with: pip install 'reflow[serve]'"
        ) from None
    hosts = _host_names(allow_host or [])

    def started(url: str, names: list[str]) -> None:
        if as_json:
            console.print_json({"url": url, "methodologies": names})
            return
        unnamed = host in _ALL_ADDRESSES and not hosts
        hint = "; by other names than localhost only with --allow-host NAME" if unnamed else ""
        say(f"serving {', '.join(names)} at {url} (Ctrl-C to stop){hint}")

    sources = Sources(ledger, tuple(labels), prices, prefer_later) if ledger and labels else None
    run(folder, host, port, names=hosts, key=key, sources=sources, vendor=vendor, started=started)


def _key_from(variable: str) -> str:
    key = os.environ.get(variable)
    if not key:
        raise typer.BadParameter(f"--api-key-env: no {variable} in the environment, or it is empty")
    return key


def _host_names(names: list[str]) -> set[str]:
    from reflow.serve.server import ANY_HOST, host_name

    try:
        return {name if name == ANY_HOST else host_name(name) for name in names}
    except ValueError as error:
        raise typer.BadParameter(f"--allow-host: {error}") from None


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that recompute wrote.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page: one HTML file.")],
    crosscheck: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What crosscheck wrote, if it is not in the folder itself."),
    ] = None,
    sweep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="What sweep wrote, if it is not in the folder itself.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(metavar="LEDGER", help="The ledger, for the part about pools.")
    ] = None,
    labels: options.LabelsOfPools = None,
    pool_files: options.PoolFiles = None,
    charts: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each chart there as PNG and SVG too.")
    ] = None,
    prefer_later: options.PreferLater = False,
    memory: options.Memory = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Make one HTML file of a run, its cross-check and its sweep: verdict, charts, worst days; it opens offline."""
    if ledger is None and (labels or pool_files):
        raise typer.BadParameter("--labels and --pools go with --ledger")
    from reflow.report.report import check_libraries, write_report
    from reflow.results.frames import read_frames

    check_libraries()
    frames = read_frames(folder, crosscheck=crosscheck, sweep=sweep)
    pool_report = None
    if ledger is not None:
        network = NETWORKS.get(str(frames.run.get("network")))
        with options.open_ledger(
            ledger, quiet=as_json, memory=memory, threads=threads, network=network
        ) as opening:
            pool_report = _report_pools(*opening, labels, pool_files, prefer_later)
    with console.stage_progress(quiet=as_json) as progress:
        written = write_report(frames, out, pools=pool_report, charts=charts, progress=progress)
    if as_json:
        console.print_json(written._asdict())
    else:
        _print_report(written)


def _report_pools(
    ledger: "Ledger",
    progress: "Progress",
    labels: list[str] | None,
    pool_files: list[Path] | None,
    prefer_later: bool,
) -> "PoolReport":
    from reflow.owners.labels import read_labels
    from reflow.owners.pool_files import read_pools
    from reflow.owners.pools import report_pools

    labelled = read_labels(labels, ledger.network, prefer_later=prefer_later) if labels else None
    return report_pools(ledger, read_pools(pool_files, ledger.network), labelled, progress=progress)


def _print_report(result: "Written") -> None:
    """The verdict, layer by layer, what explains differences, and where the report is."""
    say(f"verdict       {result.verdict}")
    for layer, state in result.layers.items():
        say(f"{layer:<14}{state}")
    for finding in result.findings:
        say(f"- {finding}")
    page, *charts = result.files
    say(
        f"report        {page}: {result.days:,} days, {result.metrics:,} metrics, {result.size / 1e6:,.1f} MB"
    )
    if charts:
        say(f"charts        {len(charts):,} files in {charts[0].parent}")
    for text in result.missing:
        complain(f"not in the report: {text}")


def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put everything.")] = Path(
        "reflow-demo"
    ),
    as_json: options.Json = False,
) -> None:
    """Simulate a small economy, recompute it, and compare with the simulator's books and a simulated vendor."""
    from reflow.simulate.demo import run_demo

    with console.stage_progress(quiet=as_json) as progress:
        result = run_demo(folder, progress=progress)
    if as_json:
        console.print_json(_demo_to_json(result))
    else:
        _print_demo(result)
    if result.disagreements or not all(fault.named for fault in result.planted):
        raise typer.Exit(1)


def _demo_to_json(result: "DemoResult") -> dict[str, Any]:
    from reflow.crosscheck.output import facts

    return result._asdict() | {
        "ingested": result.ingested._asdict(),
        "flows": [flow._asdict() for flow in result.flows],
        "disagreements": [cell._asdict() for cell in result.disagreements],
        "check": facts(result.check),
        "planted": [fault._asdict() for fault in result.planted],
    }


def _print_demo(result: "DemoResult") -> None:
    """The flows of each exchange, how many cells agree, and where the files are."""
    say(
        f"A simulated economy of {result.ingested.height:,} blocks, {result.first_day} to {result.last_day}:",
        "its blk and rev files ingested, its metrics recomputed.",
    )
    columns = ("exchange", "from miners", "to miners", "from miners, USD", "to miners, USD")
    rows = [
        (
            "all (Ex)" if flow.exchange == "Ex" else flow.exchange,
            f"{flow.from_miners:,.8f}",
            f"{flow.to_miners:,.8f}",
            f"{flow.from_miners_usd:,.2f}",
            f"{flow.to_miners_usd:,.2f}",
        )
        for flow in result.flows
    ]
    print_table(columns, rows, title="Flows between exchanges and miners (within one hop), all days")
    agreed = result.cells - len(result.disagreements)
    say(f"{agreed:,} of {result.cells:,} values in the simulator's own books agree with the engine's.")
    say("", "A simulated vendor publishes the same series, with three faults. The cross-check:", "")
    print_diagnosis(result.check.diagnosis)
    say(f"verdict       {result.check.diagnosis.text}")
    for fault in result.planted:
        what = " of ".join(part for part in (fault.kind, fault.exchange) if part)
        say(f"planted       {what}, {fault.day}: {'named' if fault.named else 'NOT named'}")
    say("")
    for name, path in result.files.items():
        say(f"{name:<20}{path}")
    for cell in result.disagreements[:20]:
        complain(f"{cell.day} {cell.metric}: found {cell.found}, expected {cell.expected}")
