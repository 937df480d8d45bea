"""A regtest chain in the making: headers, clock, coinbases, proof of work, undo data."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Self

from reflow.blocks.undo_writer import Coin, serialize_undo, sha256d
from reflow.network import REGTEST
from reflow.simulate.serialize import (
    NO_TXID,
    NO_VOUT,
    Input,
    Output,
    Prevout,
    Transaction,
    coinbase_transaction,
    merkle_root,
    push,
    serialize_block,
    serialize_header,
    serialize_transaction,
    txid,
)

BITS: Final = 0x207FFFFF
"""Regtest's proof of work: every second hash meets it."""

COINBASE_MATURITY: Final = 100
"""A coinbase output can be spent in the block this many above its own."""

_TARGET: Final = 0x7FFFFF << 8 * (0x20 - 3)
_VERSION: Final = 0x20000000
_GENESIS_MESSAGE: Final = b"The Times 03/Jan/2009 Chancellor on brink of second bailout for banks"
_GENESIS_KEY: Final = bytes.fromhex(
    "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb6"
    "49f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f"
)


class Payment(NamedTuple):
    """A signed transaction, the coins that its inputs spend, its bytes and its txid."""

    tx: Transaction
    coins: tuple[Coin, ...]
    raw: bytes
    txid: bytes

    @classmethod
    def of(cls, tx: Transaction, coins: Sequence[Coin]) -> Self:
        """The payment that `tx` makes with `coins`, one for each input."""
        return cls(tx, tuple(coins), serialize_transaction(tx), txid(tx))

    @property
    def fee(self) -> int:
        """Satoshis that the outputs leave to the miner."""
        return sum(coin.value for coin in self.coins) - sum(output.value for output in self.tx.outputs)


class Payee(NamedTuple):
    """A coinbase payee: it gets its `share` of the reward, in parts of the sum of all shares."""

    script: bytes
    share: int


class Block(NamedTuple):
    """A mined block; hashes are in internal order."""

    height: int
    hash: bytes
    prev_hash: bytes
    time: int
    mediantime: int
    """Median of the header times of the block and its up to ten predecessors, seconds since 1970 UTC."""
    coinbase: Transaction
    raw: bytes
    """The serialized block."""
    undo: bytes | None
    """Its undo record; None for genesis and for a stale block, which a node has none of."""


class Chain:
    """Regtest blocks from genesis up, `blocks[height]`."""

    def __init__(self) -> None:
        self.blocks: Final[list[Block]] = [genesis()]

    @property
    def next_height(self) -> int:
        """Height of the block to be mined next."""
        return len(self.blocks)

    def mine(self, time: int, payees: Sequence[Payee], tag: bytes, payments: Sequence[Payment]) -> Block:
        """Add a block with a header time of `time`, or the earliest valid one if that is later."""
        block = self._build(self.blocks[-1], time, payees, tag, payments)
        self.blocks.append(block)
        return block

    def stale_sibling(self, height: int, payee: Payee) -> Block:
        """Make a valid, empty block beside the one at `height`: not in the chain, without undo data."""
        parent, winner = self.blocks[height - 1], self.blocks[height]
        return self._build(parent, winner.time, [payee], b"/stale/", [])._replace(undo=None)

    def _build(
        self, parent: Block, time: int, payees: Sequence[Payee], tag: bytes, payments: Sequence[Payment]
    ) -> Block:
        height = parent.height + 1
        time = max(time, parent.mediantime + 1)
        reward = REGTEST.subsidy(height) + sum(payment.fee for payment in payments)
        witness_root = None
        if any(payment.tx.has_witness for payment in payments):
            witness_root = merkle_root([bytes(32), *(sha256d(payment.raw) for payment in payments)])
        coinbase = coinbase_transaction(height, tag, _split(reward, payees), witness_root)
        root = merkle_root([txid(coinbase), *(payment.txid for payment in payments)])
        header, block_hash = find_header(parent.hash, root, time)
        recent = [block.time for block in self.blocks[max(0, height - 10) : height]]
        return Block(
            height,
            block_hash,
            parent.hash,
            time,
            median([*recent, time]),
            coinbase,
            serialize_block(
                header, [serialize_transaction(coinbase), *(payment.raw for payment in payments)]
            ),
            serialize_undo([payment.coins for payment in payments]),
        )


def median(times: Sequence[int]) -> int:
    """The middle of up to eleven header times, the upper one of two."""
    return sorted(times)[len(times) // 2]


def genesis() -> Block:
    """Regtest's block 0; its output cannot be spent."""
    script_sig = bytes.fromhex("04ffff001d0104") + push(_GENESIS_MESSAGE)
    script = push(_GENESIS_KEY) + b"\xac"
    coinbase = Transaction(
        (Input(Prevout(NO_TXID, NO_VOUT), script_sig),), (Output(REGTEST.subsidy(0), script),), version=1
    )
    header = serialize_header(1, bytes(32), txid(coinbase), REGTEST.genesis_time, BITS, 2)
    block_hash = sha256d(header)
    assert block_hash[::-1] == REGTEST.genesis_hash
    raw = serialize_block(header, [serialize_transaction(coinbase)])
    return Block(0, block_hash, bytes(32), REGTEST.genesis_time, REGTEST.genesis_time, coinbase, raw, None)


def _split(reward: int, payees: Sequence[Payee]) -> list[Output]:
    """The reward by shares, rounded down; what rounding leaves goes to the first payee."""
    shares = sum(payee.share for payee in payees)
    values = [reward * payee.share // shares for payee in payees]
    values[0] += reward - sum(values)
    return [Output(value, payee.script) for payee, value in zip(payees, values, strict=True)]


def find_header(prev_hash: bytes, root: bytes, time: int) -> tuple[bytes, bytes]:
    """The header with the first nonce that meets regtest's target, and its hash."""
    nonce = 0
    while True:
        header = serialize_header(_VERSION, prev_hash, root, time, BITS, nonce)
        block_hash = sha256d(header)
        if int.from_bytes(block_hash, "little") <= _TARGET:
            return header, block_hash
        nonce += 1
