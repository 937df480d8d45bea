"""The headers found in a node's files, and the chains that they make, by accumulated work.

Headers are kept in the order in which they lie in the files, which is the order in which the node received them.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reflow.network import Network, work_of


class Header(NamedTuple):
    """One block that was found in a blk file."""

    hash: bytes
    """In the byte order of the wire, like prev_hash."""
    prev_hash: bytes
    bits: int
    tx_count: int
    """Transactions, coinbase included, as its CompactSize says."""
    file: int
    """Number of the blk file, and of the rev file that may hold its undo data."""
    offset: int
    """Position of the block in the blk file, behind magic and size."""
    size: int
    """Serialized bytes."""
    height: int = -1
    """Height, or -1 while no chain of known headers leads to genesis."""
    work: int = 0
    """Work of the chain up to and including this block, 0 while the height is unknown."""


def _rank(header: Header) -> tuple[int, int, int]:
    """Lower is better: most work, then first in the files."""
    return -header.work, header.file, header.offset


class HeaderTree:
    """Known headers by hash, with heights and accumulated work as soon as a chain leads back to genesis."""

    def __init__(self, network: Network, known: Iterable[Header] = ()) -> None:
        self._genesis = network.genesis_hash[::-1]
        self._by_hash: dict[bytes, Header] = {}
        self._waiting: dict[bytes, list[bytes]] = {}
        self._children: dict[bytes, bytes] = {}
        self._siblings: dict[bytes, list[bytes]] = {}
        self._best: Header | None = None
        for header in known:
            self._remember(header)
            if header.height >= 0:
                self._improve(header)
            else:
                self._waiting.setdefault(header.prev_hash, []).append(header.hash)

    def __len__(self) -> int:
        return len(self._by_hash)

    def __iter__(self) -> Iterator[Header]:
        return iter(self._by_hash.values())

    def __contains__(self, block_hash: bytes) -> bool:
        return block_hash in self._by_hash

    def get(self, block_hash: bytes) -> Header | None:
        """The header with this hash, or None."""
        return self._by_hash.get(block_hash)

    @property
    def best(self) -> Header | None:
        """Tip of the chain with most work; of several with equal work the one that lies first in the files."""
        return self._best

    @property
    def unconnected(self) -> list[Header]:
        """Headers whose chain does not lead back to genesis, in the order of the files."""
        return sorted(
            (h for hashes in self._waiting.values() for h in self._descend(hashes)),
            key=lambda h: (h.file, h.offset),
        )

    def add(self, header: Header) -> None:
        """Take in a header found in the files; the first copy of a block counts."""
        if header.hash in self._by_hash:
            return
        self._remember(header)
        parent = self._by_hash.get(header.prev_hash)
        if header.hash != self._genesis and (parent is None or parent.height < 0):
            self._waiting.setdefault(header.prev_hash, []).append(header.hash)
            return
        connected = [header.hash]
        while connected:
            block_hash = connected.pop()
            self._connect(block_hash)
            connected.extend(self._waiting.pop(block_hash, ()))

    def heaviest_first(self) -> Iterator[Header]:
        """Headers with a known height, most work first; of equal work the one that lies first in the files."""
        if self._best is None:
            return
        yield self._best  # nearly always all that is asked for
        yield from sorted((h for h in self if h.height >= 0 and h is not self._best), key=_rank)

    def children(self, block_hash: bytes) -> list[Header]:
        """The known blocks on top of a block, in the order in which they were added."""
        first = self._children.get(block_hash)
        hashes = self._siblings.get(block_hash, () if first is None else (first,))
        # A damaged ledger may remember a block as its own parent: heights rise, or the walk ends.
        known = self._by_hash.get(block_hash)
        height = -1 if known is None else known.height
        found = [self._by_hash[child] for child in hashes if child != block_hash]
        return [child for child in found if height < 0 or child.height == height + 1]

    def above(self, header: Header) -> list[Header]:
        """All known blocks whose chain goes through this one, lowest first."""
        blocks = self.children(header.hash)
        for block in blocks:  # it grows meanwhile
            blocks.extend(self.children(block.hash))
        return blocks

    def chain(self, tip: Header, above: int) -> list[Header]:
        """The chain that ends in `tip`, from height above + 1 on, lowest first; as far down as headers are known."""
        chain = []
        header: Header | None = tip
        while header is not None and header.height > above:
            chain.append(header)
            parent = self._by_hash.get(header.prev_hash)
            header = parent if parent is not None and parent.height == header.height - 1 else None
        chain.reverse()
        return chain

    def _remember(self, header: Header) -> None:
        self._by_hash[header.hash] = header
        first = self._children.setdefault(header.prev_hash, header.hash)
        if first != header.hash:
            self._siblings.setdefault(header.prev_hash, [first]).append(header.hash)

    def _connect(self, block_hash: bytes) -> None:
        header = self._by_hash[block_hash]
        parent = self._by_hash.get(header.prev_hash)
        height, work = (0, 0) if parent is None else (parent.height + 1, parent.work)
        header = header._replace(height=height, work=work + work_of(header.bits))
        self._by_hash[block_hash] = header
        self._improve(header)

    def _improve(self, header: Header) -> None:
        if self._best is None or _rank(header) < _rank(self._best):
            self._best = header

    def _descend(self, hashes: list[bytes]) -> Iterable[Header]:
        return (self._by_hash[block_hash] for block_hash in hashes)
