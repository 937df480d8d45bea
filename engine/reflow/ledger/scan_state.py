"""What a ledger remembers of a node's files: tables source.folder, source.file and source.header."""

from typing import Final

import pyarrow as pa

from reflow.blocks.blkfiles import FileState, Scan
from reflow.blocks.headers import Header
from reflow.ledger.ledger import Ledger
from reflow.store.resources import query

REORG_WINDOW: Final = 2016
"""Headers this far below the ledger's tip are still loaded: a deeper reorg makes the files be scanned anew."""


def load_scan(ledger: Ledger) -> Scan | None:
    """The scan that the last ingest left, or None; only headers near and above the tip."""
    folder = ledger.con.execute("SELECT path, xor_key FROM source.folder").fetchone()
    if folder is None:
        return None
    files = ledger.con.execute("SELECT number, size, mtime_ns, scanned_to FROM source.file").fetchall()
    tip = ledger.tip()
    lowest = 0 if tip is None else max(tip.height - REORG_WINDOW, 0)
    rows = ledger.con.execute(query("source_headers"), {"height": lowest}).fetchall()
    headers = [Header(*row)._replace(work=int.from_bytes(row[-1], "big")) for row in rows]
    states = {row[0]: FileState(*row) for row in files}
    return Scan(folder[0], bytes(folder[1]), states, headers, is_fresh=False)


def save_scan(ledger: Ledger, scan: Scan) -> None:
    """Keep a scan; a fresh one replaces all that was known, else its headers replace those of the same hash."""
    with ledger.transaction():
        for table in ("source.folder", "source.file", *(["source.header"] if scan.is_fresh else [])):
            ledger.con.execute(f"DELETE FROM {table}")
        ledger.con.execute(
            "INSERT INTO source.folder VALUES ($path, $key)", {"path": scan.folder, "key": scan.xor_key}
        )
        ledger.insert("source.file", _table(list(scan.files.values()), FileState._fields))
        headers = [header._replace(work=header.work.to_bytes(32, "big")) for header in scan.headers]  # type: ignore[arg-type]
        if headers:
            incoming = _table(headers, Header._fields)
            ledger.run(query("forget_headers"), incoming)
            ledger.insert("source.header", incoming)


def _table(rows: list[FileState] | list[Header], names: tuple[str, ...]) -> pa.Table:
    return pa.table({name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})
