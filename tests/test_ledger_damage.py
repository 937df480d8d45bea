"""A damaged ledger ends no verb in a traceback: the right answer, or one line and exit status 1; verify sees changes.

The damages are those of support/damage.py. A process of its own runs the verbs: where the database ends it, the test
says so and goes on behind.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reflow.errors import LedgerError
from reflow.ledger.damage import schema_tables, structure_fault
from reflow.ledger.ledger import Ledger
from reflow.ledger.verify import verify
from reflow.network import REGTEST
from reflow.script import address_of
from support.chains import KEY, ingest_folder, simulation, write_simulation
from support.damage import DAMAGES, call, verbs
from support.surroundings import PYTHONPATH

BLOCKS = 150
STEP = 1 if os.environ.get("REFLOW_EVERY_DAMAGE") else 4
"""An ordinary run takes every fourth damage."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blocks, labels and a sound ledger."""
    base = tmp_path_factory.mktemp("damage")
    ingest_folder(base / "ledger", write_simulation(base / "blocks", BLOCKS, xor_key=KEY))
    rows = (
        f"{address_of(label.address.script, REGTEST)},{label.entity},{label.category}\n"
        for label in simulation().labels
    )
    (base / "labels.csv").write_text("address,entity,category\n" + "".join(rows))
    return base


def run_all(home: Path) -> Iterator[dict[str, Any]]:
    """The answer of every verb to the damages; a process that ends is begun again behind the damage it met."""
    first = 0
    while first < len(DAMAGES):
        done = subprocess.run(
            [sys.executable, "-m", "support.damage", str(home), str(first), str(STEP)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": PYTHONPATH},
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        yield from (line for line in lines if "verb" in line)
        assert lines, done.stderr
        if done.returncode == 0:
            return
        last = lines[-1]["damage"]
        yield {
            "damage": last,
            "verb": "",
            "status": done.returncode,
            "err": done.stderr,
            "trace": "",
            "out": "",
        }
        first = last + STEP


def test_no_damage_ends_in_a_traceback_or_in_wrong_figures(home: Path) -> None:
    shutil.copy(home / "ledger", home / "sound")
    sound = {verb: call(arguments) for verb, arguments in verbs(home, home / "sound").items()}
    assert all(answer["status"] == 0 for answer in sound.values()), sound
    digest = json.loads(sound["verify"]["out"])["digest"]
    metrics = (home / "out" / "metrics.csv").read_text()
    wrong = []
    for answer in run_all(home):
        damage, verb, status = DAMAGES[answer["damage"]], answer["verb"], answer["status"]
        told = f"{damage.name}: {verb}: exit status {status}: {answer['trace'] or answer['err']}"
        in_one_line = answer["err"].startswith("reflow: ") and answer["err"].count("\n") == 1
        if answer["trace"] or status not in (0, 1):
            wrong.append(told)
        elif status == 1 and not in_one_line and verb != "verify":
            wrong.append(f"not one line: {told}")
        elif verb == "verify" and status != int(damage.is_value) and (damage.is_value or status == 0):
            if status or json.loads(answer["out"])["digest"] != digest:
                wrong.append(f"not noticed: {told}")
        elif verb == "recompute" and status == 0 and not damage.is_value and answer["metrics"] != metrics:
            wrong.append(f"other figures: {told}")
    assert not wrong, "\n".join(wrong)


def test_an_error_on_a_sound_ledger_is_not_called_damage(home: Path) -> None:
    with Ledger.open(home / "ledger", read_only=True) as ledger:
        with pytest.raises(IndexError, match="a bug"), ledger.working("count"):
            raise IndexError("a bug")
        with pytest.raises(IndexError), ledger.store("count") as store:
            store.rows("kept_until")[10]


def test_the_same_error_on_a_damaged_ledger_names_the_damage(home: Path, tmp_path: Path) -> None:
    shutil.copy(home / "ledger", tmp_path / "ledger")
    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.con.execute("UPDATE block SET fees = 7 WHERE height = 100")
        with pytest.raises(LedgerError) as caught, ledger.store("count") as store:
            store.rows("kept_until")[10]
    text = str(caught.value)
    assert text.startswith(
        f"{tmp_path / 'ledger'}: cannot count: the ledger is damaged: block at height 100: fees: found 7, expected "
    )
    assert text.endswith(
        "; `reflow verify` lists what is wrong; delete the file and run `reflow ingest` again"
    )
    assert isinstance(caught.value.__cause__, IndexError)


def test_the_schema_as_read_is_that_of_the_database() -> None:
    with Ledger.open(None, REGTEST) as ledger:
        assert structure_fault(ledger.con) is None
        tables = {
            name if schema == "main" else f"{schema}.{name}": columns
            for schema, name, columns in ledger.con.execute(
                "SELECT schema_name, table_name, column_count FROM duckdb_tables() WHERE NOT temporary"
            ).fetchall()
        }
        assert tables == {name: len(columns) for name, columns in schema_tables().items()}
        ledger.con.execute("ALTER TABLE tx ADD COLUMN more INTEGER")
        assert structure_fault(ledger.con) == "table tx has a column more that no ledger has"


BESIDE = [
    (table, column)
    for table, columns in schema_tables().items()
    if table.startswith(("source.", "kept."))
    for column in columns
]
OTHER = {"VARCHAR": "'other'", "BLOB": "'\\x01'::BLOB", "DATE": "'2016-02-29'"}


@pytest.mark.parametrize(("table", "column"), BESIDE, ids=lambda name: name)
def test_a_change_of_what_a_later_run_relies_on_is_noticed(
    home: Path, tmp_path: Path, table: str, column: str
) -> None:
    """In one row in the middle of each table that is no part of the ledger's content."""
    shutil.copy(home / "ledger", tmp_path / "ledger")
    kind, _ = schema_tables()[table][column]
    value = OTHER.get(kind, f'"{column}" + 1')
    with Ledger.open(tmp_path / "ledger") as ledger:
        middle = (
            f"SELECT rowid FROM {table} ORDER BY rowid LIMIT 1 OFFSET (SELECT count(*) // 2 FROM {table})"
        )
        ledger.con.execute(f'UPDATE {table} SET "{column}" = {value} WHERE rowid = ({middle})')
        assert verify(ledger).fault_count > 0
