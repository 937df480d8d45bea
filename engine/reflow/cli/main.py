"""The command `reflow`: its verbs in one list, and how errors end it.

Exit status: 0 done, 1 a check failed or the data are bad (one line on stderr), 2 wrong usage, 130 interrupted. Heavy
modules are imported where they are used, so that --help is quick.
"""

import errno
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from reflow import __version__
from reflow.cli import check, console, flows, ledger, owners, show
from reflow.cli.options import ManyFiles
from reflow.errors import ReflowError

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as shells have it (128 + SIGINT)."""


class _Verbs(TyperGroup):
    """Turns errors that a user can do something about into one line and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ReflowError as error:
            console.complain(str(error))
            raise typer.Exit(1) from None
        except MemoryError:
            console.complain(
                "not enough memory; --memory bounds what the database and the arrays beside it take"
            )
            raise typer.Exit(1) from None
        except OSError as error:
            if error.errno in (None, errno.EPIPE):
                raise
            console.complain(f"{error.filename or 'a file'}: {error.strerror}")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            console.complain(
                "interrupted; no file is half-written and finished work is kept: run the same command to continue"
            )
            raise typer.Exit(INTERRUPTED) from None


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
_labels = typer.Typer(
    help="Work with label files.",
    epilog="Example: reflow labels check shipped",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _example(call: str) -> str:
    return f"Example: reflow {call}"


app.command(epilog=_example("ingest main.duckdb --datadir ~/.bitcoin"))(ledger.ingest)
app.command(epilog=_example("verify main.duckdb"))(ledger.verify)
_labels.command("check", epilog=_example("labels check shipped"))(owners.labels_check)
app.command(
    cls=ManyFiles,
    epilog=_example("recompute main.duckdb --labels shipped --prices btc.csv --out results"),
)(flows.recompute)
app.command("metrics", epilog=_example("metrics 'FlowMinerOut1HopAll*Ntv' --labels shipped"))(
    flows.list_metrics
)
app.command(cls=ManyFiles, epilog=_example("pools main.duckdb --labels shipped --out pools"))(owners.pools)
app.command(cls=ManyFiles, epilog=_example("clusters main.duckdb --labels shipped --out clusters"))(
    owners.clusters
)
app.command(
    cls=ManyFiles,
    epilog=_example("explain main.duckdb FlowMinerOut1HopAllBNBNtv 2021-02-28 --labels shipped"),
)(show.explain)
app.command(cls=ManyFiles, epilog=_example("crosscheck --metrics results --vendor btc.csv --out results"))(
    check.crosscheck
)
app.command(cls=ManyFiles, epilog=_example("serve results --ledger main.duckdb --labels shipped"))(show.serve)
app.command(
    cls=ManyFiles, epilog=_example("sweep main.duckdb --labels shipped --vendor btc.csv --out sweep")
)(check.sweep)
app.command(
    cls=ManyFiles,
    epilog=_example("report results --out report.html --ledger main.duckdb --labels shipped"),
)(show.report)
app.command(epilog=_example("demo demo-folder"))(show.demo)
app.add_typer(_labels, name="labels")


def _print_version(asked: bool) -> None:
    if asked:
        console.say(f"reflow {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the `reflow` command."""
    app(prog_name="reflow")
