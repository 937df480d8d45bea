"""Decide from a node's files whether something is missing or damaged, or only not written yet.

A node that runs, or that is still catching up, leaves loose ends: blocks without undo data, blocks whose parent is yet
to come. But a block that has undo data was connected by the node, so its parent was there; and undo data that fit no
block belong to one that was. Those are errors, with file and offset.
"""

from collections.abc import Collection, Iterable, Sequence

from reflow.blocks.blkfiles import BlocksFolder, Damage, read_block
from reflow.blocks.headers import Header, HeaderTree
from reflow.blocks.revfiles import RevFile, UndoRecords, read_rev_file
from reflow.errors import BadBlockError, ReflowError, SourceError

_LOOKED_AT = 100
"""Blocks without a parent that are looked at; one that was connected is enough."""


def find_genesis_fault(
    folder: BlocksFolder, tree: HeaderTree, damages: Sequence[Damage], numbers: Collection[int]
) -> ReflowError | None:
    """What is wrong with files whose blocks do not begin with genesis, as a pruned node's; None if they do.

    `numbers` are those of the blk files.
    """
    if tree.best is not None:
        return None
    if damages:
        return BadBlockError(f"{damages[0].text}; no block before it leads back to genesis")
    return SourceError(_without_genesis(folder, tree.unconnected, numbers))


def find_lost_block(
    folder: BlocksFolder, tree: HeaderTree, tip: Header, damages: Sequence[Damage], numbers: Collection[int]
) -> BadBlockError | None:
    """What proves that a block which the node connected is damaged or missing in the blk files; None if nothing does.

    That is a connected block without a parent, or undo data of a block on top of `tip`, the best chain's.
    """
    unconnected = tree.unconnected
    for header in unconnected[:_LOOKED_AT]:
        rev = read_rev_file(folder, header.file)
        if rev is not None and rev.records_of(header, set()):
            return BadBlockError(_missing_parent(folder, header, damages, numbers))
    if unconnected or damages:
        return _find_lost_child(folder, tip, damages, numbers)
    return None


def describe_unconnected(folder: BlocksFolder, tree: HeaderTree) -> str | None:
    """A warning about blocks whose chain does not lead to genesis, if there are any."""
    unconnected = tree.unconnected
    if not unconnected:
        return None
    first = unconnected[0]
    return (
        f"{folder.path}: {len(unconnected)} blocks do not connect to the chain, "
        f"the first is {first.hash[::-1].hex()} ({folder.place(first)})"
    )


def undo_fault(folder: BlocksFolder, tip: Header, at: Header, undo: UndoRecords) -> ReflowError:
    """What is wrong where a block below `tip` has no undo data, although `tip` has some."""
    rev = undo.file(at.file)
    if rev is None:
        return SourceError(f"{folder.rev(at.file)}: no such file, expected {_lacking(at)}")
    return _rev_fault(folder, rev, at, undo) or BadBlockError(
        f"{folder.rev(at.file)}: {_lacking(at)} are missing, although block {tip.height} has some"
    )


def find_undo_fault(folder: BlocksFolder, ahead: Iterable[Header], undo: UndoRecords) -> ReflowError | None:
    """What proves that undo data of one of these blocks, which seem not to be connected, are harmed or lost.

    None if nothing does: the node has not connected them yet, or never will. Only the first block of each file is
    looked at: what is wrong with a rev file shows there.
    """
    first_of_file: dict[int, Header] = {}
    for header in ahead:
        first_of_file.setdefault(header.file, header)
    for header in first_of_file.values():
        rev = undo.settle(header)
        if undo.find(header) is not None:
            continue  # written meanwhile
        if rev is not None and (fault := _rev_fault(folder, rev, header, undo)):
            return fault
        if rev is None and header.height == 1:
            return SourceError(f"{folder.rev(header.file)}: no such file, expected {_lacking(header)}")
    return None


def find_later_connection(
    folder: BlocksFolder, tree: HeaderTree, tip: Header, undo: UndoRecords
) -> str | None:
    """A warning if the node connected a block off the best chain after the chain's `tip`: it may have left that chain.

    Only files from the tip's on are looked at, and only if blocks off the chain lie there.
    """
    nearby = [header for header in tree if header.file >= tip.file and header.height >= 0]
    lowest = min((header.height for header in nearby), default=tip.height)
    on_chain = {header.hash for header in tree.chain(tip, lowest - 1)}
    places = {header: undo.place(header) for header in nearby if header.hash not in on_chain}
    connected = [header for header, place in places.items() if place is not None]
    at_tip = undo.place(tip) if connected else None
    later = [header for header in connected if at_tip and (places[header] or at_tip) > at_tip]
    if not later:
        return None
    last = max(later, key=lambda header: places[header] or (0, 0))
    return (
        f"{folder.path}: the node connected block {last.hash[::-1].hex()} at height {last.height} after the tip of "
        "the chain with most work: it may have been told to leave that chain (invalidateblock), which its files do "
        "not show; ingest with --rpc follows the node"
    )


def _lacking(header: Header) -> str:
    return f"undo data of block {header.hash[::-1].hex()} at height {header.height}"


def _rev_fault(folder: BlocksFolder, rev: RevFile, at: Header, undo: UndoRecords) -> BadBlockError | None:
    """What is wrong with a rev file in which a block's undo data are looked for in vain."""
    if rev.damage:
        return BadBlockError(f"{rev.damage}; {_lacking(at)} are missing")
    if strays := undo.strays(at.file):
        return BadBlockError(
            f"{folder.rev(at.file)}, offset {int(rev.starts[strays[0]])}: undo data or checksum damaged: "
            f"the record fits no block, expected {_lacking(at)}"
        )
    return None


def _missing_parent(
    folder: BlocksFolder, header: Header, damages: Sequence[Damage], numbers: Collection[int]
) -> str:
    damage = next((damage for damage in damages if damage.number <= header.file), None)
    gap = _last_gap(header.file, numbers)
    otherwise = folder.place(header) if gap is None else f"{folder.blk(gap)}: no such file"
    return (
        f"{damage.text if damage else otherwise}; block {header.hash[::-1].hex()} was connected by the node, "
        f"but its parent {header.prev_hash[::-1].hex()} is damaged or missing"
    )


def _last_gap(below: int, numbers: Collection[int]) -> int | None:
    """The highest number below this one that no blk file has, None if all are there."""
    return next((number for number in range(below - 1, -1, -1) if number not in numbers), None)


def _find_lost_child(
    folder: BlocksFolder, tip: Header, damages: Sequence[Damage], numbers: Collection[int]
) -> BadBlockError | None:
    """Undo data on top of the tip prove that a block there was connected, and lost since."""
    for number in sorted(number for number in numbers if number >= tip.file):
        rev = read_rev_file(folder, number)
        if rev is None:
            continue
        for tx_count in sorted(rev.tx_counts()):
            child = tip._replace(prev_hash=tip.hash, tx_count=tx_count)
            if records := rev.records_of(child, set()):
                where = f"{folder.rev(number)}, offset {int(rev.starts[records[0]])}"
                cause = next((damage.text for damage in damages if damage.number <= number), where)
                return BadBlockError(
                    f"{cause}; the node connected a block at height {tip.height + 1} "
                    f"({where}) that is damaged or missing"
                )
    return None


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
