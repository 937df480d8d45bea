"""The command line: one function a verb; heavy modules are imported where they are used, so --help is quick.

Exit status: 0 done, 1 a check failed or the data are bad (one line on stderr), 2 wrong usage, 130
interrupted.
"""

import os
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from reflow import __version__
from reflow.cli import console, summary
from reflow.errors import ReflowError
from reflow.flows.methodology import PRESETS, PURPOSES
from reflow.network import NETWORKS, Network

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it (128 + SIGINT)."""


class _Verbs(TyperGroup):
    """Turns errors that a user can do something about into one line and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ReflowError as error:
            console.complain(str(error))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            console.complain(
                "interrupted; nothing is half-written, what was finished is kept: run the same command again"
            )
            raise typer.Exit(INTERRUPTED) from None


class _ManyFiles(TyperCommand):
    """Lets one --labels or --pools take several files, as in `--labels my/*.csv`.

    Where the verb has a ledger, it must come before: a file after the option would be taken for it.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the option before every further file."""
        has_argument = any(parameter.param_type_name == "argument" for parameter in self.params)
        if has_argument and args and args[0].startswith("-"):
            return super().parse_args(ctx, args)
        expanded: list[str] = []
        option, files = "", 0  # the option that takes files, if in one, and how many it had
        for before, arg in pairwise(["", *args]):
            if arg.startswith("-"):
                option, files = "", 0
            elif option or before in ("--labels", "--pools"):
                option = option or before
                expanded += [option] if files else []
                files += 1
            expanded.append(arg)
        return super().parse_args(ctx, expanded)


def _network(name: str) -> Network:
    if name not in NETWORKS:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(NETWORKS)}")
    return NETWORKS[name]


LedgerArgument = Annotated[Path, typer.Argument(metavar="LEDGER", help="The ledger: one DuckDB file.")]
LabelsOption = Annotated[
    list[str],
    typer.Option(
        metavar="FILE...",
        help="Label files, CSV or TagPack YAML; `shipped` means those in the package; may be given again.",
    ),
]
PreferLaterOption = Annotated[
    bool,
    typer.Option("--prefer-later", help="Where label files contradict each other, the later file decides."),
]
NetworkOption = Annotated[
    Network | None,
    typer.Option(
        parser=_network,
        metavar="NAME",
        help=f"One of {', '.join(NETWORKS)}; found from the source if left out.",
    ),
]
MemoryOption = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Memory limit of the database, such as 4GB.")
]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Threads; results do not depend on it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]

app = typer.Typer(
    name="reflow",
    cls=_Verbs,
    help="Daily Bitcoin flows between miners and exchanges, recomputed exactly from raw blocks.",
    epilog="Example: reflow demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
labels_app = typer.Typer(
    help="Work with label files.",
    epilog="Example: reflow labels check shipped",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(labels_app, name="labels")


def _print_version(wanted: bool) -> None:
    if wanted:
        console.say(f"reflow {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: reflow ingest main.duckdb --datadir ~/.bitcoin")
def ingest(
    ledger: LedgerArgument,
    datadir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The node's data directory, its network subfolder, or a blocks folder."
        ),
    ] = None,
    rpc: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The node's RPC, http://[USER:PASSWORD@]HOST:PORT; user and password may also stand in the "
            "environment: REFLOW_RPC_USER, REFLOW_RPC_PASSWORD.",
        ),
    ] = None,
    rpc_cookie: Annotated[Path | None, typer.Option(metavar="FILE", help="The node's .cookie file.")] = None,
    network: NetworkOption = None,
    to_height: Annotated[int | None, typer.Option(min=0, metavar="N", help="Stop after this height.")] = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a ledger up to a node's best chain; run again, it goes on from the tip."""
    if (datadir is None) == (rpc is None):
        raise typer.BadParameter("expected one of --datadir DIR and --rpc URL")
    if rpc_cookie is not None and rpc is None:
        raise typer.BadParameter("--rpc-cookie goes with --rpc")
    from reflow.ledger.ingest import ingest as run

    with console.ingest_progress(quiet=as_json) as progress:
        source = _source(datadir, rpc, rpc_cookie, network)
        result = run(ledger, source, to_height=to_height, progress=progress, memory=memory, threads=threads)
    if as_json:
        console.say_json(result._asdict())
    else:
        summary.tell_ingest(ledger, result)


