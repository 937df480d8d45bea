"""What is no file of a node in the place of one: one line at once, and no ledger. A wait ends in TimeoutError."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reflow.blocks.datadir import DatadirSource
from reflow.blocks.rpc import RpcSource
from reflow.errors import SourceError
from support.chains import ingest_folder, write_simulation


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(path.parent)  # the name of a socket may not be long
        listener.bind(path.name)


def make_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


MAKERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "a named pipe, expected a regular file"),
    "socket": (make_socket, "a socket, expected a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "a device, expected a regular file"),
    "folder": (Path.mkdir, "Is a directory"),
    "loop": (lambda path: path.symlink_to(path.name), "symbolic links"),
    "terabyte": (make_sparse, "1099511627776 bytes, expected at most"),
}


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that hangs fails; and it ends in the folder where it began."""

    def give_up(*what: object) -> None:
        raise TimeoutError(f"still waiting: {what}")

    monkeypatch.chdir(Path.cwd())
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("name", ["blk00000.dat", "blk00001.dat", "rev00000.dat", "xor.dat"])
def test_an_odd_file_among_a_nodes_files(tmp_path: Path, name: str, kind: str) -> None:
    make, reason = MAKERS[kind]
    folder = write_simulation(tmp_path / "blocks", 5, max_file_size=1200)
    (folder / name).unlink(missing_ok=True)
    make(folder / name)
    if name == "xor.dat" and kind == "terabyte":
        reason = "key of 1099511627776 bytes, expected 8"
    elif name == "blk00000.dat" and kind == "terabyte":
        reason = "magic 00000000"
    with pytest.raises(SourceError) as caught:
        ingest_folder(tmp_path / "ledger", folder)
    message = str(caught.value)
    assert message.startswith(str(folder / name))
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize("kind", MAKERS)
def test_an_odd_file_as_the_cookie(tmp_path: Path, kind: str) -> None:
    make, reason = MAKERS[kind]
    make(tmp_path / "cookie")
    if kind == "terabyte":
        reason = "not a cookie file: expected user:password"
    with pytest.raises(SourceError, match=reason) as caught:
        RpcSource("http://127.0.0.1:1", cookie=tmp_path / "cookie")
    assert str(caught.value).startswith(str(tmp_path / "cookie"))


@pytest.mark.parametrize("kind", MAKERS)
def test_an_odd_file_as_the_data_directory(tmp_path: Path, kind: str) -> None:
    MAKERS[kind][0](tmp_path / "odd")
    with pytest.raises(SourceError, match=r"not a folder|no such folder|no blk files"):
        DatadirSource(tmp_path / "odd")


@pytest.mark.parametrize("name", ["blk9999999999.dat", "blk1000000.dat"])
def test_a_blk_file_with_too_high_a_number(tmp_path: Path, name: str) -> None:
    folder = write_simulation(tmp_path / "blocks", 5)
    (folder / name).write_bytes(b"")
    with pytest.raises(SourceError, match=f"{name}: number .* expected at most 999999"):
        ingest_folder(tmp_path / "ledger", folder)


@pytest.mark.parametrize("name", ["blk000001.dat", "blk0000٣.dat", "blk00001.dat.part", "blk1.dat"])
def test_a_name_that_no_node_gives_is_none_of_its_files(tmp_path: Path, name: str) -> None:
    folder = write_simulation(tmp_path / "blocks", 5)
    os.mkfifo(folder / name)
    assert ingest_folder(tmp_path / "ledger", folder).height == 5


def test_a_gap_in_high_numbers_is_no_long_search(tmp_path: Path) -> None:
    folder = write_simulation(tmp_path / "blocks", 5)
    (folder / "blk00000.dat").rename(folder / "blk999999.dat")
    (folder / "rev00000.dat").rename(folder / "rev999999.dat")
    assert ingest_folder(tmp_path / "ledger", folder).height == 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read_it(tmp_path: Path) -> None:
    folder = write_simulation(tmp_path / "blocks", 5)
    (folder / "rev00000.dat").chmod(0)
    with pytest.raises(SourceError, match=r"rev00000.dat: cannot read: Permission denied"):
        ingest_folder(tmp_path / "ledger", folder)
