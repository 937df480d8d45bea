"""TOML files that people write: their content, and the line of a fault."""

import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from reflow.errors import MethodologyError


class TomlFile(NamedTuple):
    """A file as it was read."""

    path: Path
    text: str
    content: dict[str, Any]

    def place(self, *keys: str) -> str:
        """`FILE:LINE` of the value that `keys` lead to, which the file has; see `line_of`."""
        return f"{self.path}:{line_of(self.text, *keys)}"


def read_toml(path: Path, *, what: str, missing: str) -> TomlFile:
    """Read the file. Messages call its content `what`, and say `missing` if there is no file.

    Raises MethodologyError naming file and line: no file, unreadable, not TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return TomlFile(path, text, tomllib.loads(text))
    except FileNotFoundError:
        raise MethodologyError(f"{path}: {missing}") from None
    except OSError as error:
        raise MethodologyError(f"{path}: cannot read {what}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise MethodologyError(f"{path}: not a TOML file, which is UTF-8: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise MethodologyError(_not_toml(path, text, str(error))) from None


def line_of(text: str, *keys: str) -> int:
    """Number of the line on which the value of a key begins; the key is at top level, or in the tables named first.

    The parser keeps no places, but lines from the first on are TOML themselves unless they end within a
    value.
    """
    lines = text.split("\n")
    whole = 0
    for end in range(1, len(lines) + 1):
        try:
            found = tomllib.loads("\n".join(lines[:end]) + "\n")
        except tomllib.TOMLDecodeError:
            continue
        if _has(found, keys):
            break
        whole = end
    return whole + 1


def _has(content: Any, keys: tuple[str, ...]) -> bool:
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True


def _not_toml(path: Path, text: str, message: str) -> str:
    """The parser's message, the line it names put where every other error has it."""
    place = re.search(r" \(at line (\d+), (column \d+)\)$", message)
    line = place[1] if place else len(text.splitlines())
    return f"{path}:{line}: not a TOML file: " + (
        message.replace(place[0], f" ({place[2]})") if place else message
    )
