"""Opening what people hand in: regular files only, and never a wait."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from reflow.text import open_regular


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


ODD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "a named pipe, expected a regular file"),
    "socket": (make_socket, "a socket, expected a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "a device, expected a regular file"),
    "folder": (Path.mkdir, "Is a directory"),
    "loop": (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    "missing": (lambda path: None, "No such file or directory"),
    "link to nothing": (lambda path: path.symlink_to(path.parent / "nothing"), "No such file or directory"),
}


@pytest.mark.parametrize("kind", ODD_FILES)
def test_what_is_no_regular_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    make, reason = ODD_FILES[kind]
    path = tmp_path / "odd"
    make(path)
    with pytest.raises(OSError, match=reason) as caught:
        open_regular(path)
    assert (caught.value.strerror, caught.value.filename) == (reason, str(path))


def test_a_name_with_a_null_byte_is_an_error_like_any_other() -> None:
    with pytest.raises(OSError, match="not a name of a file"):
        open_regular("a\0b")


def test_a_regular_file_is_read_through_a_link_too(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("plain")
    for name in ("plain", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"abc"
