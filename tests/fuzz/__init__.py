"""Coverage-guided fuzzing: `python3 dev.py fuzz`; corpus and findings are replayed by tests/test_trust_fuzz.py."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

_PLAIN: Final = ("support.plain_parser",)
_PACKAGES: Final[dict[str, tuple[str, ...]]] = {
    "block": (*_PLAIN, "reflow.blocks.decode"),
    "undo": (*_PLAIN, "reflow.blocks.decode"),
    "folder": ("reflow.blocks",),
    "script": (*_PLAIN, "reflow.script"),
    "address": ("reflow.script", "embit"),
    "rpc": ("reflow.blocks",),
    "labels": ("reflow.owners", "csv"),
    "tagpack": ("reflow.owners", "yaml"),
    "pools": ("reflow.owners",),
    "methodology": ("reflow.flows", "tomllib"),
    "grid": ("reflow.sweeps", "reflow.flows", "tomllib"),
    "prices": ("reflow.flows",),
    "vendor": ("reflow.vendor", "reflow.series", "json"),
    "vendor-parquet": ("reflow.vendor",),
    "prices-parquet": ("reflow.flows",),
    "results": ("reflow.results", "reflow.series"),
}
TARGET_NAMES: Final = tuple(_PACKAGES)


def packages(name: str) -> list[str]:
    """Modules whose coverage leads the fuzzer of a target; they must not be imported before it begins."""
    return list(_PACKAGES[name])


def compiled_modules() -> list[str]:
    """Modules with kernels: compiled to machine code, which cannot be instrumented."""
    spec = find_spec("reflow")
    assert spec is not None
    assert spec.origin is not None
    engine = Path(spec.origin).parent
    files = (path for path in engine.rglob("*.py") if "numba" in path.read_text(encoding="utf-8"))
    return [".".join(path.relative_to(engine.parent).with_suffix("").parts) for path in files]
