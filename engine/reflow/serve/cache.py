"""A small memory of answers: bounded in bytes, each good for as long as the recomputation it was read from is current.

Figures always come from the files through SQL; what is kept is the finished answer to a request, byte for byte.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, NamedTuple

MOST_BYTES: Final = 64 << 20
"""Of all answers together."""
LARGEST: Final = 1 << 20
"""Of one answer; longer ones are streamed and not kept."""


class Kept(NamedTuple):
    """An answer as it was sent."""

    methodology: str | None
    """As it was asked for; None for the default one."""
    name: str
    """Of the recomputation it was read from."""
    id: str
    """Of that recomputation."""
    headers: list[tuple[bytes, bytes]]
    """As ASGI has them."""
    body: bytes


class Cache:
    """The answers used last; for one thread."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._size = most_bytes, 0
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()

    def get(self, key: Hashable) -> Kept | None:
        """What was kept under the key."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Hashable, kept: Kept) -> None:
        """Keep an answer, and drop those that were not used for longest."""
        self.drop(key)
        self._kept[key] = kept
        self._size += len(kept.body)
        while self._size > self._most:
            self.drop(next(iter(self._kept)))

    def drop(self, key: Hashable) -> None:
        """Forget an answer."""
        gone = self._kept.pop(key, None)
        self._size -= len(gone.body) if gone else 0
