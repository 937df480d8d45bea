"""What a ledger remembers of a node's files: tables source.folder, source.file and source.header."""

from typing import Final

import pyarrow as pa

from reflow.blocks.blkfiles import FileState, Scan
from reflow.blocks.headers import Header
from reflow.ledger.damage import has_prints
from reflow.ledger.faults import Fault
from reflow.ledger.ledger import Ledger
from reflow.store.resources import query

REORG_WINDOW: Final = 2016
"""Headers this far below the ledger's tip are still loaded: a deeper reorg makes the files be scanned anew."""


def load_scan(ledger: Ledger) -> Scan | None:
    """The scan that the last ingest left, or None; only headers near and above the tip."""
    folders = ledger.con.execute("SELECT path, xor_key FROM source.folder").fetchall()
    if not folders:
        return None
    folder = folders[0]
    files = ledger.con.execute("SELECT number, size, mtime_ns, scanned_to FROM source.file").fetchall()
    tip = ledger.tip()
    lowest = 0 if tip is None else max(tip.height - REORG_WINDOW, 0)
    rows = ledger.con.execute(query("source_headers"), {"height": lowest}).fetchall()
    headers = [Header(*row)._replace(work=int.from_bytes(row[-1], "big")) for row in rows]
    states = {row[0]: FileState(*row) for row in files}
    return Scan(folder[0], bytes(folder[1]), states, headers, is_fresh=False)


def save_scan(ledger: Ledger, scan: Scan) -> None:
    """Keep a scan; a fresh one replaces all that was known, else its headers replace those of the same hash."""
    incoming = _table(
        [header._replace(work=header.work.to_bytes(32, "big")) for header in scan.headers],  # type: ignore[arg-type]
        Header._fields,
    )
    with ledger.transaction():
        for table in ("source.folder", "source.file", *(["source.header"] if scan.is_fresh else [])):
            ledger.con.execute(f"DELETE FROM {table}")
        ledger.con.execute(
            "INSERT INTO source.folder VALUES ($path, $key)", {"path": scan.folder, "key": scan.xor_key}
        )
        ledger.insert("source.file", _table(list(scan.files.values()), FileState._fields))
        header_print = _header_print(ledger, scan)
        if scan.headers:
            forgotten = ledger.ask("header_prints_among", incoming)
            ledger.run(query("forget_headers"), incoming)
            ledger.insert("source.header", incoming)
            header_print += ledger.ask("header_prints_among", incoming) - forgotten
        _save_prints(ledger, header_print)


def _header_print(ledger: Ledger, scan: Scan) -> int:
    """The fingerprint of the headers that are known, those of this scan left out."""
    if scan.is_fresh:
        return 0
    _make_prints(ledger)
    kept = ledger.con.execute("SELECT headers FROM source.print").fetchall()
    return int(kept[0][0]) if kept else ledger.ask("header_prints")


def _make_prints(ledger: Ledger) -> None:
    """Make the table of fingerprints in a ledger that is older than they are."""
    ledger.con.execute(
        "CREATE TABLE IF NOT EXISTS source.print (files HUGEINT NOT NULL, headers HUGEINT NOT NULL)"
    )


def _save_prints(ledger: Ledger, headers: int) -> None:
    _make_prints(ledger)
    ledger.con.execute("DELETE FROM source.print")
    ledger.con.execute(
        "INSERT INTO source.print VALUES ($files, $headers)",
        {"files": ledger.ask("file_prints"), "headers": headers},
    )


def check_scan(ledger: Ledger) -> list[Fault]:
    """What is wrong with what the ledger remembers of a node's files, by the fingerprints kept with it."""
    if not has_prints(ledger.con):
        return []  # an older ledger, which has none until the next ingest
    kept = ledger.con.execute("SELECT files, headers FROM source.print").fetchall()
    expected = [(ledger.ask("file_prints"), ledger.ask("header_prints"))]
    if not kept and expected == [(0, 0)]:
        return []
    what = "fingerprints of source.folder and source.file, and of source.header"
    return [] if kept == expected else [Fault(what, kept, expected)]


def _table(rows: list[FileState] | list[Header], names: tuple[str, ...]) -> pa.Table:
    if not rows:
        return pa.table({name: [] for name in names})
    return pa.table({name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})
