"""reflow: daily Bitcoin flows between miners and exchanges, recomputed exactly from raw blocks.

The names below are the library; each is loaded when it is first used, so that importing the package costs
nothing.

    import reflow

    reflow.ingest("main.duckdb", reflow.DatadirSource("~/.bitcoin"))
    with reflow.Ledger.open("main.duckdb", read_only=True) as ledger:
        labels = reflow.read_labels(["shipped"], ledger.network)
        result = reflow.recompute(ledger, labels, prices=reflow.read_prices("btc.csv"))
    reflow.write(result, "results")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

__version__ = "0.1.0"

STAGES: Final = (
    *("store", "blocks", "ledger", "owners", "flows", "explanations", "results"),
    *("vendor", "crosscheck", "sweeps", "report", "serve", "simulate", "cli"),
)
"""The rooms in their order: blocks are read, become a ledger, are given owners, flow, are explained, are written, are
held against the vendor, are swept, reported, served. A room imports only those before it, and the modules beside them.
"""

if TYPE_CHECKING:
    from reflow.blocks.datadir import DatadirSource as DatadirSource
    from reflow.blocks.rpc import RpcSource as RpcSource
    from reflow.crosscheck.check import cross_check as cross_check
    from reflow.crosscheck.compare import compare as compare
    from reflow.crosscheck.output import write_cross_check as write_cross_check
    from reflow.errors import BadBlockError as BadBlockError
    from reflow.errors import LabelError as LabelError
    from reflow.errors import LedgerError as LedgerError
    from reflow.errors import MethodologyError as MethodologyError
    from reflow.errors import MetricError as MetricError
    from reflow.errors import OutputError as OutputError
    from reflow.errors import PriceError as PriceError
    from reflow.errors import ReflowError as ReflowError
    from reflow.errors import ResultsError as ResultsError
    from reflow.errors import SourceError as SourceError
    from reflow.errors import VendorError as VendorError
    from reflow.explanations.explain import explain as explain
    from reflow.flows.methodology import Methodology as Methodology
    from reflow.flows.prices import Prices as Prices
    from reflow.flows.prices import read_prices as read_prices
    from reflow.flows.recompute import Recomputation as Recomputation
    from reflow.flows.recompute import recompute as recompute
    from reflow.flows.recompute import recompute_each as recompute_each
    from reflow.flows.recompute import recompute_many as recompute_many
    from reflow.ledger.ingest import ingest as ingest
    from reflow.ledger.ledger import Ledger as Ledger
    from reflow.ledger.verify import verify as verify
    from reflow.network import NETWORKS as NETWORKS
    from reflow.network import Network as Network
    from reflow.owners.labels import Labels as Labels
    from reflow.owners.labels import check_labels as check_labels
    from reflow.owners.labels import read_labels as read_labels
    from reflow.results.read import read_results as read_results
    from reflow.results.write import write as write
    from reflow.sweeps.grid import Grid as Grid
    from reflow.sweeps.grid import grid_of as grid_of
    from reflow.sweeps.grid import read_grid as read_grid
    from reflow.sweeps.output import write_sweep as write_sweep
    from reflow.sweeps.sweep import SweepResult as SweepResult
    from reflow.sweeps.sweep import sweep as sweep
    from reflow.vendor.files import read_vendor_file as read_vendor_file

_HOMES: Final = {
    "reflow.blocks.datadir": ("DatadirSource",),
    "reflow.blocks.rpc": ("RpcSource",),
    "reflow.crosscheck.check": ("cross_check",),
    "reflow.crosscheck.compare": ("compare",),
    "reflow.sweeps.grid": ("Grid", "grid_of", "read_grid"),
    "reflow.crosscheck.output": ("write_cross_check",),
    "reflow.results.read": ("read_results",),
    "reflow.sweeps.sweep": ("SweepResult", "sweep"),
    "reflow.sweeps.output": ("write_sweep",),
    "reflow.vendor.files": ("read_vendor_file",),
    "reflow.owners.labels": ("Labels", "check_labels", "read_labels"),
    "reflow.errors": (
        "BadBlockError",
        "LabelError",
        "LedgerError",
        "MethodologyError",
        "MetricError",
        "OutputError",
        "PriceError",
        "ReflowError",
        "ResultsError",
        "SourceError",
        "VendorError",
    ),
    "reflow.explanations.explain": ("explain",),
    "reflow.flows.methodology": ("Methodology",),
    "reflow.results.write": ("write",),
    "reflow.flows.prices": ("Prices", "read_prices"),
    "reflow.flows.recompute": ("Recomputation", "recompute", "recompute_each", "recompute_many"),
    "reflow.ledger.ingest": ("ingest",),
    "reflow.ledger.ledger": ("Ledger",),
    "reflow.ledger.verify": ("verify",),
    "reflow.network": ("NETWORKS", "Network"),
}
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME_OF]


def __getattr__(name: str) -> Any:
    """Load a public name from the module it lives in."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
