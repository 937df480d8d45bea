"""The headers found in a node's files, and the chains that they make, by accumulated work.

Headers are kept in the order in which they lie in the files, which is the order in which the node received them.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from reflow.network import Network


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


@lru_cache(maxsize=4096)
def target_of(bits: int) -> int:
    """The target that a header's hash, read as a little-endian number, may not exceed; 0 if `bits` is invalid."""
    exponent, mantissa = bits >> 24, bits & 0x7FFFFF
    if bits & 0x800000 or not mantissa:
        return 0
    target = mantissa << 8 * (exponent - 3) if exponent > 3 else mantissa >> 8 * (3 - exponent)
    return target if target < 1 << 256 else 0


@lru_cache(maxsize=4096)
def work_of(bits: int) -> int:
    """Expected number of hashes for a header with these bits (Bitcoin Core `GetBlockProof`)."""
    return (1 << 256) // (target_of(bits) + 1)


def bits_of(target: int) -> int:
    """The compact form of a target, its lowest bits cut off (Bitcoin Core `GetCompact`)."""
    size = (target.bit_length() + 7) // 8
    mantissa = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
    if mantissa & 0x800000:  # that bit is the sign
        mantissa, size = mantissa >> 8, size + 1
    return mantissa | size << 24


def bits_fault(bits: int, network: Network) -> str | None:
    """What is wrong with a header's `bits`, or None: a target above 0 and within the network's limit is right."""
    if 0 < target_of(bits) <= target_of(network.pow_limit):
        return None
    return f"bits {bits:08x}, expected a target above 0 and at most that of {network.pow_limit:08x}"


PERIOD: Final = 2016
"""Blocks with the same `bits`, where these follow from header times."""


def retarget(bits: int, seconds: int, network: Network) -> int:
    """The `bits` of a period, from those of the one before and the time between that one's first and last header.

    Source: Bitcoin Core `CalculateNextWorkRequired`.
    """
    fortnight = 14 * 86_400
    target = target_of(bits) * min(max(seconds, fortnight // 4), 4 * fortnight) // fortnight
    return bits_of(min(target, target_of(network.pow_limit)))


def median_time(times: Sequence[int]) -> int:
    """The median of up to eleven header times: of n sorted ones that with the index n // 2."""
    return sorted(times)[len(times) // 2]


def time_fault(time: int, before: Sequence[int]) -> str | None:
    """What is wrong with a header's time, or None: it has to be above the median of the up to eleven `before`."""
    median = median_time(before)
    return None if time > median else f"header time {time}, expected more than {median}, the median before it"


def meets_target(block_hash: bytes, bits: int) -> bool:
    """Whether a header hash (byte order of the wire) satisfies its own bits."""
    return int.from_bytes(block_hash, "little") <= target_of(bits)


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
        return [self._by_hash[child] for child in hashes]

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
            header = self._by_hash.get(header.prev_hash)
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