def _source(datadir: Path | None, rpc: str | None, cookie: Path | None, network: Network | None) -> Any:
    if rpc is not None:
        from reflow.blocks.rpc import RpcSource

        return RpcSource(rpc, cookie=cookie, network=network)
    from reflow.blocks.datadir import DatadirSource

    assert datadir is not None
    return DatadirSource(datadir.expanduser(), network)


@app.command(epilog="Example: reflow verify main.duckdb")
def verify(
    ledger: LedgerArgument,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a whole ledger again from its rows, and tell its digests, which others can compare with theirs."""
    from reflow.ledger.ledger import Ledger
    from reflow.ledger.verify import DEFAULT_MEMORY, database_memory, facts
    from reflow.ledger.verify import verify as run

    database = database_memory(memory or DEFAULT_MEMORY)
    with (
        Ledger.open(ledger, read_only=True, memory=database, threads=threads) as opened,
        console.stage_progress(quiet=as_json) as progress,
    ):
        found = run(opened, progress=progress, threads=threads)
    if as_json:
        console.say_json(facts(found))
    else:
        summary.tell_verification(found)
    if found.fault_count:
        raise typer.Exit(1)


@labels_app.command("check", epilog="Example: reflow labels check shipped")
def labels_check(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Label files, CSV or TagPack YAML; `shipped` means those in the package.",
        ),
    ],
    network: Annotated[
        Network | None,
        typer.Option(
            parser=_network,
            metavar="NAME",
            help=f"One of {', '.join(NETWORKS)}; that of the ledger, or main, if left out.",
        ),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(metavar="LEDGER", help="Tell the labels that this ledger has never seen.")
    ] = None,
    prefer_later: PreferLaterOption = False,
    as_json: JsonOption = False,
) -> None:
    """Tell what is in label files, and everything that is wrong with them."""
    from reflow.owners.labels import check_labels

    if ledger is None:
        report = check_labels(files, network or NETWORKS["main"], prefer_later=prefer_later)
    else:
        from reflow.ledger.ledger import Ledger

        with Ledger.open(ledger, network, read_only=True) as opened:
            report = check_labels(files, opened.network, prefer_later=prefer_later, ledger=opened)
    if as_json:
        console.say_json(report._asdict())
    else:
        summary.tell_labels(report)
    if report.errors:
        raise typer.Exit(1)


@app.command(
    cls=_ManyFiles,
    epilog="Example: reflow recompute main.duckdb --labels shipped --prices btc.csv --out results",
)
def recompute(
    ledger: LedgerArgument,
    labels: LabelsOption,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write the results.")],
    prices: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV or Parquet with time and PriceUSD; else no USD metrics."),
    ] = None,
    methodology: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PRESET|FILE.toml",
            help=f"One of {', '.join(PRESETS)}, or a file with parameters; given several times, DIR/NAME "
            "has the results of each.",
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IDS",
            help="Only these: `seeds`, ids, or patterns such as 'FlowMinerIn0HopAll*', with commas; repeatable.",
        ),
    ] = None,
    exchanges: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODES",
            help="Metrics of these exchanges, with commas, or `all`; else of those that the vendor has and those of "
            "your own label files.",
        ),
    ] = None,
    prefer_later: PreferLaterOption = False,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute every daily metric into DIR: metrics.csv, metrics.parquet and run.json."""
    from reflow.flows.methodology import read_all
    from reflow.flows.prices import read_prices
    from reflow.flows.recompute import recompute_each
    from reflow.ledger.keep import keep_clocks
    from reflow.ledger.ledger import Ledger
    from reflow.owners.labels import read_labels
    from reflow.results.write import facts, write

    chosen = read_all(methodology or ["reference"])
    folders = {name: out / name if len(chosen) > 1 else out for name in chosen}
    written: dict[str, Any] = {}
    dollars = read_prices(prices) if prices else None
    with console.stage_progress(quiet=as_json) as progress:
        clocks = [one.clock for one in chosen.values()]
        keep_clocks(ledger, clocks, memory=memory, threads=threads, progress=progress)
    with (
        Ledger.open(ledger, read_only=True, memory=memory, threads=threads) as opened,
        console.stage_progress(quiet=as_json) as progress,
    ):
        owners = read_labels(labels, opened.network, prefer_later=prefer_later)
        for result in recompute_each(
            opened,
            owners,
            list(chosen.values()),
            prices=dollars,
            metrics=metrics or (),
            exchanges=exchanges,
            progress=progress,
        ):
            for name in (name for name, one in chosen.items() if one == result.methodology):
                written[name] = result._replace(values={}), write(result, folders[name])
    if as_json:
        told = {name: facts(written[name][0]) | {"files": written[name][1]} for name in chosen}
        console.say_json({"results": told} if len(told) > 1 else next(iter(told.values())))
    else:
        for name in chosen:
            summary.tell_recomputation(*written[name])


@app.command("metrics", epilog="Example: reflow metrics 'FlowMinerOut1HopAll*Ntv' --labels shipped")
def list_metrics(
    patterns: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATTERN...", help="Ids, or patterns with * and ?; everything if left out."),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Label files, for the metrics of their exchanges; again for each."),
    ] = None,
    seeds: Annotated[
        bool, typer.Option("--seeds", help="Only the seeds, which every run has whatever the labels.")
    ] = False,
    network: Annotated[
        Network, typer.Option(parser=_network, metavar="NAME", help=f"One of {', '.join(NETWORKS)}.")
    ] = "main",  # type: ignore[assignment]  # the parser makes a Network of it
    as_json: JsonOption = False,
) -> None:
    """List the catalogue: what each metric means, its unit, and the presets under which it can be computed."""
    from reflow.flows import catalog
    from reflow.owners.labels import read_labels

    every = catalog.catalog(read_labels(labels, network).exchanges() if labels else [])
    named = {metric.id for metric in catalog.seeds()}
    found = [metric for metric in catalog.select(every, patterns or ()) if metric.id in named or not seeds]
    if as_json:
        presets = {name: {"purpose": PURPOSES[name], **one.parameters()} for name, one in PRESETS.items()}
        console.say_json({"metrics": [catalog.facts(metric) for metric in found], "presets": presets})
    else:
        summary.tell_metrics(found, named)


