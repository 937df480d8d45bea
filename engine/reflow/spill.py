"""Arrays that may be larger than memory: in memory if they fit, else in an unnamed file that the kernel pages in."""

import mmap
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Arrays:
    """Makes arrays, all in memory or, where `folder` is given, all in files of that folder.

    The files have no name and are gone with the process, however it ends.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._mapped: list[np.memmap[Any, Any]] = []

    def make(self, size: int, dtype: str) -> NDArray[Any]:
        """An array of zeros. In a file only what is written takes room, so `size` may be an upper bound."""
        if self._folder is None:
            return np.zeros(size, dtype)
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._folder) as file:
            mapped = np.memmap(file, dtype, "w+", shape=max(size, 1))
        self._mapped.append(mapped)
        return mapped[:size]

    def release(self) -> None:
        """Give back the memory that reading or writing the files has taken; what is in them stays."""
        for mapped in self._mapped:
            mapped._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]  # numpy has no name for it
