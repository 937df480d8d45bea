"""Text that comes in and text that goes out.

Files that people hand in are opened only if they are what they should be: reading one must never hang, or take more
memory than a file of this program's trade needs. What they say is shown in a way that no terminal and no spreadsheet
takes for a command.
"""

import errno
import io
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 1 << 30
"""Bytes of a file that is read row by row, or in a form that is packed."""
MOST_TEXT: Final = 1 << 28
"""Bytes of a file that is read as one text."""
MOST_SHOWN: Final = 80
"""Characters of a cell, a name or a value in a message."""
_NAMES_SHOWN: Final = 8

_UNSAFE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What a terminal obeys, what turns the order of letters around, ends of lines, and halves of characters."""
_FORMULA: Final = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""First characters of what a spreadsheet computes instead of showing it."""
_PLAIN_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

_KINDS: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: str | Path) -> io.BufferedReader:
    """Open a file for reading bytes; anything but a regular file (or a link to one) is refused, without waiting for it.

    Raises OSError whose `strerror` is made for a message: no such file, no right to, a folder, a named pipe, a device.
    """
    name = os.fspath(path)
    try:
        _check_kind(name, Path(name).stat().st_mode)
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError:
        raise OSError(errno.EINVAL, "not a name of a file", name) from None
    try:
        _check_kind(name, os.fstat(descriptor).st_mode)  # it may have been replaced meanwhile
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_text(path: str | Path, most: int = MOST_TEXT) -> str:
    """The text of a regular file in UTF-8, without a byte-order mark.

    Raises OSError whose `strerror` is made for a message, also for more than `most` bytes, and
    BadTextError if it is not UTF-8.
    """
    with open_regular(path) as file:
        check_size(file, most)
        data = file.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadTextError(data.count(b"\n", 0, error.start) + 1) from None


class BadTextError(ValueError):
    """A file is not UTF-8 in `line`."""

    def __init__(self, line: int) -> None:
        super().__init__("not UTF-8")
        self.line: Final = line


def check_size(file: io.BufferedReader, most: int) -> None:
    """Raise OSError whose `strerror` is made for a message if an open file has more than `most` bytes."""
    if os.fstat(file.fileno()).st_size > most:
        raise OSError(errno.EFBIG, f"larger than {most >> 20:,} MiB, the most that is read of such a file")


def one_line(text: object) -> str:
    """The message of an error, or other text, without its line breaks."""
    return " ".join(str(text).split())


def shown(value: object) -> str:
    """A value of somebody else's in a message: in quotes if it is text, and short."""
    if isinstance(value, str | bytes):
        rest = len(value) - MOST_SHOWN
        return f"{value[:MOST_SHOWN]!r}" + (f" and {rest:,} more characters" if rest > 0 else "")
    try:
        text = str(value)
    except (ValueError, RecursionError):
        text = ""
    if isinstance(value, list | dict | tuple) and len(text) > MOST_SHOWN:
        text = ""
    return (text[:MOST_SHOWN] + "…" if len(text) > MOST_SHOWN else text) or f"a {type(value).__name__}"


def listed(names: Iterable[str]) -> str:
    """Names of somebody else's in a message, the first few of them."""
    every = list(names)
    few = ", ".join(shortened(name) for name in every[:_NAMES_SHOWN])
    more = len(every) - _NAMES_SHOWN
    return few + (f" and {more:,} more" if more > 0 else "")


def shortened(text: str, most: int = MOST_SHOWN) -> str:
    """Text of somebody else's in a message, without quotes and short."""
    return text if len(text) <= most else text[:most] + "…"


def escaped(text: str) -> str:
    """Text for one line of a terminal: what would move the cursor or turn letters around is written as an escape."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def escaped_json(text: str) -> str:
    """JSON for a terminal: the same value, with these characters as JSON's own escapes."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def csv_cell(value: object) -> object:
    """A cell of a CSV file: text that a spreadsheet would compute gets an apostrophe before it; numbers stay.

    Control characters are written as in a terminal: Python's csv leaves a carriage return bare, which ends a row.
    """
    if not isinstance(value, str):
        return value
    text = escaped(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _PLAIN_NUMBER.fullmatch(text) else text


def is_utf8(text: str) -> bool:
    """Whether text has a form in UTF-8: names of files may have bytes that have none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_kind(name: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"{kind}, expected a regular file", name)
