"""Decide from a node's files whether something is missing or damaged, or only not written yet.

A node that runs, or that is still catching up, leaves loose ends: blocks without undo data at the end, blocks whose
parent is yet to come. But a block that has undo data was connected by the node, so its parent was there; and undo data
that fit no block belong to one that was. Those are errors, with file and offset.
"""

from collections.abc import Collection, Sequence
from itertools import islice

from reflow.blocks.blkfiles import BlocksFolder, Damage, read_block
from reflow.blocks.headers import Header, HeaderTree
from reflow.blocks.revfiles import UndoRecords, read_rev_file
from reflow.errors import BadBlockError, SourceError

_LOOKED_AT = 100
"""Blocks without a parent that are looked at; one that was connected is enough."""


def check_loose_ends(
    folder: BlocksFolder, tree: HeaderTree, damages: Sequence[Damage], numbers: Collection[int]
) -> str | None:
    """Check what is left over of a scan; gives a warning about blocks that hang in the air, if there are any.

    `numbers` are those of the blk files. Raises BadBlockError if a block that the node connected has no parent in the
    files, or lies on the tip no more; SourceError if there is no genesis, as in a pruned node.
    """
    unconnected = tree.unconnected
    if tree.best is None:
        if damages:
            raise BadBlockError(f"{damages[0].text}; no block before it leads back to genesis")
        raise SourceError(_without_genesis(folder, unconnected, numbers))
    if not (unconnected or damages):
        return None
    for header in unconnected[:_LOOKED_AT]:
        rev = read_rev_file(folder, header.file)
        if rev is not None and rev.records_of(header, set()):
            raise BadBlockError(_missing_parent(folder, header, damages, numbers))
    _check_lost_child(folder, tree.best, damages, numbers)
    if not unconnected:
        return None
    first = unconnected[0]
    return (
        f"{folder.path}: {len(unconnected)} blocks do not connect to the chain, "
        f"the first is {first.hash[::-1].hex()} ({folder.place(first)})"
    )


def check_end(folder: BlocksFolder, chain: Sequence[Header], at: Header, undo: UndoRecords) -> str | None:
    """Check a block of the chain that has no undo data; gives a warning if they are just not written yet.

    None if they have been written meanwhile. Raises BadBlockError if later blocks have some or its rev file is harmed,
    SourceError if the file is gone.
    """
    rev = undo.settle(at)
    if undo.find(at) is not None:
        return None
    path = folder.rev(at.file)
    lacking = f"undo data of block {at.hash[::-1].hex()} at height {at.height}"
    if rev is None and (at.file != folder.blk_numbers()[-1] or at.height == 1):
        raise SourceError(f"{path}: no such file, expected {lacking}")
    if rev is not None and rev.damage:
        raise BadBlockError(f"{rev.damage}; {lacking} are missing")
    if rev is not None and (strays := undo.strays(at.file)):
        raise BadBlockError(
            f"{path}, offset {int(rev.starts[strays[0]])}: undo data or checksum damaged: "
            f"the record fits no block, expected {lacking}"
        )
    above = islice(chain, at.height - chain[0].height + 1, None)
    later = next((header for header in above if undo.find(header) is not None), None)
    if later is not None:
        raise BadBlockError(f"{path}: {lacking} are missing, although block {later.height} has some")
    waiting = chain[-1].height - at.height + 1
    return f"{folder.path}: the node has not connected the last {waiting} blocks yet (height {at.height} on)"


def _missing_parent(
    folder: BlocksFolder, header: Header, damages: Sequence[Damage], numbers: Collection[int]
) -> str:
    damage = next((damage for damage in damages if damage.number <= header.file), None)
    gap = [number for number in range(header.file) if number not in numbers]
    otherwise = f"{folder.blk(gap[-1])}: no such file" if gap else folder.place(header)
    return (
        f"{damage.text if damage else otherwise}; block {header.hash[::-1].hex()} was connected by the node, "
        f"but its parent {header.prev_hash[::-1].hex()} is damaged or missing"
    )


def _check_lost_child(
    folder: BlocksFolder, tip: Header, damages: Sequence[Damage], numbers: Collection[int]
) -> None:
    """Undo data on top of the tip prove that a block there was connected, and lost since."""
    for number in range(tip.file, max(numbers) + 1):
        rev = read_rev_file(folder, number)
        if rev is None:
            continue
        for tx_count in sorted(rev.tx_counts()):
            child = tip._replace(prev_hash=tip.hash, tx_count=tx_count)
            if records := rev.records_of(child, set()):
                where = f"{folder.rev(number)}, offset {int(rev.starts[records[0]])}"
                cause = next((damage.text for damage in damages if damage.number <= number), where)
                raise BadBlockError(
                    f"{cause}; the node connected a block at height {tip.height + 1} "
                    f"({where}) that is damaged or missing"
                )


def _without_genesis(folder: BlocksFolder, unconnected: list[Header], numbers: Collection[int]) -> str:
    if 0 in numbers:
        genesis = folder.network.genesis_hash.hex()
        return f"{folder.blk(0)}, offset 8: the first block is not genesis, expected {genesis}"
    if not unconnected:
        return f"{folder.path}: no block in its blk files"
    stated = (_stated_height(read_block(folder, header)) for header in unconnected[:1000])
    heights = [height for height in stated if height is not None]
    first = (
        f"the first block in the files has height {min(heights)}" if heights else "the first blocks are gone"
    )
    return f"{folder.path}: pruned node: {first}, expected blocks from genesis on"


def _stated_height(block: bytes) -> int | None:
    """The height that a block's coinbase states (BIP 34), or None."""
    start = (
        block.find(b"\xff\xff\xff\xff", 80) + 5
    )  # behind the null outpoint and the length of the scriptSig
    size = block[start] if start < len(block) else 0
    if 0x51 <= size <= 0x60:  # OP_1 to OP_16
        return size - 0x50
    return int.from_bytes(block[start + 1 : start + 1 + size], "little") if 1 <= size <= 4 else None
