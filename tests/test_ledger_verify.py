"""reflow verify: a sound ledger passes whatever the pieces; whatever is changed in one is found, and told in one line.

Ledgers are the rows of a simulated chain, changed one way each, in memory; the digests are computed a second time here,
in plain Python.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reflow.errors import LedgerError
from reflow.ledger import verify as verify_module
from reflow.ledger.faults import KEPT
from reflow.ledger.ledger import Ledger
from reflow.ledger.rows import SCHEMAS
from reflow.ledger.verify import Verification, verify
from reflow.network import REGTEST
from support.chains import ingest_folder, write_simulation

BLOCKS = 130
TABLES = SCHEMAS._fields
COLUMNS = [(table, column) for table in TABLES for column in getattr(SCHEMAS, table).names]

Row = dict[str, Any]
Rows = Mapping[str, list[Row]]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger on disk, as ingest makes it."""
    folder = tmp_path_factory.mktemp("sound")
    ingest_folder(folder / "ledger", write_simulation(folder / "blocks", BLOCKS))
    return folder / "ledger"


@pytest.fixture(scope="module")
def sound(path: Path) -> dict[str, list[Row]]:
    """Its rows, table by table."""
    with Ledger.open(path, read_only=True) as ledger:
        return {
            table: ledger.con.sql(f"SELECT * FROM {table}").to_arrow_table().to_pylist() for table in TABLES
        }


@cache
def scratch() -> tuple[Ledger, dict[str, list[Row]]]:
    """A ledger in memory that the tests fill, and what is in it now."""
    return Ledger.open(None, REGTEST), {table: [] for table in TABLES}


def verified(rows: Rows, **how: Any) -> Verification:
    """What `verify` says of a ledger with these rows."""
    ledger, held = scratch()
    for table in TABLES:
        if held[table] is not rows.get(table, []):
            held[table] = rows.get(table, [])
            ledger.con.execute(f"DELETE FROM {table}")
            ledger.insert(table, arrow(table, held[table]))
    return verify(ledger, **how)


KNOWN: dict[int, tuple[list[Row], pa.Table]] = {}


def arrow(table: str, rows: list[Row]) -> pa.Table:
    """Rows in the form in which they are appended; those of the sound ledger are converted once."""
    if id(rows) not in KNOWN:
        fields = [
            pa.field(field.name, pa.binary() if pa.types.is_fixed_size_binary(field.type) else field.type)
            for field in getattr(SCHEMAS, table)
        ]
        KNOWN[id(rows)] = rows, pa.Table.from_pylist(rows, schema=pa.schema(fields))
    return KNOWN[id(rows)][1]


def changed(rows: Rows, table: str, change: Callable[[list[Row]], object]) -> dict[str, list[Row]]:
    """The rows with one table changed."""
    some = [dict(row) for row in rows[table]]
    change(some)
    return {**rows, table: some}


def lines(result: Verification) -> list[str]:
    found = [str(fault) for fault in result.faults]
    assert not any("\n" in line for line in found)
    assert len(found) == min(result.fault_count, KEPT)
    return found


def test_a_sound_ledger_has_no_faults(path: Path, sound: dict[str, list[Row]]) -> None:
    with Ledger.open(path, read_only=True) as ledger:
        result, digest = verify(ledger), ledger.digest()
    assert (result.fault_count, result.faults) == (0, [])
    assert result.rows == {table: len(rows) for table, rows in sound.items()}
    assert (result.height, result.tip_hash) == (BLOCKS, sound["block"][-1]["hash"].hex())
    assert (result.digest, result.network) == (digest, "regtest")
    values = {table: sum(row["value"] for row in sound[table]) for table in ("debit", "credit")}
    assert result.supply == values["credit"] - values["debit"] == 50 * 10**8 * BLOCKS


def test_an_empty_ledger_has_no_faults() -> None:
    result = verified({})
    assert (result.fault_count, result.height, result.chunks, result.supply) == (0, 0, [], 0)


