"""The options of all verbs, each declared once, and the checks and inputs that go with them.

A verb names a type of this module for each of its parameters; options that one verb alone has stand beside that verb.
Nothing heavy is imported here, so that --help is quick.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperCommand

from reflow.cli import console
from reflow.network import NETWORKS, Network
from reflow.text import shown

if TYPE_CHECKING:
    from reflow.clock import Clock
    from reflow.flows import prices as price_files
    from reflow.ledger import ledger as ledgers
    from reflow.progress import Progress


class ManyFiles(TyperCommand):
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


def _parse_network(name: str) -> Network:
    if name not in NETWORKS:
        raise typer.BadParameter(f"{shown(name)} is none of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def parse_day(text: str) -> date:
    """The day of an option or argument."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise typer.BadParameter(f"{shown(text)} is not a day such as 2021-02-28")


def _parse_memory(text: str) -> str:
    """A memory limit in a form that the database takes, within bounds."""
    match = _MEMORY.fullmatch(text)
    if match and match["share"]:
        fits = 1 <= int(match["share"]) <= 100
    elif match:
        step = 1024 if match["binary"] else 1000
        scale = step ** (1 + "KMGT".index(match["unit"].upper())) if match["unit"] else 1
        fits = _LEAST_MEMORY <= float(match["number"]) * scale <= _MOST_MEMORY
    else:
        fits = False
    if not fits:
        raise typer.BadParameter(f"{shown(text)} is no memory limit such as 4GB, from 1MB to 1000TB")
    return text


_MEMORY = re.compile(
    r"(?P<number>\d{1,18}(?:\.\d{1,3})?) ?(?:(?P<unit>[KMGT])(?P<binary>i?)B?|B|bytes)|(?P<share>\d{1,3}) ?%",
    re.ASCII | re.IGNORECASE,
)
_LEAST_MEMORY, _MOST_MEMORY = 10**6, 10**15
MOST: Final = 2**31 - 1
"""Of an option that is a number."""
_MOST_THREADS = 1024

_NETWORKS = ", ".join(NETWORKS)
_LABEL_FILES = "Label files, CSV or TagPack YAML; `shipped` means those in the package; may be given again."

# What a verb reads.
Ledger = Annotated[Path, typer.Argument(metavar="LEDGER", help="The ledger: one DuckDB file.")]
LabelFiles = Annotated[list[str], typer.Argument(metavar="FILE...", help=_LABEL_FILES)]
Labels = Annotated[list[str], typer.Option(metavar="FILE...", help=_LABEL_FILES)]
LabelsOfPools = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE...", help="Label files; they add the flows from pools to exchanges."),
]
LabelsOfResults = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE...", help="The label files that the results were made with."),
]
PreferLater = Annotated[
    bool,
    typer.Option("--prefer-later", help="Where label files contradict each other, the later file decides."),
]
PoolFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--pools",
        metavar="FILE...",
        help="Payout addresses or coinbase tags, instead of those in the package.",
    ),
]
Prices = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="CSV or Parquet with time and PriceUSD; without it, no USD metrics."),
]
SourceNetwork = Annotated[
    Network | None,
    typer.Option(
        parser=_parse_network,
        metavar="NAME",
        help=f"One of {_NETWORKS}; taken from the source if left out.",
    ),
]
LabelNetwork = Annotated[
    Network | None,
    typer.Option(
        parser=_parse_network,
        metavar="NAME",
        help=f"One of {_NETWORKS}; if left out, the ledger's, or main.",
    ),
]
CatalogNetwork = Annotated[
    Network,
    typer.Option(parser=_parse_network, metavar="NAME", help=f"The network of the label files: {_NETWORKS}."),
]

# The node.
DataDir = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="The node's data directory, its network subfolder, or a blocks folder."),
]
Rpc = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The node's RPC, http://[USER:PASSWORD@]HOST:PORT; user and password may also come from the "
        "environment: REFLOW_RPC_USER, REFLOW_RPC_PASSWORD.",
    ),
]
RpcCookie = Annotated[Path | None, typer.Option(metavar="FILE", help="The node's .cookie file.")]

# What a verb computes.
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IDS",
        help="Only these: `seeds`, ids, or patterns such as 'FlowMinerIn0HopAll*', with commas; repeatable.",
    ),
]
ResultsFolder = Annotated[Path, typer.Option(metavar="DIR", help="Where to write the results.")]

# How a verb works.
ProcessMemory = Annotated[
    str | None,
    typer.Option(
        parser=_parse_memory,
        metavar="SIZE",
        help="Memory for the whole process, such as 4GB; 2GB if left out.",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        parser=_parse_memory,
        metavar="SIZE",
        help="Memory for the database and the arrays beside it; 4GB if left out. The program itself takes about "
        "0.3 GiB more.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1, max=_MOST_THREADS, metavar="N", help="Threads; results do not depend on their number."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def check_node(datadir: Path | None, rpc: str | None, cookie: Path | None, *, needed: bool) -> None:
    """At most one of the two ways to reach a node, just one if it is `needed`; a cookie only for RPC."""
    ways = (datadir is not None) + (rpc is not None)
    if ways > 1 or (needed and not ways):
        raise typer.BadParameter("expected one of --datadir DIR and --rpc URL")
    if cookie is not None and rpc is None:
        raise typer.BadParameter("--rpc-cookie goes with --rpc")


def check_ledger_and_labels(ledger: Path | None, labels: Sequence[str] | None) -> None:
    """Both or none."""
    if (ledger is None) != (not labels):
        raise typer.BadParameter("--ledger and --labels go together")


def read_prices(file: Path | None) -> "price_files.Prices | None":
    """The prices of --prices, if given."""
    if file is None:
        return None
    from reflow.flows.prices import read_prices as read

    return read(file)


@contextmanager
def open_ledger(
    path: Path, *, quiet: bool, memory: str | None, threads: int | None, network: Network | None = None
) -> "Iterator[tuple[ledgers.Ledger, Progress]]":
    """The ledger for reading, and the callback that moves a bar while it is open."""
    from reflow.ledger.ledger import Ledger as OpenLedger

    with (
        OpenLedger.open(path, network, read_only=True, memory=memory, threads=threads) as opened,
        console.stage_progress(quiet=quiet) as progress,
    ):
        yield opened, progress


@contextmanager
def open_ledger_of_days(
    path: Path, clocks: "Sequence[Clock]", *, quiet: bool, memory: str | None, threads: int | None
) -> "Iterator[tuple[ledgers.Ledger, Progress]]":
    """As `open_ledger`, after computing what the ledger keeps of its days by these clocks and has not yet."""
    from reflow.ledger.ingest import keep_clocks

    with console.stage_progress(quiet=quiet) as progress:
        keep_clocks(path, clocks, memory=memory, threads=threads, progress=progress)
    with open_ledger(path, quiet=quiet, memory=memory, threads=threads) as opened:
        yield opened
