"""The parameters of docs/methodology.md as one value: presets, TOML files, canonical form and digest."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self, get_args

from reflow.clock import Clock as Clock
from reflow.errors import MethodologyError
from reflow.files import bad_name
from reflow.text import BadTextError, read_text, shortened, shown

ClusterRule = Literal["common_input", "labels_only"]
OneHop = Literal["within", "exact"]
Membership = Literal["as_of", "ever"]
ExchangeMiners = Literal["never", "hop0", "always"]
Sender = Literal["any_input", "all_inputs", "pro_rata", "min_net"]
Netting = Literal["net", "gross"]


MOST_TOML: Final = 1 << 20
"""Bytes of a TOML file."""
MOST_OF_LINE: Final = 4096
"""Characters of a line of a TOML file."""
MOST_LEVELS: Final = 64
"""Lists and tables within each other, in a TOML file."""
_TOKEN: Final = re.compile(
    r""""{3}(?:\\[\s\S]|[^\\])*?"{3,5}|'{3}[\s\S]*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|"""
    r"""#[^\n]*|[\n\[\]{}]|[^"'#\n\[\]{}]+|["']"""
)
"""What a TOML file is made of: strings, remarks, ends of lines, brackets, and all else."""


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


class TomlFile(NamedTuple):
    """A TOML file that people write, as it was read."""

    path: Path
    text: str
    content: dict[str, Any]

    def place(self, *keys: str) -> str:
        """`FILE:LINE` of the value that `keys` lead to, which the file has; see `line_of`."""
        return f"{self.path}:{line_of(self.text, *keys)}"


def read_toml(path: Path, *, what: str, missing: str) -> TomlFile:
    """Read the file. Messages call its content `what`, and say `missing` if there is no file.

    Raises MethodologyError naming file and line: no file, unreadable, too large, nested too deeply, not TOML.
    """
    try:
        text = re.sub("\r\n?", "\n", read_text(path, MOST_TOML))
        _check_lines(path, text)
        content = tomllib.loads(text)
        _check_levels(content)
        return TomlFile(path, text, content)
    except FileNotFoundError:
        raise MethodologyError(f"{path}: {missing}") from None
    except OSError as error:
        raise MethodologyError(f"{path}: cannot read {what}: {error.strerror}") from None
    except BadTextError as error:
        raise MethodologyError(f"{path}:{error.line}: not a TOML file, which is UTF-8") from None
    except RecursionError:
        fault = f"more than {MOST_LEVELS} lists and tables within each other"
        raise MethodologyError(f"{path}: {fault}, expected {what}") from None
    except ValueError as error:  # TOMLDecodeError is one, and so is a number with thousands of digits
        raise MethodologyError(_not_toml(path, text, str(error))) from None


def _check_lines(path: Path, text: str) -> None:
    """The parser's time grows with the square of a key's parts, which stand in one line."""
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MOST_OF_LINE:
            fault = f"a line of {len(line):,} characters, expected at most {MOST_OF_LINE:,}"
            raise MethodologyError(f"{path}:{number}: {fault}")


def _check_levels(content: dict[str, Any]) -> None:
    """Raise RecursionError for more than MOST_LEVELS: what has fewer can be shown, and gone through."""
    level: list[Any] = [content]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    if level:
        raise RecursionError


def line_of(text: str, *keys: str) -> int:
    """Number of the line on which the value of a key begins; the key is at top level, or in the tables named first.

    The parser keeps no places, but each statement of a TOML file is TOML by itself, below the table it stands in.
    """
    tables: list[str] = []
    place = 1
    for line, statement in _statements(text):
        place = line
        content = tomllib.loads(statement)
        if statement.startswith("["):
            tables = _path(content)
            content = {}
        for table in reversed(tables):
            content = {table: content}
        if _has(content, keys):
            break
    return place


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """(line that it begins in, text) of each statement of a TOML file: a header of a table, or a key with its value."""
    line, begun, depth, parts = 1, 1, 0, list[str]()
    for token in _TOKEN.findall(text + "\n"):
        if token == "\n" and not depth:
            if statement := "".join(parts).strip():
                yield begun, statement
            parts = []
        elif token[0] != "#":
            if not parts and not token.isspace():
                begun = line
            depth += (token in ("[", "{")) - (token in ("]", "}"))
            if parts or not token.isspace():
                parts.append(token)
        line += token.count("\n")


def _path(content: Any) -> list[str]:
    """The keys of a table's header, outermost first."""
    keys = []
    while content:
        if isinstance(content, list):
            content = content[0]
        else:
            [(key, content)] = content.items()
            keys.append(key)
    return keys


def _has(content: Any, keys: tuple[str, ...]) -> bool:
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True


def _not_toml(path: Path, text: str, message: str) -> str:
    """The parser's message, the line it names put where every other error has it."""
    place = re.search(r" \(at line (\d+), (column \d+)\)$", message)
    if place:
        return f"{path}:{place[1]}: not a TOML file: {message.replace(place[0], f' ({place[2]})')}"
    if message.endswith("(at end of document)"):
        return f"{path}:{len(text.splitlines())}: not a TOML file: {message}"
    return f"{path}: not a TOML file: {message}"


def fault(key: str, value: object) -> str | None:
    """The fault in one parameter, or None."""
    if key not in ALLOWED:
        return f"unknown key {shortened(key)}, expected one of {', '.join(ALLOWED)}"
    if value not in ALLOWED[key]:
        return f"{key} = {shown(value)}, expected one of {', '.join(ALLOWED[key])}"
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
