"""The verbs of flows: `recompute` computes every metric, `metrics` lists what there is to compute."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reflow.cli import console, options
from reflow.cli.console import print_table, say
from reflow.flows.methodology import PRESETS, PURPOSES
from reflow.network import Network

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reflow.flows.catalog import Metric
    from reflow.flows.recompute import Recomputation

_Methodologies = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PRESET|FILE.toml",
        help=f"One of {', '.join(PRESETS)}, or a file with parameters; if given several times, the results of "
        "each go to DIR/NAME.",
    ),
]
_Exchanges = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CODES",
        help="Metrics of these exchanges, with commas, or `all`; if left out, of those that the vendor has and "
        "those in your own label files.",
    ),
]


def recompute(
    ledger: options.Ledger,
    labels: options.Labels,
    out: options.ResultsFolder,
    prices: options.Prices = None,
    methodology: _Methodologies = None,
    metrics: options.Metrics = None,
    exchanges: _Exchanges = None,
    prefer_later: options.PreferLater = False,
    memory: options.Memory = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Compute every daily metric into DIR: metrics.csv, metrics.parquet and run.json."""
    from reflow.files import hold
    from reflow.flows.methodology import read_all
    from reflow.flows.recompute import recompute_each
    from reflow.owners.labels import read_labels
    from reflow.results.write import write

    chosen = read_all(methodology or ["reference"])
    dollars = options.read_prices(prices)
    folders = {name: out / name if len(chosen) > 1 else out for name in chosen}
    written: dict[str, tuple[Recomputation, list[Path]]] = {}
    clocks = [each.clock for each in chosen.values()]
    with (
        hold(out, *folders.values()),
        options.open_ledger_of_days(ledger, clocks, quiet=as_json, memory=memory, threads=threads) as (
            opened,
            progress,
        ),
    ):
        for result in recompute_each(
            opened,
            read_labels(labels, opened.network, prefer_later=prefer_later),
            list(chosen.values()),
            prices=dollars,
            metrics=metrics or (),
            exchanges=exchanges,
            progress=progress,
        ):
            for name in (name for name, each in chosen.items() if each == result.methodology):
                written[name] = result._replace(values={}), write(result, folders[name])
    ordered = {name: written[name] for name in chosen}
    if as_json:
        console.print_json(_to_json(ordered))
    else:
        for result, files in ordered.values():
            _print_recomputation(result, files)


def _to_json(written: "dict[str, tuple[Recomputation, list[Path]]]") -> dict[str, Any]:
    """The run.json of the one methodology, or of each by its name."""
    results = {name: console.read_json(files[-1]) | {"files": files} for name, (_, files) in written.items()}
    return {"results": results} if len(results) > 1 else next(iter(results.values()))


def _print_recomputation(result: "Recomputation", files: list[Path]) -> None:
    """The days, metrics and inputs, and where the files are."""
    days, clusters = result.days, result.clusters
    span = f"{days[0]} to {days[-1]}" if days else "no complete day yet"
    say(f"days          {len(days):,}, {span}")
    say(f"metrics       {len(result.metrics):,}, methodology {result.methodology.name()}")
    if result.left_out:
        say(
            f"left out      {len(result.left_out):,} exchanges that the vendor does not have; to add them: "
            "--exchanges all"
        )
    say(f"accounts      {sum(clusters.accounts.values()):,} of {len(clusters.accounts)} exchanges")
    say(f"conflicts     {clusters.conflicts:,} accounts claimed by several exchanges")
    say(f"ledger        {result.network}, height {result.tip.height:,}")
    for file in files:
        say(f"written       {file}")


def list_metrics(
    patterns: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATTERN...", help="Ids, or patterns with * and ?; everything if left out."),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="A label file, to list the metrics of its exchanges; repeatable."),
    ] = None,
    seeds: Annotated[
        bool, typer.Option("--seeds", help="Only the seeds: the metrics that every run has.")
    ] = False,
    network: options.CatalogNetwork = "main",  # type: ignore[assignment]  # the parser makes a Network of it
    as_json: options.Json = False,
) -> None:
    """List the catalogue: what each metric means, its unit, and the presets of methodologies."""
    from reflow.flows import catalog
    from reflow.owners.labels import read_labels

    assert isinstance(network, Network)
    every = catalog.catalog(read_labels(labels, network).exchanges() if labels else [])
    seed_ids = {metric.id for metric in catalog.seeds()}
    listed = [
        metric for metric in catalog.select(every, patterns or ()) if metric.id in seed_ids or not seeds
    ]
    if as_json:
        presets = {
            name: {"purpose": PURPOSES[name], **preset.parameters()} for name, preset in PRESETS.items()
        }
        console.print_json({"metrics": [catalog.facts(metric) for metric in listed], "presets": presets})
    else:
        _print_metrics(listed, seed_ids)


def _print_metrics(metrics: "Sequence[Metric]", seeds: "Collection[str]") -> None:
    """Every metric in a line, and the presets in another each."""
    rows = [
        (metric.id, metric.definition, metric.unit, metric.section, "seed" if metric.id in seeds else "")
        for metric in metrics
    ]
    print_table(("id", "definition", "unit", "section", ""), rows, left=2)
    for name, purpose in PURPOSES.items():
        say(f"preset        {name}: {purpose}")
