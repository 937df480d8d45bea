"""What work takes beside its database: the package's files, memory, threads, and disk for arrays.

The files that travel with the package are SQL in queries/, label facts in labels/, grids for sweeps in grids/. In an
installed wheel they lie inside the package; in a checkout they lie beside the source root, where people read and edit
them.
"""

import mmap
import os
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from reflow.errors import OutputError

Item = TypeVar("Item")
Result = TypeVar("Result")

_PACKAGE = Path(__file__).resolve().parents[1]


def folder(name: str) -> Path:
    """The folder `name` (`queries`, `labels` or `grids`), of the wheel or of the checkout."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parents[1] / name


@cache
def query_files() -> dict[str, Path]:
    """Name of each query to its file; a folder of queries/ has those of one room, and no name is there twice."""
    files = sorted(folder("queries").rglob("*.sql"))
    return {file.stem: file for file in files}


@cache
def query(name: str) -> str:
    """The SQL text of the query `name`; its header comment is the contract for parameters, columns and units."""
    return query_files()[name].read_text(encoding="utf-8")


def database_bytes(total: int, others: int) -> int:
    """The database's part of what a whole process may take: what `others` leave, but a quarter at least."""
    return max(total - others, total // 4)


def bytes_for_arrays(database: int) -> int:
    """Of the database's part, what arrays take while they are needed."""
    return database // 2


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int, most: int | None = None
) -> Generator[Result, None, None]:
    """`work(item)` of each item, in their order, from `workers` threads.

    Unlike `Executor.map` it takes the next item only when a result is taken, so that memory is that of `most` items or
    results, twice as many as there are workers if left out. The first exception ends it, as does leaving it early
    (with `contextlib.closing`, else when it is collected); work under way is awaited.
    """
    limit = 2 * workers if most is None else most
    pool, under_way = ThreadPoolExecutor(workers), deque[Future[Result]]()
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) >= limit:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class Arrays:
    """Makes arrays, all in memory or, where `folder` is given, all in files of that folder, which the kernel pages in.

    The files have no name and are gone with the process, however it ends.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._mapped: list[np.memmap[Any, Any]] = []

    def make(self, size: int, dtype: str) -> NDArray[Any]:
        """An array of zeros. Raises OutputError if the file cannot be made as large as that."""
        if self._folder is None:
            return np.zeros(size, dtype)
        try:
            with tempfile.TemporaryFile(dir=self._folder) as file:
                # A full disk is an error here, while writing to mapped memory it would be the end of the process.
                os.posix_fallocate(file.fileno(), 0, max(size, 1) * np.dtype(dtype).itemsize)
                mapped = np.memmap(file, dtype, "r+", shape=max(size, 1))
        except OSError as error:
            raise OutputError(f"{self._folder}: no room for temporary files: {error.strerror}") from None
        self._mapped.append(mapped)
        return mapped[:size]

    def release(self) -> None:
        """Give back the memory that reading or writing the files has taken; what is in them stays."""
        for mapped in self._mapped:
            mapped._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]  # numpy has no name for it
