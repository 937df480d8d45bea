"""What a sweep of 48 methodologies costs beside one recomputation: whole commands, start-up included.

The vendor's series are one of the 48's own results, so that every metric is compared.
"""

from collections.abc import Callable
from pathlib import Path

from compare.figures import Chain, run_reflow

GRID = """\
clusters = ["common_input", "labels_only"]
one_hop = ["within", "exact"]
exchange_accounts_as_miners = ["never", "hop0", "always"]
sender = ["any_input", "all_inputs", "pro_rata", "min_net"]
"""
METHODOLOGIES = 2 * 2 * 3 * 4
VENDOR = 'exchange_accounts_as_miners = "hop0"\nsender = "pro_rata"\n'


def test_sweep(measure: Callable[..., int], chain: Chain, ledger: Path, tmp_path: Path) -> None:
    """The rate counts the rows once for each methodology, as that many recomputations would have to read them."""
    labels = chain.folder / "labels.csv"
    grid, vendor, out = tmp_path / "grid.toml", tmp_path / "vendor.toml", tmp_path / "vendor"
    grid.write_text(GRID)
    vendor.write_text(VENDOR)
    run_reflow("recompute", ledger, "--labels", labels, "--methodology", vendor, "--out", out)
    measure(
        f"sweep of {METHODOLOGIES} methodologies",
        METHODOLOGIES * chain.row_count,
        "rows",
        [
            *("sweep", ledger, "--labels", labels, "--grid", grid),
            *("--vendor", out / "metrics.csv", "--out", tmp_path / "sweep"),
        ],
    )