@app.command(
    cls=_ManyFiles,
    epilog="Example: reflow pools main.duckdb --labels shipped --out pools",
)
def pools(
    ledger: LedgerArgument,
    labels: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE...", help="Label files; with them, the flows from pools to exchanges."),
    ] = None,
    pool_files: Annotated[
        list[Path] | None,
        typer.Option(
            "--pools",
            metavar="FILE...",
            help="Payout addresses or coinbase tags, instead of those that ship.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write pools.csv, blocks.csv and matrix.csv there.")
    ] = None,
    prefer_later: PreferLaterOption = False,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the pool of every block: blocks and rewards per pool and day, and what pools sent to exchanges."""
    from reflow.ledger.ledger import Ledger
    from reflow.owners.labels import read_labels
    from reflow.owners.pool_files import read_pools
    from reflow.owners.pools import facts, report_pools

    with (
        Ledger.open(ledger, read_only=True, memory=memory, threads=threads) as opened,
        console.stage_progress(quiet=as_json) as progress,
    ):
        data = read_pools(pool_files, opened.network)
        owners = read_labels(labels, opened.network, prefer_later=prefer_later) if labels else None
        report = report_pools(opened, data, owners, out=out, progress=progress)
    if as_json:
        console.say_json(facts(report))
    else:
        summary.tell_pools(report)


@app.command(
    cls=_ManyFiles,
    epilog="Example: reflow clusters main.duckdb --labels shipped --out clusters",
)
def clusters(
    ledger: LedgerArgument,
    labels: LabelsOption,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write accounts, conflicts, CoinJoins and graphs there."),
    ] = None,
    growth: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Warn of a round that adds more than N times a cluster's size."
        ),
    ] = 10,
    graph_accounts: Annotated[
        int, typer.Option(min=0, metavar="N", help="No graph of a cluster with more accounts than that.")
    ] = 100_000,
    prefer_later: PreferLaterOption = False,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell how the accounts of each exchange were found: labels, rounds of the closure, conflicts, suspicions."""
    from reflow.ledger.ledger import Ledger
    from reflow.owners.cluster_report import facts, report_clusters
    from reflow.owners.labels import read_labels

    with (
        Ledger.open(ledger, read_only=True, memory=memory, threads=threads) as opened,
        console.stage_progress(quiet=as_json) as progress,
    ):
        owners = read_labels(labels, opened.network, prefer_later=prefer_later)
        report = report_clusters(
            opened, owners, growth=growth, out=out, graph_accounts=graph_accounts, progress=progress
        )
    if as_json:
        console.say_json(facts(report))
    else:
        summary.tell_clusters(report)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day such as 2021-02-28") from None


