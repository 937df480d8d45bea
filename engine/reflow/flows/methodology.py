"""The parameters of docs/methodology.md as one value: presets, TOML files, canonical form and digest."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

from reflow.clock import Clock as Clock
from reflow.errors import MethodologyError
from reflow.files import bad_name
from reflow.flows.toml_file import read_toml

ClusterRule = Literal["common_input", "labels_only"]
OneHop = Literal["within", "exact"]
Membership = Literal["as_of", "ever"]
ExchangeMiners = Literal["never", "hop0", "always"]
Sender = Literal["any_input", "all_inputs", "pro_rata", "min_net"]
Netting = Literal["net", "gross"]


@dataclass(frozen=True, slots=True)
class Methodology:
    """One choice for every parameter; the defaults are the `reference` preset (methodology 8).

    Raises MethodologyError when a value is not among the allowed ones.
    """

    clock: Clock = "mediantime"
    """Which time of a block decides its day (methodology 1)."""
    clusters: ClusterRule = "common_input"
    """Whether labelled accounts are closed under common inputs (methodology 3)."""
    one_hop: OneHop = "within"
    """Whether 1-hop means M0 and M1 together, or M1 without M0 (methodology 3)."""
    membership: Membership = "as_of"
    """Whether an account is a mining member from the transaction that makes it one, or always (methodology 3)."""
    exchange_accounts_as_miners: ExchangeMiners = "never"
    """In which mining entities an exchange's account may be (methodology 3, 9.7)."""
    sender: Sender = "any_input"
    """Who sent a transaction, and how much of it (methodology 4 and 5, 9.1)."""
    netting: Netting = "net"
    """Whether money that a receiver also put in is taken off what it got (methodology 5, 9.2)."""

    def __post_init__(self) -> None:
        for key, value in asdict(self).items():
            if found := fault(key, value):
                raise MethodologyError(f"methodology: {found}")

    @property
    def closure(self) -> bool:
        """Whether labelled accounts are closed under common inputs."""
        return self.clusters == "common_input"

    def canonical(self) -> str:
        """The parameters as TOML, one line each in the order above: equal methodologies have equal text."""
        return "".join(f'{key} = "{value}"\n' for key, value in self.parameters().items())

    def parameters(self) -> dict[str, str]:
        """Parameter name to value, in the order above."""
        return asdict(self)

    def digest(self) -> str:
        """SHA-256 (hex) of the canonical form."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def name(self) -> str:
        """The preset that has these parameters, or `custom`."""
        return next((name for name, preset in PRESETS.items() if preset == self), "custom")

    @classmethod
    def read(cls, source: str | Path) -> Self:
        """The preset of that name, or the TOML file at that path; keys left out have their default.

        Raises MethodologyError, naming file and line: neither a preset nor a file, not TOML, an unknown key,
        a value that is not allowed (with those that are).
        """
        if str(source) in PRESETS:
            return replace(cls(), **asdict(PRESETS[str(source)]))
        return cls(**_read_toml(Path(source)))


def read_all(sources: Sequence[str]) -> dict[str, Methodology]:
    """Methodologies by name: that of the preset, or of the file without `.toml`.

    Raises MethodologyError as `Methodology.read` does, if two have the same name, and if one of several has a name that
    cannot be a folder's.
    """
    found: dict[str, Methodology] = {}
    for source in sources:
        name = source if source in PRESETS else Path(source).stem
        if len(sources) > 1 and (reason := bad_name(name)):
            raise MethodologyError(
                f"{source}: cannot have a folder called {name!r} for its results, {reason}"
            )
        if name in found:
            raise MethodologyError(f"{source}: another methodology is called {name} too; names must differ")
        found[name] = Methodology.read(source)
    return found


def _read_toml(path: Path) -> dict[str, Any]:
    missing = f"neither a preset ({', '.join(PRESETS)}) nor a file"
    file = read_toml(path, what="the methodology", missing=missing)
    for key, value in file.content.items():
        if found := fault(key, value):
            raise MethodologyError(f"{file.place(key)}: {found}")
    return file.content


def fault(key: str, value: object) -> str | None:
    """The fault in one parameter, or None."""
    if key not in ALLOWED:
        return f"unknown key {key}, expected one of {', '.join(ALLOWED)}"
    if value not in ALLOWED[key]:
        return f"{key} = {value!r}, expected one of {', '.join(ALLOWED[key])}"
    return None


ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    field.name: get_args(field.type) for field in fields(Methodology)
}
"""Parameter name to its allowed values, the default first."""

REFERENCE: Final = Methodology()
"""Every default of docs/methodology.md."""

PRESETS: Final[dict[str, Methodology]] = {
    "reference": REFERENCE,
    "vendor_pools": Methodology(exchange_accounts_as_miners="hop0"),
    "labels_only": Methodology(clusters="labels_only"),
    "strict": Methodology(sender="all_inputs"),
    "proportional": Methodology(sender="pro_rata"),
}
"""Named methodologies (methodology 8); docs/methodology.md gives a reason for each."""

PURPOSES: Final[dict[str, str]] = {
    "reference": "Every default.",
    "vendor_pools": "Exchanges that mine are miners too: their payouts mix with withdrawals, as the vendor's may.",
    "labels_only": "Nothing inferred about ownership: what is published never changes.",
    "strict": "Only what miners alone signed for counts as sent by them: a lower bound.",
    "proportional": "Every owner of an input sent its share of the transaction: nobody speaks for other inputs.",
}
"""Preset to what it is for, in a line."""
