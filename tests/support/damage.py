"""A ledger damaged in many ways, and what verbs say of each; run in a process of its own, since a database may end it.

    python -m support.damage FOLDER FIRST STEP

FOLDER has blocks/, labels.csv and a sound ledger. For every STEPth damage from number FIRST on it prints one JSON line
before the verbs run, and one behind each verb.
"""

import contextlib
import io
import json
import random
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

FLIPS = 16
CUTS = 4


class Damage(NamedTuple):
    """One way to harm a ledger's file."""

    name: str
    harm: Callable[[Path], object]
    is_value: bool = False
    """Whether the file is a sound database of the right tables that says something wrong: verify must notice."""


def flip(seed: int) -> Damage:
    """Other bytes at one place of the file."""

    def harm(path: Path) -> None:
        dice = random.Random(seed)
        data = bytearray(path.read_bytes())
        place = dice.randrange(len(data))
        for position in range(place, min(place + dice.choice([1, 2, 16, 300]), len(data))):
            data[position] ^= dice.randrange(1, 256)
        path.write_bytes(data)

    return Damage(f"bytes flipped, seed {seed}", harm)


def cut(seed: int) -> Damage:
    """The end of the file is lost."""

    def harm(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[: random.Random(seed).randrange(len(data))])

    return Damage(f"cut short, seed {seed}", harm)


def sql(statement: str, *, is_value: bool = True) -> Damage:
    """A statement that no verb executes."""

    def harm(path: Path) -> None:
        with duckdb.connect(str(path)) as con:
            con.execute(statement)

    return Damage(statement, harm, is_value)


def nulls(table: str, column: str) -> Damage:
    """Nulls where there can be none."""
    return sql(
        f"ALTER TABLE {table} ALTER {column} DROP NOT NULL; UPDATE {table} SET {column} = NULL",
        is_value=False,
    )


TABLES = (
    "block",
    "tx",
    "debit",
    "credit",
    "coinbase",
    "script",
    "source.folder",
    "source.header",
    "kept.day",
)

STRUCTURES = (
    *(sql(f"DROP TABLE {table}", is_value=False) for table in TABLES),
    sql("ALTER TABLE debit DROP COLUMN value", is_value=False),
    sql("ALTER TABLE block RENAME COLUMN time TO header_time", is_value=False),
    sql("ALTER TABLE credit ALTER value TYPE VARCHAR", is_value=False),
    sql("ALTER TABLE block ALTER day TYPE VARCHAR", is_value=False),
    nulls("debit", "account"),
    nulls("block", "day"),
    nulls("source.header", "work"),
    sql("DROP SCHEMA kept CASCADE", is_value=False),
)