@app.command(
    cls=_ManyFiles,
    epilog="Example: reflow explain main.duckdb FlowMinerOut1HopAllBNBNtv 2021-02-28 --labels shipped",
)
def explain(
    ledger: LedgerArgument,
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="The id of a metric.")],
    day: Annotated[
        date, typer.Argument(parser=_day, metavar="DAY", help="A complete UTC day, such as 2021-02-28.")
    ],
    labels: LabelsOption,
    prices: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV or Parquet with time and PriceUSD, for metrics in USD."),
    ] = None,
    methodology: Annotated[
        str, typer.Option(metavar="PRESET|FILE.toml", help="A preset's name, or a file with parameters.")
    ] = "reference",
    limit: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Show the N largest parts only; the sum is always of all."),
    ] = None,
    graph: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE", help="Write the payment paths as GraphML and SVG there, or as one of them."
        ),
    ] = None,
    datadir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the node's blocks are now, for addresses."),
    ] = None,
    rpc: Annotated[
        str | None, typer.Option(metavar="URL", help="A node's RPC, for addresses instead of its files.")
    ] = None,
    rpc_cookie: Annotated[Path | None, typer.Option(metavar="FILE", help="The node's .cookie file.")] = None,
    prefer_later: PreferLaterOption = False,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a cell apart: every transaction behind it, who it is between and why, and the sum, which is the cell."""
    if datadir is not None and rpc is not None:
        raise typer.BadParameter("expected one of --datadir DIR and --rpc URL")
    if rpc_cookie is not None and rpc is None:
        raise typer.BadParameter("--rpc-cookie goes with --rpc")
    from reflow.cli.summary_explain import tell_explanation
    from reflow.explanations.explain import explain as run
    from reflow.explanations.picture import check_graph, write_graph
    from reflow.flows.methodology import Methodology
    from reflow.flows.prices import read_prices
    from reflow.ledger.ledger import Ledger
    from reflow.ledger.scripts import Origin
    from reflow.owners.labels import read_labels

    if graph is not None:
        check_graph(graph)
    chosen = Methodology.read(methodology)
    dollars = read_prices(prices) if prices else None
    with (
        Ledger.open(ledger, read_only=True, memory=memory, threads=threads) as opened,
        console.stage_progress(quiet=as_json) as progress,
    ):
        found = run(
            opened,
            read_labels(labels, opened.network, prefer_later=prefer_later),
            metric,
            day,
            prices=dollars,
            methodology=chosen,
            origin=Origin(datadir, rpc, rpc_cookie),
            limit=limit,
            progress=progress,
        )
    files = write_graph(found, graph) if graph is not None else []
    if as_json:
        console.say_json(found.facts() | {"files": files})
    else:
        tell_explanation(found, files)


def _amount(text: str) -> Any:
    from decimal import Decimal

    from reflow.flows.prices import NUMBER

    if not NUMBER.fullmatch(text) or text.startswith("-"):
        raise typer.BadParameter(f"{text!r} is no number such as 0.01")
    return Decimal(text)


@app.command(
    cls=_ManyFiles,
    epilog="Example: reflow crosscheck --metrics results --vendor btc.csv --out results",
)
def crosscheck(
    metrics: Annotated[Path, typer.Option(metavar="DIR", help="What recompute wrote.")],
    vendor: Annotated[
        str,
        typer.Option(
            metavar="FILE|api",
            help="The vendor's series: CSV, Parquet or JSON of its API; `api` asks its server (see the docs).",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write crosscheck.* and differences.parquet there.")
    ] = None,
    tolerance: Annotated[
        Any,
        typer.Option(parser=_amount, metavar="AMOUNT", help="Allowed difference, in the metric's unit."),
    ] = "0",
    relative_tolerance: Annotated[
        Any,
        typer.Option(
            parser=_amount, metavar="SHARE", help="Allowed share of the vendor's value; 0.01 is 1 %."
        ),
    ] = "0",
    tolerate_control: Annotated[
        bool, typer.Option("--tolerate-control", help="Control metrics too; else they must be exact.")
    ] = False,
    require: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IDS",
            help="Ids or patterns that must agree, else status 1; the control metrics if left out.",
        ),
    ] = None,
    from_: Annotated[
        date | None, typer.Option("--from", parser=_day, metavar="DAY", help="Compare from this day on.")
    ] = None,
    to: Annotated[
        date | None, typer.Option("--to", parser=_day, metavar="DAY", help="Compare up to this day.")
    ] = None,
    worst: Annotated[int, typer.Option(min=0, metavar="N", help="Worst days to list per layer.")] = 5,
    ledger: Annotated[
        Path | None,
        typer.Option(metavar="LEDGER", help="The ledger of the results: take the worst days apart."),
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option(metavar="FILE...", help="The label files of the results.")
    ] = None,
    prefer_later: PreferLaterOption = False,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare results with the vendor's series: how far apart, since when, and what that means."""
    if (ledger is None) != (not labels):
        raise typer.BadParameter("--ledger and --labels go together")
    from reflow.cli.summary_crosscheck import tell_cross_check
    from reflow.crosscheck.check import Settings, cross_check, open_origin
    from reflow.crosscheck.compare import Tolerance
    from reflow.crosscheck.output import METHODOLOGY_FILE, facts, write_cross_check
    from reflow.results.read import read_results

    results = read_results(metrics)
    theirs = _vendor(vendor, results.metrics, from_, to)
    settings = Settings(
        tolerance=Tolerance(tolerance, relative_tolerance, tolerate_control),
        require=tuple(require or ()),
        first=from_,
        last=to,
        worst=worst,
        methodology=str(out / METHODOLOGY_FILE) if out else METHODOLOGY_FILE,
        ledger=str(ledger or ""),
        labels=tuple(labels or ()),
        prefer_later=prefer_later,
    )
    with (
        console.stage_progress(quiet=as_json) as progress,
        open_origin(results, settings, memory=memory, threads=threads, progress=progress) as cells,
    ):
        found = cross_check(results, theirs, settings, cells, progress=progress)
    files = write_cross_check(found, out) if out else []
    if as_json:
        console.say_json(facts(found) | {"files": files})
    else:
        tell_cross_check(found, files)
    if found.failed:
        raise typer.Exit(1)


