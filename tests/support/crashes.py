"""Verbs killed, torn, cut from power or refused by the system at their Nth call, and what must hold then.

A `Scenario` is a folder as it was before, the verb, and who reads what it writes. After a crash readers may say what
they said before, what they say after an undisturbed run, or refuse in one line. The next run must end in the folder
of an undisturbed run, byte for byte but for the seconds that a run took.
"""

import csv
import errno
import hashlib
import itertools
import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from reflow.ledger.ledger import Ledger
from reflow.simulate.blockfiles import write_chain
from reflow.simulate.chain import Block, Chain, Payee
from reflow.simulate.demo import _write_inputs
from support.chains import simulation
from support.power import lose_power
from support.shim import ALLOCATION, CHANGE, COUNT, FAIL, FAIL_FROM, KILL, OPEN, READ, TEAR, Arm, Called, Lab

BLOCKS: Final = 340
"""Of the simulated chain: 14 days."""
OLD_BLOCKS: Final = 250
FORK: Final = 230

_SECONDS: Final = re.compile(r'"seconds": (\{[^}]*\}|[\d.e-]+)|\b[\d.,]+ (?=s\b|MB/s|M debits)')


class Scenario(NamedTuple):
    """A verb in a folder, and who reads what it writes."""

    name: str
    args: tuple[str, ...]
    readers: tuple[tuple[str, ...], ...] = ()
    before: tuple[tuple[str, ...], ...] = ()
    """Calls that make the folder as it was before, from the common inputs."""
    outputs: tuple[str, ...] = ()
    """Folders whose files belong together: all of one run."""


_MINE: Final = ("--labels", "labels.csv")
_OLD: Final = ("--labels", "old-labels.csv")
_LEDGER: Final = ("ingest", "ledger.duckdb", "--datadir", "blocks")
_RECOMPUTE: Final = ("recompute", "ledger.duckdb", *_MINE, "--prices", "prices.csv", "--out", "out")
_RECOMPUTE_OLD: Final = ("recompute", "ledger.duckdb", *_OLD, "--methodology", "header.toml", "--out", "out")
_CHECK: Final = ("crosscheck", "--metrics", "out", "--vendor", "vendor.csv", "--json")
_SWEEP: Final = ("sweep", "ledger.duckdb", "--grid", "grid.toml", "--out", "out")
_VERIFY: Final = (("verify", "ledger.duckdb"),)

SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario("ingest", ("ingest-in-small-steps", "ledger.duckdb", "blocks"), _VERIFY),
        Scenario("ingest of more", _LEDGER, _VERIFY, ((*_LEDGER, "--to-height", str(OLD_BLOCKS)),)),
        Scenario(
            "ingest after a reorg",
            ("ingest", "ledger.duckdb", "--datadir", "reorg"),
            _VERIFY,
            ((*_LEDGER, "--to-height", str(OLD_BLOCKS)),),
        ),
        Scenario("recompute", _RECOMPUTE, (_CHECK,), (_LEDGER, _RECOMPUTE_OLD), ("out",)),
        Scenario(
            "recompute of two methodologies",
            (*_RECOMPUTE, "--methodology", "reference", "--methodology", "header.toml"),
            tuple(
                ("crosscheck", "--metrics", f"out/{name}", "--vendor", "vendor.csv", "--json")
                for name in ("reference", "header")
            ),
            (
                _LEDGER,
                (*_RECOMPUTE_OLD, "--methodology", "reference"),
            ),
            ("out/reference", "out/header"),
        ),
        Scenario(
            "crosscheck",
            (*_CHECK, "--out", "out"),
            (("report", "out", "--out", "read.html", "--json"),),
            (_LEDGER, _RECOMPUTE, ("crosscheck", "--metrics", "out", "--vendor", "old-vendor.csv", "--out", "out")),
            ("out",),
        ),
        Scenario(
            "sweep",
            (*_SWEEP, *_MINE, "--vendor", "vendor.csv"),
            (),
            (_LEDGER, (*_SWEEP, *_OLD, "--vendor", "old-vendor.csv")),
            ("out",),
        ),
        Scenario(
            "pools",
            ("pools", "ledger.duckdb", *_MINE, "--out", "out"),
            (),
            (_LEDGER, ("pools", "ledger.duckdb", *_OLD, "--pools", "old-labels.csv", "--out", "out")),
            ("out",),
        ),
        Scenario(
            "clusters",
            ("clusters", "ledger.duckdb", *_MINE, "--out", "out"),
            (),
            (_LEDGER, ("clusters", "ledger.duckdb", *_OLD, "--out", "out")),
            ("out",),
        ),
        Scenario(
            "explain --graph",
            ("explain", "ledger.duckdb", "FlowMinerOut1HopAllExNtv", "2020-01-12", *_MINE, "--graph", "out"),
            (),
            (_LEDGER, ("explain", "ledger.duckdb", "FlowMinerOut1HopAllExNtv", "2020-01-12", *_OLD, "--graph", "out")),
            ("out",),
        ),
        Scenario(
            "report",
            ("report", "out", "--out", "page.html"),
            (),
            (_LEDGER, _RECOMPUTE_OLD, ("report", "out", "--out", "page.html"), _RECOMPUTE),
        ),
        Scenario("labels check", ("labels", "check", "labels.csv", "--network", "regtest"), (), ()),
    )
}  # fmt: skip


