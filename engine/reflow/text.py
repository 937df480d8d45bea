"""Files that people hand in, opened only if they are what they should be: reading one must never hang."""

import errno
import io
import os
import stat
from pathlib import Path
from typing import Final

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


def _check_kind(name: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"{kind}, expected a regular file", name)
