"""Fuzz targets, led by coverage (atheris, on libFuzzer): `python3 dev.py fuzz`.

    python -m fuzz.fuzz [TARGET …] [--seconds N] [--findings FOLDER]

Each target, all if none is named, begins with its kept corpus and goes on for N seconds (60 if left out). Inputs with
which a reader fails come into FOLDER (fuzz-findings if left out). Put them into tests/fuzz/corpus/TARGET once they
are understood: tests/test_trust_fuzz.py replays them. Status 1 if there are any.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from fuzz import TARGET_NAMES, compiled_modules, packages

SLOW_SECONDS: Final = 20
"""An input that takes longer is a fault."""


def main() -> None:
    """One target in this process, several in processes of their own: a fuzzer ends its process."""
    parser = argparse.ArgumentParser(prog="dev.py fuzz", description="Look for inputs that break a reader.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGET_NAMES))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    asked = parser.parse_args()
    if unknown := [name for name in asked.targets if name not in TARGET_NAMES]:
        parser.error(f"no target {unknown[0]}, expected some of {', '.join(TARGET_NAMES)}")
    names = asked.targets or TARGET_NAMES
    if len(names) == 1:
        _fuzz(names[0], asked.seconds, asked.findings)
    options = ["--seconds", str(asked.seconds), "--findings", str(asked.findings)]
    failed = [
        name
        for name in names
        if subprocess.run([sys.executable, "-m", "fuzz.fuzz", name, *options]).returncode
    ]
    if failed:
        sys.exit(f"found something for {', '.join(failed)}: see {asked.findings}")


def _fuzz(name: str, seconds: int, findings: Path) -> None:
    import atheris

    with atheris.instrument_imports(
        include=packages(name), exclude=compiled_modules(), enable_loader_override=False
    ):
        from fuzz.targets import CORPUS, TARGETS, corpus
    target = TARGETS[name]
    for path in corpus(name):  # compiles kernels, which the time of one input does not cover
        target.check(path.read_bytes())
    findings.mkdir(parents=True, exist_ok=True)
    options = (
        f"-max_total_time={seconds}",
        f"-artifact_prefix={findings}/{name}@",
        f"-max_len={target.longest}",
        f"-timeout={SLOW_SECONDS}",
        "-rss_limit_mb=4096",
        "-print_final_stats=1",
        "-verbosity=0",
    )
    scratch = tempfile.mkdtemp(
        prefix=f"fuzz-{name}-"
    )  # for inputs that reach new lines: the corpus stays small
    atheris.Setup([sys.argv[0], *options, scratch, str(CORPUS / name)], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
