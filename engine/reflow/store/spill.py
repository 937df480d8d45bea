"""Arrays that may be larger than memory: in memory if they fit, else in an unnamed file that the kernel pages in."""

import mmap
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reflow.errors import OutputError


class Arrays:
    """Makes arrays, all in memory or, where `folder` is given, all in files of that folder.

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