@pytest.mark.parametrize(("threads", "piece_bytes"), [(1, 1), (3, 5_000), (2, 1 << 40)])
def test_threads_and_pieces_change_nothing(
    sound: dict[str, list[Row]], monkeypatch: pytest.MonkeyPatch, threads: int, piece_bytes: int
) -> None:
    """Of a sound ledger, and of one with more faults than are told."""
    poorer = [row | {"value": row["value"] // 2} for row in sound["debit"]]
    for rows in (sound, {**sound, "debit": poorer}):
        expected = verified(rows)
        assert (expected.fault_count > KEPT) == (rows is not sound)
        with monkeypatch.context() as patch:
            patch.setattr(verify_module, "PIECE_BYTES", piece_bytes)
            found = verified(rows, threads=threads)
        assert found._replace(seconds=0) == expected._replace(seconds=0)


def test_digests_of_chunks_as_defined(sound: dict[str, list[Row]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks end before the multiples of their size; a change in one moves its digest and no other."""
    monkeypatch.setattr(verify_module, "CHUNK", 50)
    prints = {block["height"]: block_print(sound, block) for block in sound["block"]}
    assert prints == {block["height"]: block["digest"] for block in sound["block"]}
    chunks = verified(sound).chunks
    assert [(chunk.first_height, chunk.last_height) for chunk in chunks] == [(1, 49), (50, 99), (100, 130)]
    for chunk in chunks:
        digest = hashlib.sha256(b"regtest")
        for block in sound["block"][chunk.first_height - 1 : chunk.last_height]:
            digest.update(
                b"".join(
                    (
                        _word(block["height"]),
                        block["hash"],
                        block["digest"].to_bytes(8, "little", signed=True),
                    )
                )
            )
        assert chunk.digest == digest.hexdigest()
    other = verified(changed(sound, "block", lambda rows: rows[70].update(size=rows[70]["size"] + 1))).chunks
    assert [a == b for a, b in zip(chunks, other, strict=True)] == [True, False, True]


def _word(number: int) -> bytes:
    return number.to_bytes(8, "little", signed=True)


def block_print(rows: Rows, block: Row) -> int:
    """The digest of a block, in plain Python."""
    first = block["first_tx"]
    total = 0
    for tx in rows["tx"][first : first + block["tx_count"]]:
        words = [int.from_bytes(tx["txid"][k : k + 8], "little", signed=True) for k in (0, 8, 16, 24)]
        total += splitmix(words[0], words[1], 4 * (tx["tx"] - first))
        total += splitmix(words[2], words[3], 4 * (tx["tx"] - first) + 1)
    for place, table in ((2, "credit"), (3, "debit")):
        for row in postings(table)(rows).get(block["height"], []):
            total += splitmix(row["account"], row["value"], 4 * (row["tx"] - first) + place)
    words = [int.from_bytes(block["hash"][k : k + 8], "little", signed=True) for k in (0, 8, 16, 24)]
    sig = hashlib.sha256(rows["coinbase"][block["height"] - 1]["script_sig"]).digest()
    total += splitmix(words[0], words[1], -4) + splitmix(words[2], words[3], -3)
    total += splitmix(block["time"], block["size"], -2)
    sig_words = [int.from_bytes(sig[k : k + 8], "little", signed=True) for k in (0, 8)]
    total += splitmix(sig_words[0], sig_words[1], -1)
    return (total + 2**63) % 2**64 - 2**63


@cache
def postings(table: str) -> Callable[[Rows], dict[int, list[Row]]]:
    """Rows of a table by height; made once."""
    known: dict[int, list[Row]] = {}

    def by_height(rows: Rows) -> dict[int, list[Row]]:
        if not known:
            heights = {tx["tx"]: tx["height"] for tx in rows["tx"]}
            for row in rows[table]:
                known.setdefault(heights[row["tx"]], []).append(row)
        return known

    return by_height


def splitmix(account: int, value: int, place: int) -> int:
    x = (account * 0x9E3779B97F4A7C15 + value * 0xD1B54A32D192ED03 + place * 0x8CB92BA72F3D8DD7) % 2**64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def other_value(value: Any, data: st.DataObject) -> Any:
    """A value of the same type that is another one."""
    if isinstance(value, bytes):
        return data.draw(st.sampled_from([value + b"\0", value[:-1], b"", bytes([value[0] ^ 1, *value[1:]])]))
    step = data.draw(st.sampled_from([1, -1, 7, -1000, 1 << 20]))
    return value + step if isinstance(value, int) else value + timedelta(step % 5000 + 1)


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=lambda name: name)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_no_single_change_goes_unnoticed(
    sound: dict[str, list[Row]], table: str, column: str, data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, len(sound[table]) - 1))
    value = other_value(sound[table][row][column], data)
    result = verified(changed(sound, table, lambda rows: rows[row].update({column: value})))
    assert lines(result)


@pytest.mark.parametrize("table", TABLES)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_no_row_is_lost_doubled_or_moved_unnoticed(
    sound: dict[str, list[Row]], table: str, data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, len(sound[table]) - 2))
    key = "tx" if "tx" in sound[table][0] else "height"

    def move(rows: list[Row]) -> None:
        later = next(k for k in range(len(rows) - 1, -1, -1) if rows[k][key] != rows[row][key])
        rows[row], rows[later] = rows[later], rows[row]

    for change in (lambda rows: rows.pop(row), lambda rows: rows.insert(row, dict(rows[row])), move):
        assert lines(verified(changed(sound, table, change)))


@pytest.mark.parametrize("table", [table for table in TABLES if table != "script"])
def test_rows_of_no_block_are_found(sound: dict[str, list[Row]], table: str) -> None:
    far = {"tx": 10**12} if table != "coinbase" else {}
    far |= {"height": 10**9} if "height" in sound[table][0] else {}
    result = verified(changed(sound, table, lambda rows: rows.append(rows[-1] | far)))
    assert lines(result)


def spending(rows: Rows) -> int:
    """The number of a transaction that is no coinbase, in the middle of the chain."""
    return int(rows["debit"][len(rows["debit"]) // 2]["tx"])


def of_tx(rows: list[Row], tx: int) -> Row:
    return next(row for row in rows if row["tx"] == tx)


def test_each_fault_says_where_what_was_found_and_what_expected(sound: dict[str, list[Row]]) -> None:
    block, tx = sound["block"][59], spending(sound)
    height = next(row["height"] for row in sound["tx"] if row["tx"] == tx)
    debit, credit = of_tx(sound["debit"], tx), of_tx(sound["credit"], tx)
    paid = sum(row["value"] for row in sound["credit"] if row["tx"] == tx)
    drawn = sum(row["value"] for row in sound["debit"] if row["tx"] == tx)
    cases: list[tuple[str, Callable[[list[Row]], object], str]] = [
        ("block", lambda r: r[59].update(prev_hash=bytes(32)),
         f"block at height 60: prev_hash: found {bytes(32).hex()}, expected {block['prev_hash'].hex()}"),
        ("block", lambda r: r[59].update(mediantime=5),
         f"block at height 60: mediantime: found 5, expected {block['mediantime']}"),
        ("block", lambda r: r[59].update(fees=block["fees"] + 3),
         f"block at height 60: fees: found {block['fees'] + 3}, expected {block['fees']}"),
        ("block", lambda r: r[59].update(issuance=7),
         f"block at height 60: issuance: found 7, expected {block['issuance']}"),
        ("block", lambda r: r[59].update(digest=1),
         f"block at height 60: digest: found {1:016x}, expected {block['digest'] % 2**64:016x}"),
        ("block", lambda r: r[59].update(hash=bytes(32)),
         f"block at height 61: prev_hash: found {block['hash'].hex()}, expected {bytes(32).hex()}"),
        ("block", lambda r: r.pop(59), "block at height 61: height: found 61, expected 60"),
        ("tx", lambda r: r[tx].update(height=2), f"block at height {height}: transaction {tx}: height in tx: found 2, "
         f"expected {height}"),
        ("tx", lambda r: r[tx].update(txid=b"short"),
         f"block at height {height}: transaction {tx}: bytes of txid: found 5, expected 32"),
        ("debit", lambda r: of_tx(r, tx).update(value=-1),
         f"block at height {height}: transaction {tx}: value of a debit: found -1, expected 0 to 2100000000000000"),
        ("credit", lambda r: of_tx(r, tx).update(value=credit["value"] + 10**10),
         f"block at height {height}: transaction {tx}: sum of debits: found {drawn}, "
         f"expected {paid + 10**10} or more, as its credits"),
        ("debit", lambda r: r.insert(0, debit | {"tx": 0}),
         "block at height 1: transaction 0: debits of a coinbase: found 1, expected 0"),
        ("debit", lambda r: r.__setitem__(slice(None), [row for row in r if row["tx"] != tx]),
         f"block at height {height}: transaction {tx}: debits: found 0, expected 1 or more"),
        ("debit", lambda r: r.append(debit),
         f"block at height {height}: tx of a debit in stored order: found {tx}, expected {sound['debit'][-1]['tx']} "
         "or more, as in the row before"),
        ("credit", lambda r: r[0].update(value=r[0]["value"] + 1),
         "block at height 1: credits of the coinbase beyond the fees: found 5000000001, "
         "expected at most the subsidy, 5000000000"),
        ("coinbase", lambda r: r.pop(59), "block at height 60: rows of coinbase: found 0, expected 1"),
        ("tx", lambda r: r.pop(tx), f"block at height {height}: transaction {tx}: rows of tx: found 0, expected 1"),
        ("script", lambda r: r[0].update(tx=3),
         f"tx in script of account {sound['script'][0]['account']}: found 3, expected 0"),
        ("credit", lambda r: r.append(r[-1] | {"tx": 10**9}),
         f"rows of credit that belong to a block: found {len(sound['credit'])}, expected {len(sound['credit']) + 1}"),
    ]  # fmt: skip
    for table, change, line in cases:
        assert line in lines(verified(changed(sound, table, change)))


def test_one_fault_is_told_once(sound: dict[str, list[Row]]) -> None:
    """What stands behind a wrong value is not wrong because of it."""
    for column, step in (("fees", 1), ("mediantime", 1), ("digest", 1), ("transfer_count", 2)):
        result = verified(
            changed(sound, "block", lambda rows, c=column, s=step: rows[40].update({c: rows[40][c] + s}))  # type: ignore[misc]
        )
        assert result.fault_count == 1
    result = verified(changed(sound, "tx", lambda rows: rows[40].update(txid=bytes(32))))
    assert [fault.what for fault in result.faults] == ["digest"]


def test_counts_that_no_block_can_have_are_not_believed(sound: dict[str, list[Row]]) -> None:
    """Two thousand million transactions in a block: a fault, and no memory for them."""
    for row, count in ((60, 2**31 - 1), (BLOCKS - 1, 2**31 - 1), (60, -(2**31)), (60, 0)):
        found = lines(
            verified(changed(sound, "block", lambda rows, r=row, c=count: rows[r].update(tx_count=c)))  # type: ignore[misc]
        )
        assert any(line.startswith(f"block at height {row + 1}: tx_count: found {count}") for line in found)


def test_interrupted_it_stops(sound: dict[str, list[Row]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_module, "PIECE_BYTES", 1)
    seen: list[tuple[str, int, int]] = []

    def stop(*now: Any) -> None:
        seen.append(now)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verified(sound, progress=stop)
    assert seen == [("blocks", n, BLOCKS) for n in (1, 2, 3)]


def test_a_ledger_with_a_table_missing_is_one_line(path: Path, tmp_path: Path) -> None:
    (tmp_path / "ledger").write_bytes(path.read_bytes())
    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.con.execute("DROP TABLE debit")
        with pytest.raises(LedgerError, match=r"cannot read the ledger: .*debit") as caught:
            verify(ledger)
    assert "\n" not in str(caught.value)
