"""Markdown tables of what was measured, and where the README has them."""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table; all columns but the `left` first are flush right, as numbers are read."""
    head = ["|" + " --- |" * left + " ---: |" * (len(columns) - left)]
    return "\n".join([_line(columns), *head, *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def machine() -> str:
    """What the figures were measured on and when, without the machine's name."""
    facts = dict(
        line.split(":", 1)
        for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
        if ":" in line
    )
    known = {key.strip(): value.strip() for key, value in facts.items()}
    flags = known.get("flags", known.get("Features", "")).split()
    told = [name if name in flags else f"no {name}" for name in ("sha_ni", "avx2", "avx512f")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({known.get('model name', 'unknown')}; {', '.join(told)}), {memory:.0f} GiB, "
        f"{datetime.now(UTC).date()}; load average {os.getloadavg()[0]:.1f} when it began."
    )


def gib(byte_count: int) -> str:
    """Bytes as GiB for a table."""
    return f"{byte_count / 2**30:.2f} GiB"


def check(page: Path, name: str) -> None:
    """ValueError unless the page has the two marks between which `put` writes."""
    if not _parts(page, name):
        raise ValueError(f"{page}: expected <!-- {name}:begin --> and <!-- {name}:end -->")


def put(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->` in a page; ValueError without them."""
    check(page, name)
    before, after = _parts(page, name)
    page.write_text(f"{before}\n{text}\n{after}", encoding="utf-8")


def _parts(page: Path, name: str) -> tuple[str, ...]:
    """What stands up to the first mark and from the second on; nothing if they are not there."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(f"<!-- {name}:begin -->")
    _, end, after = rest.partition(f"<!-- {name}:end -->")
    return (before + begin, end + after) if begin and end else ()
