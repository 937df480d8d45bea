"""What a node does with blocks that arrive, as its files show it: store all, connect the chain with most work."""

from pathlib import Path

from reflow.network import REGTEST
from reflow.simulate.blockfiles import BlockFileWriter
from reflow.simulate.chain import Block, Chain, Payee, genesis


def branch(trunk: list[Block], height: int, length: int, tag: bytes = b"/branch/") -> list[Block]:
    """A chain of `trunk` up to `height`, and `length` other, empty blocks on top."""
    chain = Chain()
    chain.blocks.extend(trunk[1 : height + 1])
    for n in range(length):
        chain.mine(0, [Payee(b"\x51" + bytes([0x51 + n % 16]), 1)], tag, [])
    return chain.blocks


class ModelNode:
    """A node's blocks folder that grows; all blocks have the same bits, so height is work."""

    def __init__(self, folder: Path, **how: object) -> None:
        self.folder = folder
        self._files = BlockFileWriter(folder, REGTEST.magic, preallocate=False, **how)  # type: ignore[arg-type]
        self._blocks: dict[bytes, Block] = {}
        self._file_of: dict[bytes, int] = {}
        self._linked: list[Block] = []
        """Blocks with a whole chain below them, in the order in which that came true."""
        self._connected: set[bytes] = set()
        self.rejected: set[bytes] = set()
        """Hashes of blocks that fail when they are to be connected."""
        self.receive(genesis())

    @property
    def tip(self) -> Block:
        """The tip of the chain that the node follows."""
        return max(
            (block for block in self._linked if block.hash in self._connected),
            key=lambda block: (block.height, -self._linked.index(block)),
        )

    def receive(self, *blocks: Block) -> None:
        """Store blocks, and connect what makes the chain with most work."""
        for block in blocks:
            if block.hash not in self._blocks:
                self._blocks[block.hash] = block
                self._file_of[block.hash] = self._files.add_block(block.raw)
                self._link(block)
                self._activate()

    def _link(self, block: Block) -> None:
        known = {block.hash for block in self._linked}
        if block.height and block.prev_hash not in known:
            return
        self._linked.append(block)
        for child in [child for child in self._blocks.values() if child.prev_hash == block.hash]:
            self._link(child)

    def _activate(self) -> None:
        for tip in sorted(self._linked, key=lambda block: -block.height):  # stable: the first linked first
            path = [tip]
            while path[-1].height and path[-1].hash not in self._connected:
                path.append(self._blocks[path[-1].prev_hash])
            for block in reversed(path):
                if block.hash in self.rejected:
                    break
                self.connect(block)
            else:
                return

    def connect(self, block: Block) -> None:
        """Write a block's undo data, once."""
        if block.hash not in self._connected:
            self._connected.add(block.hash)
            if block.height:
                self._files.add_undo(self._file_of[block.hash], block.prev_hash, block.undo or b"\0")
