"""Bytes of a ledger, of results and of a node's files turned over: readers must notice, or say the same as ever."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from support.crashes import SCENARIOS, normal, rows_digest
from support.shim import Called, Lab

_RECOMPUTE: Final = SCENARIOS["recompute"].args
_CHECK: Final = SCENARIOS["crosscheck"].args
_INGEST: Final = SCENARIOS["ingest of more"].args


class Subject(NamedTuple):
    """A file that is harmed, and who reads it; `results` are what must then be as ever."""

    pattern: str
    readers: tuple[tuple[str, ...], ...]
    results: tuple[str, ...] = ()


SUBJECTS: Final = (
    Subject("ledger.duckdb", (("verify", "ledger.duckdb"), _RECOMPUTE), ("out/metrics.csv", "out/metrics.parquet")),
    Subject("out/metrics.csv", (_CHECK,), ("out/crosscheck.csv",)),
    Subject("out/run.json", (_CHECK,), ("out/crosscheck.csv",)),
    Subject("blocks/*.dat", (("ingest", "new.duckdb", "--datadir", "blocks"),), ("new.duckdb",)),
)  # fmt: skip


class Corruptions:
    """A folder with a ledger and results, harmed again and again."""

    def __init__(self, lab: Lab, inputs: Path, place: Path) -> None:
        self._base, self._place = place / "base", place
        shutil.copytree(inputs, self._base)
        for call in (_INGEST, _RECOMPUTE, _CHECK):
            done = lab.call(call, self._base)
            assert not done.crashed, done
        whole = place / "whole"
        self._usual: dict[tuple[str, ...], Called] = {}
        self._results: dict[str, bytes] = {}
        for subject in SUBJECTS:
            shutil.copytree(self._base, whole)
            for reader in subject.readers:
                self._usual[reader] = lab.call(reader, whole)
            self._results |= {name: _bytes(whole / name) for name in subject.results}
            shutil.rmtree(whole)

    def harm(self, number: int, lab: Lab) -> list[str]:
        """Harm one file in one way, both chosen by `number`; says what is wrong then."""
        chance = random.Random(number)
        subject = SUBJECTS[number % len(SUBJECTS)]
        folder = self._place / f"run{number}"
        shutil.copytree(self._base, folder)
        path = chance.choice(sorted(folder.glob(subject.pattern)))
        how = _harm(path, chance)
        wrong = [
            f"{path.relative_to(folder)} ({how}, {number}): {text}"
            for text in self._judge(subject, folder, lab)
        ]
        shutil.rmtree(folder)
        return wrong

    def _judge(self, subject: Subject, folder: Path, lab: Lab) -> Iterator[str]:
        for reader in subject.readers:
            heard, usual = lab.call(reader, folder), self._usual[reader]
            if heard.crashed:
                yield f"{reader[0]} ended with {heard.status}: {heard.err[-300:]}"
            elif reader[0] == "verify" and heard.status == 1 and heard.err:
                continue
            elif not heard.refused:
                if (heard.status, normal(heard.out)) != (usual.status, normal(usual.out)):
                    yield f"{reader[0]} said something else, with status {heard.status}: {heard.out[-300:]}"
                elif reader[0] != "verify":
                    differ = [
                        name for name in subject.results if _bytes(folder / name) != self._results[name]
                    ]
                    if differ:
                        yield f"{reader[0]} noticed nothing, and made another {', '.join(differ)}"


def _bytes(path: Path) -> bytes:
    return rows_digest(path).encode() if path.suffix == ".duckdb" else path.read_bytes()


def _harm(path: Path, chance: random.Random) -> str:
    data = bytearray(path.read_bytes())
    at = chance.randrange(len(data))
    kind = chance.choice(["a bit", "a bit", "a byte", "a sector of zeros", "cut", "a sector twice"])
    if kind == "a bit":
        data[at] ^= 1 << chance.randrange(8)
    elif kind == "a byte":
        data[at] = chance.randrange(256)
    elif kind == "a sector of zeros":
        data[at : at + 512] = bytes(len(data[at : at + 512]))
    elif kind == "cut":
        del data[at:]
    else:
        data[at : at + 512] = data[:512][: len(data[at : at + 512])]
    path.write_bytes(data)
    return f"{kind} at {at}"