def make_inputs(folder: Path) -> None:
    """What all scenarios begin with: blocks, a reorg of them, labels, prices and a vendor's series, new and old."""
    whole = _write_inputs(simulation(), folder / "demo")
    for name in ("labels", "prices", "vendor"):
        shutil.copy(whole[name], folder / f"{name}.csv")
    shutil.rmtree(folder / "demo")
    blocks = simulation().blocks[: BLOCKS + 1]
    write_chain(folder / "blocks", blocks, preallocate=False, max_file_size=1 << 17)
    branch = _fork(FORK, BLOCKS - FORK + 1)
    write_chain(folder / "reorg", branch, preallocate=False, max_file_size=1 << 17)
    labels = (folder / "labels.csv").read_text().splitlines(keepends=True)
    (folder / "old-labels.csv").write_text("".join(labels[: len(labels) // 2]))
    _old_vendor(folder / "vendor.csv", folder / "old-vendor.csv")
    (folder / "header.toml").write_text('clock = "header"\n')
    (folder / "grid.toml").write_text('clock = ["mediantime", "header"]\n')


def _fork(height: int, length: int) -> list[Block]:
    chain = Chain()
    chain.blocks.extend(simulation().blocks[1 : height + 1])
    for number in range(length):
        chain.mine(0, [Payee(b"\x51" + bytes([0x51 + number % 16]), 1)], b"/fork/", [])
    return chain.blocks


def _old_vendor(vendor: Path, old: Path) -> None:
    with vendor.open(newline="") as stream:
        header, *rows = csv.reader(stream)
    with old.open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [header, *([row[0], *(value and f"{value}1" for value in row[1:])] for row in rows)]
        )


class Attack(NamedTuple):
    """A way to disturb a run at its Nth call."""

    name: str
    arm: Arm
    loses: bool = False
    """Whether the power fails too."""

    @property
    def kills(self) -> bool:
        """Whether the process dies of it; else a call fails."""
        return self.arm.action in (KILL, TEAR)


ATTACKS: Final = (
    Attack("killed before the call", Arm(CHANGE, KILL)),
    Attack("killed in the middle of a write", Arm(CHANGE, TEAR)),
    Attack("power lost", Arm(CHANGE, KILL), loses=True),
    Attack("no room for one call", Arm(CHANGE, FAIL, error=errno.ENOSPC)),
    Attack("no room from this call on", Arm(CHANGE, FAIL_FROM, error=errno.ENOSPC)),
    Attack("input/output error at a write", Arm(CHANGE, FAIL, error=errno.EIO)),
    Attack("input/output error at a read", Arm(READ, FAIL, error=errno.EIO)),
    Attack("too many open files", Arm(OPEN, FAIL, error=errno.EMFILE)),
    Attack("no memory", Arm(ALLOCATION, FAIL, error=errno.ENOMEM, least_bytes=1 << 18)),
)


class Point(NamedTuple):
    """One disturbed run to be made."""

    scenario: str
    attack: Attack
    nth: int


class Bench:
    """One scenario prepared: what the folder was before, what an undisturbed run makes of it, what readers say."""

    def __init__(self, scenario: Scenario, lab: Lab, inputs: Path, place: Path) -> None:
        self.scenario = scenario
        self._lab = lab
        self._place = place
        self._numbers = itertools.count()
        self._before = place / "before"
        shutil.copytree(inputs, self._before)
        for call in scenario.before:
            done = lab.call(call, self._before)
            assert done.status in (0, 1), (call, done)
            assert "Traceback" not in done.err, (call, done)
        after = self._fresh()
        self.undisturbed = lab.call(scenario.args, after)
        assert not self.undisturbed.crashed, self.undisturbed
        self._said = [
            {self._say(reader, self._before), self._say(reader, after)} for reader in scenario.readers
        ]
        self._states = {
            name: [outputs(folder / name) for folder in (self._before, after)] for name in scenario.outputs
        }
        self._after = state(after)
        shutil.rmtree(after)
        self._counts: dict[tuple[int, int], int] = {}

    def points(self, attack: Attack) -> list[Point]:
        """Every N of an attack: one for each call that an undisturbed run makes."""
        key = (attack.arm.kinds, attack.arm.least_bytes)
        if key not in self._counts:
            folder = self._fresh()
            arm = attack.arm._replace(action=COUNT)
            self._counts[key] = self._lab.call(self.scenario.args, folder, arm).calls
            shutil.rmtree(folder)
        return [Point(self.scenario.name, attack, nth) for nth in range(1, self._counts[key] + 1)]

    def disturb(self, point: Point, lab: Lab | None = None) -> list[str]:
        """Disturb a run and say what is wrong then; in another lab than the one that prepared it, if given."""
        lab, folder = lab or self._lab, self._fresh()
        arm = point.attack.arm._replace(nth=point.nth)
        if point.attack.loses:
            arm = arm._replace(journal=folder.with_name(f"{folder.name}.journal"))
        done = lab.call(self.scenario.args, folder, arm)
        if arm.journal is not None and arm.journal.exists():
            lose_power(arm.journal, folder, random.Random(point.nth))
        where = f"{point.scenario}, {point.attack.name} {point.nth} ({done.what.replace(str(folder.resolve()), '')})"
        wrong = [f"{where}: {text}" for text in self._judge(folder, done, point.attack, lab)]
        for path in (folder, arm.journal, Path(f"{arm.journal}.saves")):
            if path is not None and path.is_dir():
                shutil.rmtree(path)
            elif path is not None:
                path.unlink(missing_ok=True)
        return wrong

    def _judge(self, folder: Path, done: Called, attack: Attack, lab: Lab) -> Iterator[str]:
        killed = done.status == -9 and done.what != ""
        no_memory = (
            attack.arm.kinds == ALLOCATION and done.status == -6
        )  # a library's own abort: as good as a kill
        if not (killed or no_memory or done.refused) and (done.crashed or not self._as_usual(done)):
            yield f"ended with {done.status}: {done.err[-300:]}"
        for name, (before, after) in self._states.items():
            now = outputs(folder / name)
            if now not in (before, after) and not says_so(folder / name):
                mixed = sorted(file for file in now if now[file] != after.get(file))
                yield f"{name} is a mix of two runs: {', '.join(mixed)} not of the new one"
        for reader, said in zip(self.scenario.readers, self._said, strict=True):
            heard = lab.call(reader, folder)
            triple = (heard.status, normal(heard.out), normal(heard.err))
            if not (heard.refused or triple in said or self._midway(reader, heard)):
                yield f"then {reader[0]} said {heard.status}: {heard.err[-300:] or heard.out[-300:]}"
        again = lab.call(self.scenario.args, folder)
        if attack.loses and again.refused and "the ledger is damaged" in again.err:
            return  # the database's log has holes, and it refuses to guess
        if not self._as_usual(again):
            yield f"the next run ended with {again.status}: {again.err[-300:]}"
        elif differ := differences(state(folder), self._after):
            yield f"after the next run these differ: {', '.join(differ)}"

    def _midway(self, reader: tuple[str, ...], heard: Called) -> bool:
        """A ledger may stand at any block between."""
        return reader[0] == "verify" and heard.status == 0

    def _as_usual(self, done: Called) -> bool:
        return (done.status, normal(done.err)) == (self.undisturbed.status, normal(self.undisturbed.err))

    def _say(self, reader: tuple[str, ...], folder: Path) -> tuple[int, str, str]:
        heard = self._lab.call(reader, folder)
        return heard.status, normal(heard.out), normal(heard.err)

    def _fresh(self) -> Path:
        folder = self._place / f"run{next(self._numbers)}"
        shutil.copytree(self._before, folder)
        return folder


def says_so(folder: Path) -> bool:
    """Whether a folder shows that its files are of several runs: by its manifest, or a journal of unfinished work."""
    if any(folder.glob(".*.journal")):
        return True
    for file in folder.glob("*.json"):
        digests = json.loads(file.read_text()).get("sha256", {})
        if any(
            not (folder / name).is_file()
            or hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest
            for name, digest in digests.items()
        ):
            return True
    return False


def normal(text: str) -> str:
    """A text without the seconds that a run took."""
    return _SECONDS.sub("…", text)


def outputs(folder: Path) -> dict[str, str]:
    """Digest of each file in a folder of outputs; files that are still being made (hidden ones) are left out."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(_content(path)).hexdigest()
        for path in files
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def _content(path: Path) -> bytes:
    if path.suffix == ".json":
        return normal(path.read_text()).encode()
    return path.read_bytes()


def state(folder: Path) -> dict[str, str]:
    """Digest of everything in a folder: of a ledger all rows, of other files their bytes."""
    files = outputs(folder)
    files.pop("read.html", None)  # a reader's
    for ledger in folder.glob("*.duckdb"):
        files[ledger.name] = rows_digest(ledger)
        files.pop(f"{ledger.name}.wal", None)
    return files


def rows_digest(ledger: Path) -> str:
    """Digest of every row of every table; what a ledger remembers of files is left out."""
    digest = hashlib.sha256()
    with Ledger.open(ledger, read_only=True) as opened:
        tables = opened.con.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY ALL"
        ).fetchall()
        for schema, table in tables:
            if schema != "source":
                rows = opened.con.execute(f'SELECT * FROM "{schema}"."{table}" ORDER BY ALL').fetchall()
                digest.update(f"{schema}.{table} {rows!r}".encode())
    return digest.hexdigest()


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Names of files that are not the same in both."""
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
