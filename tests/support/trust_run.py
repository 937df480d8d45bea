"""The slow run: every crash point, corruptions without end, fuzzing, for as long as one likes; ends with a table.

    python -m support.trust_run [--hours H | --full] [--only crashes|corruptions|fuzz]

`--hours` (0.5 if left out) is divided: a half for crash points, a fifth for corruptions, the rest for fuzzing.
`--full` makes every crash point, 20,000 corruptions and ten minutes of fuzzing of each target. Status 1 if anything
was wrong.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from fuzz import TARGET_NAMES
from support.corruption import Corruptions
from support.crashes import ATTACKS, SCENARIOS, Bench, Point, make_inputs
from support.shim import Lab
from support.surroundings import PYTHONPATH

WORKERS: Final = 2
SEED: Final = 12


class Tally:
    """What was tried, and what was wrong."""

    def __init__(self) -> None:
        self.tried: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def add(self, what: str, wrong: Iterable[str] = (), count: int = 1) -> None:
        """Count something tried, and keep and print what was wrong."""
        with self._lock:
            self.tried[what] = self.tried.get(what, 0) + count
            for text in wrong:
                self.wrong.append(text)
                print("WRONG", " ".join(text.split()), flush=True)


def _until(deadline: float, tasks: Iterable[Callable[[Lab], None]], labs: list[Lab]) -> None:
    """Work through tasks in the labs, side by side, until all are done or time is up."""
    waiting, lock = iter(tasks), threading.Lock()

    def work(lab: Lab) -> None:
        while time.monotonic() < deadline:
            with lock:
                task = next(waiting, None)
            if task is None:
                return
            task(lab)

    with ThreadPoolExecutor(len(labs)) as pool:
        for done in [pool.submit(work, lab) for lab in labs]:
            done.result()


def crashes(tally: Tally, labs: list[Lab], inputs: Path, place: Path, seconds: float) -> None:
    """Crash points of all scenarios and attacks in a fixed order, as many as there is time for."""
    benches = {
        name: Bench(scenario, labs[0], inputs, place / name.replace(" ", "-"))
        for name, scenario in SCENARIOS.items()
    }
    points = [point for bench in benches.values() for attack in ATTACKS for point in bench.points(attack)]
    random.Random(SEED).shuffle(points)
    deadline = time.monotonic() + seconds
    print(f"{len(points):,} crash points in all", flush=True)

    def task(point: Point) -> Callable[[Lab], None]:
        return lambda lab: tally.add(point.attack.name, benches[point.scenario].disturb(point, lab))

    _until(deadline, map(task, points), labs)


def corruptions(tally: Tally, labs: list[Lab], inputs: Path, place: Path, seconds: float, most: int) -> None:
    """Corruptions one after the other."""
    subject = Corruptions(labs[0], inputs, place / "corruptions")
    deadline = time.monotonic() + seconds

    def task(number: int) -> Callable[[Lab], None]:
        return lambda lab: tally.add("corruptions", subject.harm(number, lab))

    _until(deadline, map(task, range(SEED, SEED + most)), labs)


def fuzz(tally: Tally, seconds_each: float, findings: Path) -> None:
    """Every target, two at a time."""

    def run(name: str) -> None:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "fuzz.fuzz",
                name,
                "--seconds",
                str(int(seconds_each)),
                "--findings",
                findings,
            ],
            env=os.environ | {"PYTHONPATH": PYTHONPATH},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        runs = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        wrong = [f"fuzzing {name}: {path}" for path in findings.glob(f"{name}@*")]
        if done.returncode and not wrong:
            wrong = [f"fuzzing {name} ended with {done.returncode}: {done.stderr[-500:]}"]
        tally.add("inputs of the fuzzer", wrong, int(runs[0]) if runs else 0)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(run, TARGET_NAMES))


def main() -> None:
    """Run, and print the table."""
    parser = argparse.ArgumentParser(prog="dev.py trust", description="The slow run of docs/trust.md.")
    parser.add_argument("--hours", type=float, default=0.5)
    parser.add_argument("--full", action="store_true", help="every crash point, without a limit of time")
    parser.add_argument("--only", choices=("crashes", "corruptions", "fuzz"))
    asked = parser.parse_args()
    total = 3600 * asked.hours
    tally, begun = Tally(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="reflow-trust-") as scratch:
        place, inputs = Path(scratch), Path(scratch, "inputs")
        inputs.mkdir()
        if asked.only != "fuzz":
            make_inputs(inputs)
            labs = [Lab(inputs / "blocks") for _ in range(WORKERS)]
            try:
                if asked.only != "corruptions":
                    crashes(tally, labs, inputs, place, float("inf") if asked.full else total / 2)
                if asked.only != "crashes":
                    corruptions(tally, labs, inputs, place, float("inf") if asked.full else total / 5, 20_000)
            finally:
                for lab in labs:
                    lab.close()
        if asked.only in (None, "fuzz"):
            each = 600 if asked.full else 0.3 * total * WORKERS / len(TARGET_NAMES)
            fuzz(tally, each, Path("fuzz-findings").resolve())
            tally.seconds["fuzzing"] = each * len(TARGET_NAMES)
    _print(tally, time.monotonic() - begun)
    sys.exit(1 if tally.wrong else 0)


def _print(tally: Tally, seconds: float) -> None:
    print("\n| what | tried |\n| --- | ---: |")
    for what, count in tally.tried.items():
        print(f"| {what} | {count:,} |")
    for what, spent in tally.seconds.items():
        print(f"| hours of {what} | {spent / 3600:.2f} |")
    loud = [text for text in tally.wrong if "ended with" in text or text.startswith("fuzzing")]
    print(f"| silent differences | {len(tally.wrong) - len(loud)} |")
    print(f"| ended in more than a line | {len(loud)} |")
    print(f"\n{seconds / 60:.0f} minutes on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