def _vendor(source: str, metrics: Any, first: date | None, last: date | None) -> Any:
    if source == "api":
        from reflow.vendor.api import fetch_vendor

        return fetch_vendor(metrics, first, last)
    from reflow.vendor.files import read_vendor_file

    return read_vendor_file(source, metrics)


@app.command(
    cls=_ManyFiles,
    epilog="Example: reflow serve results --ledger main.duckdb --labels shipped",
)
def serve(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="What recompute wrote, or a folder of several such folders.")
    ],
    host: Annotated[str, typer.Option(metavar="HOST", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="The port; 0 takes a free one.")
    ] = 8080,
    api_key_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The environment variable with the key that requests must give as api_key."
        ),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(metavar="LEDGER", help="Explain cells from this ledger; needs --labels.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE...", help="The label files of the recomputation; may be given again."),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its prices, for explaining metrics in USD.")
    ] = None,
    prefer_later: PreferLaterOption = False,
    vendor: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The vendor's series, CSV, Parquet or JSON, to stand beside the recomputation.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve recomputations in the dialect of the vendor's API, with a page to look at them, until Ctrl-C."""
    if (ledger is None) != (labels is None):
        raise typer.BadParameter("--ledger and --labels go together")
    if api_key_env is not None and not os.environ.get(api_key_env):
        raise typer.BadParameter(f"--api-key-env: no {api_key_env} in the environment, or it is empty")
    from reflow.errors import ServeError

    try:
        from reflow.serve.explaining import Sources
        from reflow.serve.server import serve as run
    except ModuleNotFoundError as error:
        if str(error.name).startswith("reflow"):
            raise
        raise ServeError(f"no {error.name} here, install it with: pip install 'reflow[serve]'") from None

    def started(url: str, names: list[str]) -> None:
        if as_json:
            console.say_json({"url": url, "methodologies": names})
        else:
            console.say(f"serving {', '.join(names)} at {url} (Ctrl-C ends it)")

    run(
        folder,
        host=host,
        port=port,
        key=os.environ.get(api_key_env) if api_key_env else None,
        sources=Sources(ledger, tuple(labels), prices, prefer_later) if ledger and labels else None,
        vendor=vendor,
        started=started,
    )


def _print_grid(wanted: bool) -> None:
    if wanted:
        from reflow.sweeps.grid import default_grid_file

        console.say(default_grid_file().read_text(encoding="utf-8").rstrip())
        raise typer.Exit


@app.command(
    cls=_ManyFiles,
    epilog="Example: reflow sweep main.duckdb --labels shipped --vendor btc.csv --out sweep",
)
def sweep(
    ledger: LedgerArgument,
    labels: LabelsOption,
    vendor: Annotated[Path, typer.Option(metavar="FILE", help="The vendor's series: CSV, Parquet or JSON.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write the results.")],
    grid: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="What to try: a list of values for each parameter."),
    ] = None,
    print_grid: Annotated[
        bool,
        typer.Option(
            "--print-grid",
            callback=_print_grid,
            is_eager=True,
            help="Print the grid that ships, to change it.",
        ),
    ] = False,
    prices: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV or Parquet with time and PriceUSD, for metrics in USD."),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IDS",
            help="Compare only these: ids, or patterns such as 'FlowMiner*Ntv', with commas; else all but USD.",
        ),
    ] = None,
    by: Annotated[
        Literal["distance", "shape"],
        typer.Option(help="What ranks: the distance, or the shape, which missing labels do not change."),
    ] = "distance",
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="Refuse a grid with more methodologies than that.")
    ] = 100,
    prefer_later: PreferLaterOption = False,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute under many methodologies and rank them by how far they are from the vendor's series."""
    from reflow.cli.summary_sweep import tell_sweep
    from reflow.files import check_folder
    from reflow.flows.prices import read_prices
    from reflow.ledger.keep import keep_clocks
    from reflow.ledger.ledger import Ledger
    from reflow.owners.labels import read_labels
    from reflow.sweeps.grid import read_grid
    from reflow.sweeps.output import facts, write_sweep
    from reflow.sweeps.sweep import sweep as run
    from reflow.sweeps.targets import comparable
    from reflow.vendor.files import read_vendor_file

    check_folder(out)
    tried = read_grid(grid)
    dollars = read_prices(prices) if prices else None
    with console.stage_progress(quiet=as_json) as progress:
        clocks = [one.clock for one in tried.methodologies]
        keep_clocks(ledger, clocks, memory=memory, threads=threads, progress=progress)
    with (
        Ledger.open(ledger, read_only=True, memory=memory, threads=threads) as opened,
        console.stage_progress(quiet=as_json) as progress,
    ):
        owners = read_labels(labels, opened.network, prefer_later=prefer_later)
        wanted = comparable(owners, metrics or ())
        result = run(
            opened,
            owners,
            read_vendor_file(vendor, [metric.id for metric in wanted]),
            grid=tried,
            prices=dollars,
            metrics=metrics or (),
            by=by,
            limit=limit,
            progress=progress,
        )
    files = write_sweep(result, out)
    if as_json:
        console.say_json(facts(result) | {"files": files})
    else:
        tell_sweep(result, files)


