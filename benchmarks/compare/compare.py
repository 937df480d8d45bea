"""reflow beside other tools and beside the limits, on the same generated files, in one go; and how it scales.

    PYTHONPATH=benchmarks python -m compare.compare --size 2GB --slice 32MB --readme README.md
    PYTHONPATH=benchmarks python -m compare.compare --scaling 1GB,2GB,4GB,8GB --readme README.md

The first makes a chain (or takes one with --chain), runs everybody on it, prints the table, and writes it into the page
given by --readme, between `<!-- compare:begin -->` and `<!-- compare:end -->`. Tools of other projects are installed
into environments of their own below --environments; what cannot be installed or run is in the table with the reason.
They get the first --slice bytes of blocks, because they are slow. The second makes chains of several sizes, one at a
time, and writes the table between `<!-- scaling:begin -->` and `<!-- scaling:end -->`.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from chain.generate import parse_size, write
from compare.contenders import CONTENDERS, Contender, Input, Place, attempt, cut, warm_up
from compare.figures import Measured
from compare.scaling import measure, scaling_table
from compare.tables import check, gib, machine, put, table

COLUMNS = ("", "what it does", "MB", "seconds", "MB/s", "reflow is … times as fast", "peak memory")


def compare(chain: Input, slice_bytes: int, place: Place, names: list[str]) -> str:
    """Run the contenders whose name contains one of `names`, all without any; gives the table."""
    chosen = [one for one in CONTENDERS if not names or any(name in one.name for name in names)]
    part = cut(chain.folder, place.work / "slice", slice_bytes) if any(c.on_slice for c in chosen) else chain
    warm_up(chain, place)
    results = []
    for contender in chosen:
        on = part if contender.on_slice else chain
        results.append((contender, on, attempt(contender, on, place)))
        print(f"{contender.name}: {_plain(results[-1][2])}", file=sys.stderr, flush=True)
    rates = {one.name: _rate(on, found) for one, on, found in results if isinstance(found, Measured)}
    return table(COLUMNS, [_row(one, on, found, rates) for one, on, found in results], left=2)


def _rate(chain: Input, found: Measured) -> float:
    return chain.byte_count / found.seconds / 1e6


def _row(contender: Contender, chain: Input, found: Measured | str, rates: dict[str, float]) -> list[str]:
    head = [contender.name, contender.does, f"{chain.byte_count / 1e6:,.0f}"]
    if isinstance(found, str):
        return [*head, f"not run: {found}", "", "", ""]
    base = rates.get("reflow ingest, slice" if contender.on_slice else "reflow ingest")
    ratio = "" if base is None else f"{base / _rate(chain, found):.2f}"
    rate = _rate(chain, found)
    return [*head, f"{found.seconds:.2f}", f"{rate:,.1f}", ratio, gib(found.peak_bytes)]


def _plain(found: Measured | str) -> str:
    return f"not run: {found}" if isinstance(found, str) else f"{found.seconds:.2f} s"


def generated(folder: Path) -> Input:
    """A chain that the generator wrote."""
    totals = json.loads((folder / "totals.json").read_text())
    size = totals["block_bytes"] + totals["undo_bytes"]
    return Input(folder, totals["blocks"], totals["transactions"], size)


def main() -> None:
    """Read the command line, run, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--chain", type=Path, metavar="DIR", help="a chain that chain.generate made, instead of a new one"
    )
    parser.add_argument("--size", type=parse_size, default="500MB", help="bytes of a new chain (500MB)")
    parser.add_argument(
        "--slice", type=parse_size, default="32MB", help="bytes of blocks for the slow ones (32MB)"
    )
    parser.add_argument(
        "--scaling", type=str, metavar="SIZES", help="such as 1GB,2GB: the scaling table instead"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="these contenders; again for more"
    )
    parser.add_argument("--readme", type=Path, metavar="FILE", help="the page to write the table into")
    parser.add_argument(
        "--environments", type=Path, default=Path(".compare"), help="where tools are kept (.compare)"
    )
    parser.add_argument(
        "--bitcoind", type=Path, default=os.environ.get("REFLOW_BITCOIND"), help="a real node"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--work", type=Path, help="folder for what is thrown away; there must be room for the chain"
    )
    parser.add_argument("--users", type=int, default=600_000, help="of a new chain, see chain/generate.py")
    parser.add_argument("--weight", type=int, default=3_990_000, help="of a new chain's full blocks")
    given = parser.parse_args()
    on = machine()
    if given.readme:
        check(given.readme, "scaling" if given.scaling else "compare")
    if given.work:
        given.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.work) as work:
        bitcoind = None if given.bitcoind is None else Path(given.bitcoind).absolute()
        place = Place(Path(work), given.environments.absolute(), bitcoind, given.threads)

        def make(size: int) -> Path:
            folder = Path(work) / "chain"
            shutil.rmtree(folder, ignore_errors=True)
            write(folder, size, seed=1, users=given.users, weight=given.weight)
            return folder

        if given.scaling:
            sizes = [parse_size(size) for size in given.scaling.split(",")]
            name, text = "scaling", scaling_table(measure(make(size), place) for size in sizes)
        else:
            chain = generated(given.chain.absolute() if given.chain else make(given.size))
            name, text = "compare", compare(chain, given.slice, place, given.only)
    text = f"{text}\n\nMeasured on {on}"
    print(text)
    if given.readme:
        put(given.readme, name, text)


if __name__ == "__main__":
    main()
