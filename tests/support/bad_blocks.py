"""A short regtest chain and blocks on top of it that no node would accept: one for each rule that is checked.

Blocks here are put together field by field, so that any of them can be wrong.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from reflow.blocks.undo_writer import Coin, serialize_undo, sha256d
from reflow.network import COIN, REGTEST
from reflow.simulate.blockfiles import BlockFileWriter
from reflow.simulate.chain import BITS, genesis
from reflow.simulate.serialize import (
    NO_TXID,
    NO_VOUT,
    Input,
    Output,
    Prevout,
    Transaction,
    height_push,
    merkle_root,
    push,
    serialize_block,
    serialize_header,
    serialize_transaction,
    txid,
)

SOUND = 12
"""Sound blocks above genesis."""
START = 1_600_000_000
SCRIPT = b"\x51"
SPENT_SCRIPT = b"\x52"


class Made(NamedTuple):
    """A block with its undo data; hashes in internal order."""

    raw: bytes
    undo: bytes
    hash: bytes
    prev_hash: bytes


def coinbase(height: int, *values: int, script_sig: bytes | None = None) -> Transaction:
    """A coinbase that pays these amounts, 50 BTC if none is given."""
    script_sig = height_push(height) + push(b"test") if script_sig is None else script_sig
    outputs = tuple(Output(value, SCRIPT) for value in values or (50 * COIN,))
    return Transaction((Input(Prevout(NO_TXID, NO_VOUT), script_sig),), outputs)


def spend(*numbers: int, pays: Sequence[int] = (COIN,)) -> Transaction:
    """A transaction that spends made-up outputs with these numbers."""
    inputs = tuple(Input(Prevout(sha256d(b"%d" % number), number), b"") for number in numbers)
    return Transaction(inputs, tuple(Output(value, SCRIPT) for value in pays))


def make(
    prev_hash: bytes,
    transactions: Sequence[Transaction],
    values: Sequence[Sequence[int]] = (),
    *,
    time: int,
    bits: int = BITS,
) -> Made:
    """A block of these transactions; `values` are the sat of each input behind the coinbase, 50 BTC if left out."""
    root = merkle_root([txid(transaction) for transaction in transactions] or [bytes(32)])
    target = (bits & 0x7FFFFF) << 8 * ((bits >> 24) - 3)
    nonce = 0
    while True:
        header = serialize_header(0x20000000, prev_hash, root, time, bits, nonce)
        if int.from_bytes(sha256d(header), "little") <= target:
            break
        nonce += 1
    values = values or [[50 * COIN] * len(transaction.inputs) for transaction in transactions[1:]]
    undo = serialize_undo([[Coin(value, SPENT_SCRIPT, 1, False) for value in of_one] for of_one in values])
    raw = serialize_block(header, [serialize_transaction(transaction) for transaction in transactions])
    return Made(raw, undo, sha256d(header), prev_hash)


def sound_chain(count: int = SOUND, start: int = START) -> list[Made]:
    """Genesis and `count` blocks with a coinbase alone, ten minutes apart."""
    chain = [Made(genesis().raw, b"", genesis().hash, bytes(32))]
    for height in range(1, count + 1):
        chain.append(make(chain[-1].hash, [coinbase(height)], time=start + 600 * height))
    return chain


def write_blocks(folder: Path, blocks: Sequence[Made]) -> Path:
    """Blocks and undo data as a node's files; the first is genesis."""
    with BlockFileWriter(folder, REGTEST.magic) as files:
        for block in blocks:
            number = files.add_block(block.raw)
            if block.undo:
                files.add_undo(number, block.prev_hash, block.undo)
    return folder