@app.command(
    cls=_ManyFiles,
    epilog="Example: reflow report results --out report.html --ledger main.duckdb --labels shipped",
)
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that recompute wrote.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page: one HTML file.")],
    crosscheck: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What crosscheck wrote, if it does not lie in the folder itself."),
    ] = None,
    sweep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What sweep wrote, if it does not lie in the folder itself."),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(metavar="LEDGER", help="The ledger, for what is told of pools.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE...", help="Label files, for what pools sent to exchanges."),
    ] = None,
    pool_files: Annotated[
        list[Path] | None,
        typer.Option("--pools", metavar="FILE...", help="Pool data instead of those that ship."),
    ] = None,
    charts: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each chart there as PNG and SVG too.")
    ] = None,
    prefer_later: PreferLaterOption = False,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make one HTML file of a run, its cross-check and its sweep: verdict, charts, worst days; it opens offline."""
    if ledger is None and (labels or pool_files):
        raise typer.BadParameter("--labels and --pools go with --ledger")
    from reflow.report.report import check_libraries, write_report
    from reflow.results.frames import read_frames

    check_libraries()
    frames = read_frames(folder, crosscheck=crosscheck, sweep=sweep)
    with console.stage_progress(quiet=as_json) as progress:
        found = None
        if ledger is not None:
            from reflow.ledger.ledger import Ledger
            from reflow.owners.labels import read_labels
            from reflow.owners.pool_files import read_pools
            from reflow.owners.pools import report_pools

            network = NETWORKS.get(str(frames.run.get("network")))
            with Ledger.open(ledger, network, read_only=True, memory=memory, threads=threads) as opened:
                owners = read_labels(labels, opened.network, prefer_later=prefer_later) if labels else None
                found = report_pools(
                    opened, read_pools(pool_files, opened.network), owners, progress=progress
                )
        written = write_report(frames, out, pools=found, charts=charts, progress=progress)
    if as_json:
        console.say_json(written._asdict())
    else:
        summary.tell_report(written)


@app.command(epilog="Example: reflow demo demo-folder")
def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put everything.")] = Path(
        "reflow-demo"
    ),
    as_json: JsonOption = False,
) -> None:
    """Simulate a small economy, recompute it, compare with the simulator's books, cross-check with its vendor."""
    from reflow.crosscheck.output import facts
    from reflow.simulate.demo import run_demo

    with console.stage_progress(quiet=as_json) as progress:
        result = run_demo(folder, progress=progress)
    if as_json:
        told = result._asdict() | {"ingested": result.ingested._asdict()}
        told["flows"] = [flow._asdict() for flow in result.flows]
        told["disagreements"] = [cell._asdict() for cell in result.disagreements]
        told["check"] = facts(result.check)
        told["planted"] = [fault._asdict() for fault in result.planted]
        console.say_json(told)
    else:
        summary.tell_demo(result)
    if result.disagreements or not all(fault.named for fault in result.planted):
        raise typer.Exit(1)


def main() -> None:
    """Entry point of the `reflow` command."""
    app(prog_name="reflow")
