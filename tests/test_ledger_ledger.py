"""The ledger as a store: what it is opened with and refused for, appending whole or not at all, rolling back."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from reflow.blocks.decode import decode
from reflow.errors import LedgerError
from reflow.ledger.ledger import SCHEMA_VERSION, Ledger
from reflow.ledger.rows import SCHEMAS, Assembler, LedgerRows
from reflow.network import MAIN, REGTEST
from support.chains import LEDGER_TABLES, batch_of, content, ingest_folder, simulation, write_simulation


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.open(None, REGTEST) as opened:
        yield opened


def rows_of(ledger: Ledger, first: int, last: int) -> LedgerRows:
    """Rows of blocks of the simulation, as the ingest would make them on top of the ledger's tip."""
    part = simulation().blocks[first : last + 1]
    batch = batch_of(first, [b.raw for b in part], [b.undo or b"" for b in part], [b.hash for b in part])
    return Assembler(ledger.past()).rows(decode(batch, REGTEST))


def all_rows(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    return {table: ledger.con.execute(f"SELECT * FROM {table}").fetchall() for table in LEDGER_TABLES}


def test_the_schema_of_the_rows_is_that_of_the_tables(ledger: Ledger) -> None:
    for table, schema in SCHEMAS._asdict().items():
        columns = [row[0] for row in ledger.con.execute(f"DESCRIBE {table}").fetchall()]
        assert columns == schema.names


def test_an_empty_ledger_has_no_tip(ledger: Ledger) -> None:
    assert ledger.tip() is None
    assert ledger.block_hash(0) == REGTEST.genesis_hash
    assert ledger.block_hash(1) is None
    assert ledger.recent_times() == [REGTEST.genesis_time]
    assert ledger.roll_back(0) == 0


def test_appended_in_parts_or_at_once_is_the_same() -> None:
    contents, digests = [], []
    for cuts in ([150], [1, 9, 10, 11, 12, 149, 150], [100, 101, 150]):
        with Ledger.open(None, REGTEST) as opened:
            first = 1
            for last in cuts:
                opened.append(rows_of(opened, first, last))
                first = last + 1
            contents.append(all_rows(opened))
            digests.append(opened.digest())
    assert contents[0] == contents[1] == contents[2]
    assert len(set(digests)) == 1


def test_an_account_keeps_the_script_that_its_first_coinbase_paid() -> None:
    """Whether its two forms come in one portion or in several; the smaller one where one coinbase paid both."""
    direct, by_hash, other = b"\x21\x02" + bytes(32) + b"\xac", b"\x76\xa9\x14" + bytes(22), b"\x51"
    paid = [(7, by_hash, 0), (7, direct, 1), (8, other, 1), (9, by_hash, 2), (9, direct, 2), (8, direct, 3)]
    for cuts in ([4], [1, 2, 3, 4], [2, 4]):
        with Ledger.open(None, REGTEST) as opened:
            first = 1
            for last in cuts:
                rows = [
                    dict(zip(SCHEMAS.script.names, row, strict=True))
                    for row in paid
                    if first <= row[2] + 1 <= last
                ]
                script = pa.Table.from_pylist(rows, SCHEMAS.script)
                opened.append(rows_of(opened, first, last)._replace(script=script))
                first = last + 1
            assert all_rows(opened)["script"] == [(7, by_hash, 0), (8, other, 1), (9, direct, 2)]


def test_rolled_back_equals_never_appended() -> None:
    with Ledger.open(None, REGTEST) as once, Ledger.open(None, REGTEST) as back:
        once.append(rows_of(once, 1, 120))
        back.append(rows_of(back, 1, 150))
        assert back.digest() != once.digest()
        assert back.roll_back(120) == 30
        assert all_rows(back) == all_rows(once)
        assert back.digest() == once.digest()
        assert back.recent_times() == once.recent_times()
        back.append(rows_of(back, 121, 150))
        once.append(rows_of(once, 121, 150))
        assert all_rows(back) == all_rows(once)


def test_blocks_that_do_not_connect_are_refused(ledger: Ledger) -> None:
    ledger.append(rows_of(ledger, 1, 10))
    before = all_rows(ledger)
    with Ledger.open(None, REGTEST) as other:
        gap = rows_of(other, 1, 5)
    with pytest.raises(LedgerError, match=r"does not connect: height 1 .*, expected height 11"):
        ledger.append(gap)
    assert all_rows(ledger) == before


def test_a_failed_append_leaves_nothing_behind(ledger: Ledger) -> None:
    """The credits are of another shape: the tables written before them must be as they were."""
    ledger.append(rows_of(ledger, 1, 10))
    before = all_rows(ledger)
    rows = rows_of(ledger, 11, 20)
    broken = rows._replace(credit=rows.credit.rename_columns(["tx", "account", "amount"]))
    with pytest.raises(duckdb.Error):
        ledger.append(broken)
    assert all_rows(ledger) == before
    ledger.append(rows)
    assert ledger.tip() is not None


def test_conservation_and_supply(ledger: Ledger) -> None:
    """Debits = credits + fees over all spends; credits of coinbases = issuance + fees; and no block issues too much."""
    ledger.append(rows_of(ledger, 1, 400))
    [(debits,)] = ledger.con.execute("SELECT sum(value) FROM debit").fetchall()
    [(credits_,)] = ledger.con.execute("SELECT sum(value) FROM credit").fetchall()
    blocks = ledger.con.execute("SELECT height, fees, issuance FROM block").fetchall()
    assert credits_ - debits == sum(issuance for _, _, issuance in blocks)
    assert all(fees >= 0 and issuance == REGTEST.subsidy(height) for height, fees, issuance in blocks)


def test_no_ledger_there(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger there"):
        Ledger.open(tmp_path / "none", read_only=True)
    with pytest.raises(LedgerError, match="no folder"):
        Ledger.open(tmp_path / "none" / "ledger", REGTEST)
    assert not (tmp_path / "none").exists()


def test_a_ledger_of_another_network(tmp_path: Path) -> None:
    Ledger.open(tmp_path / "ledger", REGTEST).close()
    with pytest.raises(LedgerError, match="ledger of network regtest, expected main"):
        Ledger.open(tmp_path / "ledger", MAIN)


def test_a_ledger_with_a_newer_schema(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger", REGTEST) as opened:
        opened.con.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(LedgerError, match=f"has schema 99, this reflow knows up to {SCHEMA_VERSION}"):
        Ledger.open(tmp_path / "ledger")


def test_a_ledger_with_an_older_schema_says_what_to_do(tmp_path: Path) -> None:
    """Its accounts mean something else, so nothing may be appended to it or read from it."""
    with Ledger.open(tmp_path / "ledger", REGTEST) as opened:
        opened.con.execute("UPDATE meta SET value = '1' WHERE key = 'schema_version'")
    for how in ({"read_only": True}, {"network": REGTEST}):
        with pytest.raises(LedgerError) as caught:
            Ledger.open(tmp_path / "ledger", **how)
        assert str(caught.value) == (
            f"{tmp_path / 'ledger'}: ledger has schema 1, this reflow needs {SCHEMA_VERSION}, "
            "which defines accounts differently: delete it and run `reflow ingest` again"
        )


def test_files_that_are_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database at all\n" * 1000)
    with pytest.raises(LedgerError, match=r"not a ledger|cannot open"):
        Ledger.open(tmp_path / "text")
    duckdb.connect(tmp_path / "other.duckdb").close()
    with pytest.raises(LedgerError, match="a DuckDB file, but not a ledger"):
        Ledger.open(tmp_path / "other.duckdb")


def test_a_ledger_that_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    Ledger.open(path, REGTEST).close()
    hold = (
        "import sys; from reflow.ledger.ledger import Ledger; "
        f"ledger = Ledger.open({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(LedgerError, match="in use by another process") as caught:
            Ledger.open(path)
        holder.communicate("")
    assert "\n" not in str(caught.value)
    Ledger.open(path).close()


def test_no_room_left_to_write(tmp_path: Path) -> None:
    """A limit on file sizes stands in for a full disk: one line, and the ledger as it was committed."""
    folder = write_simulation(tmp_path / "blocks")
    ingest_folder(tmp_path / "ledger", folder, to_height=100)
    before = content(tmp_path / "ledger")
    limit = 100_000
    script = (
        "import resource; from reflow.errors import LedgerError; from reflow.ledger.ingest import ingest; "
        "from reflow.blocks.datadir import DatadirSource\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "try:\n"
        f"    ingest({str(tmp_path / 'ledger')!r}, DatadirSource({str(folder)!r}))\n"
        "except LedgerError as error:\n"
        "    print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.count("\n") == 1, result.stderr
    assert "cannot write the ledger" in result.stdout
    assert content(tmp_path / "ledger") == before
    assert ingest_folder(tmp_path / "ledger", folder).height == len(simulation().blocks) - 1


def test_too_little_memory_is_told_in_one_line(tmp_path: Path) -> None:
    folder = write_simulation(tmp_path / "blocks")
    with pytest.raises(LedgerError, match="memory") as caught:
        ingest_folder(tmp_path / "ledger", folder, memory="1.5MB")
    assert "\n" not in str(caught.value)
