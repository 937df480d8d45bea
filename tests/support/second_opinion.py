"""Bitcoin Core's own code reads the same blocks: py-bitcoinkernel validates them all anew, and says what each spends.

It gets nothing from the engine: blocks are found in the files by their frames here, whatever order they lie in, and the
chain is the one that Core's rules choose. Accounts are computed by the plain parser.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from reflow.network import Network
from support.plain_parser import account


class Entry(NamedTuple):
    """A transaction as Core reads it."""

    height: int
    txid: bytes
    debits: list[tuple[int, int]]
    """Account and value of what each input spends, in order; none of a coinbase."""
    credits: list[tuple[int, int]]


_KINDS: Final = {"main": "MAINNET", "regtest": "REGTEST"}


def read_with_core(folder: Path, network: Network, scratch: Path) -> Iterator[Entry]:
    """Validate every block of a `blocks` folder in `scratch`, then read Core's best chain above genesis."""
    import pbk

    manager = pbk.load_chainman(scratch, pbk.ChainType[_KINDS[network.name]])
    waiting = list(raw_blocks(folder, network.magic))
    while waiting:
        late = []
        for raw in waiting:
            try:
                manager.process_block(pbk.Block(raw))
            except pbk.ProcessBlockException:
                late.append(raw)  # its parent has not come yet, or it is not valid
        if len(late) == len(waiting):
            break
        waiting = late
    for entry in manager.get_active_chain().block_tree_entries:
        if entry.height > 0:
            yield from _read_block(entry.height, manager.blocks[entry], manager.block_spent_outputs[entry])


def raw_blocks(folder: Path, magic: bytes) -> Iterator[bytes]:
    """The blocks of blk files in the order in which they lie there, genesis left out."""
    key = (folder / "xor.dat").read_bytes() if (folder / "xor.dat").exists() else bytes(8)
    for file in sorted(folder.glob("blk*.dat")):
        data = file.read_bytes()
        mask = (key * (len(data) // 8 + 1))[: len(data)]
        data = (int.from_bytes(data, "little") ^ int.from_bytes(mask, "little")).to_bytes(len(data), "little")
        at = 0
        while data[at : at + 4] == magic:
            size = int.from_bytes(data[at + 4 : at + 8], "little")
            block = data[at + 8 : at + 8 + size]
            if block[4:36] != bytes(32):
                yield block
            at += 8 + size


def _read_block(height: int, block, spent) -> Iterator[Entry]:  # type: ignore[no-untyped-def]
    coins = [[], *([_posting(coin.output) for coin in inputs.coins] for inputs in spent.transactions)]
    for transaction, debits in zip(block.transactions, coins, strict=True):
        paid = [_posting(output) for output in transaction.outputs]
        yield Entry(height, bytes(transaction.txid)[::-1], debits, paid)


def _posting(output) -> tuple[int, int]:  # type: ignore[no-untyped-def]
    return account(bytes(output.script_pubkey)), int(output.amount)