VALUES = tuple(
    map(
        sql,
        (
            "UPDATE block SET tx_count = 2147483647 WHERE height = 100",
            "UPDATE block SET tx_count = -5 WHERE height = 100",
            "UPDATE block SET first_tx = -1000 WHERE height = 100",
            "UPDATE block SET first_tx = 9223372036854775807 WHERE height = 100",
            "UPDATE block SET height = -2147483648 WHERE height = 100",
            "UPDATE block SET hash = '' WHERE height = 400",
            "UPDATE block SET time = -9223372036854775808 WHERE height > 390",
            "UPDATE block SET time = 9223372036854775807 WHERE height = 390",
            "UPDATE block SET mediantime = -1 WHERE height = 100",
            "UPDATE block SET day = '5000-01-01' WHERE height = 100",
            "UPDATE block SET day = '1900-01-01' WHERE height = 100",
            "UPDATE block SET size = -2147483648 WHERE height = 100",
            "UPDATE block SET issuance = 9223372036854775807",
            "UPDATE block SET fees = -9223372036854775808 WHERE height = 100",
            "UPDATE block SET digest = 0 WHERE height = 100",
            "DELETE FROM block WHERE height = 200",
            "DELETE FROM block WHERE height = 1",
            "DELETE FROM block",
            "INSERT INTO block SELECT * FROM block WHERE height = 100",
            "DELETE FROM tx WHERE height = 100",
            "UPDATE tx SET tx = 9223372036854775807 WHERE height = 100",
            "UPDATE tx SET txid = 'x' WHERE height = 100",
            "UPDATE debit SET tx = 9223372036854775807",
            "UPDATE debit SET tx = -tx",
            "UPDATE debit SET value = -9223372036854775808",
            "UPDATE debit SET value = value + 1",
            "UPDATE credit SET tx = 1000000000000",
            "UPDATE credit SET value = 9223372036854775807",
            "UPDATE credit SET account = 0",
            "DELETE FROM credit",
            "DELETE FROM coinbase",
            "UPDATE coinbase SET script_sig = ''",
            "UPDATE script SET script = ''",
            "UPDATE script SET tx = -1",
            "UPDATE kept.until SET blocks = 2147483647",
            "UPDATE kept.until SET blocks = -1",
            "UPDATE kept.until SET clock = 'sundial'",
            "UPDATE kept.day SET day = '9999-12-31'",
            "DELETE FROM kept.day WHERE day < '2016-01-01' OR random() < 0.5",
            "UPDATE kept.day SET holders = -1",
            "UPDATE kept.holding SET balance = -9223372036854775808",
            "UPDATE source.folder SET xor_key = 'x'",
            "UPDATE source.file SET scanned_to = -1",
            "UPDATE source.file SET size = 9223372036854775807, scanned_to = 9223372036854775807",
            "UPDATE source.header SET hash = 'x'",
            "UPDATE source.header SET prev_hash = hash",
            "UPDATE source.header SET bits = 0",
            "UPDATE source.header SET bits = 4294967295 - bits",
            "UPDATE source.header SET height = height + 1",
            'UPDATE source.header SET "offset" = -1',
            "UPDATE source.header SET file = 7",
            "UPDATE source.header SET work = ''",
            "UPDATE source.header SET size = -1",
            "UPDATE source.header SET tx_count = 4611686018427387904",
        ),
    )
)

DAMAGES = (*map(flip, range(FLIPS)), *map(cut, range(CUTS)), *STRUCTURES, *VALUES)


def verbs(folder: Path, ledger: Path) -> dict[str, list[str]]:
    """Arguments of each verb that reads a ledger; ingest comes last, since it writes to it."""
    labels = ["--labels", str(folder / "labels.csv")]
    return {
        "verify": ["verify", str(ledger), "--json"],
        "recompute": ["recompute", str(ledger), *labels, "--out", str(folder / "out"), "--json"],
        "pools": ["pools", str(ledger), "--out", str(folder / "pools"), "--json"],
        "ingest": ["ingest", str(ledger), "--datadir", str(folder / "blocks"), "--json"],
    }


def call(arguments: list[str]) -> dict[str, Any]:
    """Run a verb in this process: exit status, what it printed, and a traceback if it has one."""
    from reflow.cli.main import app

    out, err, trace, status = io.StringIO(), io.StringIO(), "", 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app(args=arguments, prog_name="reflow")
        except SystemExit as end:
            status = int(end.code or 0)
        except BaseException:
            status, trace = -1, traceback.format_exc()
    return {"status": status, "out": out.getvalue(), "err": err.getvalue(), "trace": trace}


def main() -> None:
    """See the head of the file."""
    folder, first, step = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    ledger = folder / "damaged"
    for number in range(first, len(DAMAGES), step):
        damage = DAMAGES[number]
        print(json.dumps({"damage": number}), flush=True)
        for verb, arguments in verbs(folder, ledger).items():
            if verb == "pools" and not damage.is_value:
                continue
            ledger.unlink(missing_ok=True)
            ledger.with_name("damaged.wal").unlink(missing_ok=True)
            ledger.write_bytes((folder / "ledger").read_bytes())
            damage.harm(ledger)
            (folder / "out" / "metrics.csv").unlink(missing_ok=True)
            answer = call(arguments)
            written = folder / "out" / "metrics.csv"
            metrics = written.read_text() if verb == "recompute" and written.exists() else ""
            print(json.dumps({"damage": number, "verb": verb, "metrics": metrics, **answer}), flush=True)


if __name__ == "__main__":
    main()
