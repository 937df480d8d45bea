"""One batch of raw blocks to columns, with every check that needs no other batch.

Checked here: block hash, proof of work within the network's limit, Merkle root, witness commitment, weight, one
coinbase and in front, its scriptSig and height, no output spent twice in a block, undo counts, amounts and their sums,
debits >= credits per transaction, coinbase <= subsidy + fees. What depends on blocks before is checked where they are
put together (ledger/rows.py); undo checksums are the source's business.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import coincurve
import numpy as np
from numpy.typing import NDArray

from reflow.blocks import hashing, kernels
from reflow.blocks.kernels import Layout, Postings
from reflow.blocks.source import RawBatch, bounds_of
from reflow.errors import BadBlockError
from reflow.network import Network, bits_fault, meets_target


class DecodedBatch(NamedTuple):
    """Columns of consecutive blocks, rows in chain order; `tx` counts from 0 at the first transaction of the batch."""

    first_height: int
    byte_count: int
    hashes: NDArray[np.uint8]
    """(blocks, 32), in display order."""
    prev_hashes: NDArray[np.uint8]
    """(blocks, 32), in display order."""
    times: NDArray[np.int64]
    """Header times, seconds since 1970 UTC."""
    bits: NDArray[np.int64]
    """Compact targets of the headers."""
    sizes: NDArray[np.int64]
    """Serialized bytes, witness included."""
    first_tx: NDArray[np.int64]
    """(blocks + 1): block b has the transactions first_tx[b] .. first_tx[b + 1] - 1."""
    sums: NDArray[np.int64]
    """(blocks, 6): fees, issuance, transfer count, transfer value (sat), digest, the most that a transaction spends."""
    script_sigs: list[bytes]
    """The coinbase scriptSig of each block."""
    txids: NDArray[np.uint8]
    """(transactions, 32), in display order."""
    debit_tx: NDArray[np.int64]
    debit_account: NDArray[np.int64]
    debit_value: NDArray[np.int64]
    credit_tx: NDArray[np.int64]
    credit_account: NDArray[np.int64]
    credit_value: NDArray[np.int64]
    payee_tx: NDArray[np.int64]
    """Coinbase transaction of each positive coinbase output."""
    payee_account: NDArray[np.int64]
    payee_scripts: list[bytes]
    place: Callable[[int], str]
    """Where block b of the batch was read from, for a message."""

    def first(self, count: int) -> "DecodedBatch":
        """The first `count` blocks."""
        transactions = int(self.first_tx[count])
        lengths = {"block": count, "tx": transactions}
        for side in ("debit", "credit", "payee"):
            lengths[side] = int(np.searchsorted(getattr(self, f"{side}_tx"), transactions))
        share = self.byte_count * int(self.sizes[:count].sum()) // int(self.sizes.sum())
        columns = {
            name: getattr(self, name)[:size] for kind, size in lengths.items() for name in _COLUMNS_OF[kind]
        }
        return self._replace(byte_count=share, first_tx=self.first_tx[: count + 1], **columns)


_COLUMNS_OF: Final = {
    "block": ("hashes", "prev_hashes", "times", "bits", "sizes", "sums", "script_sigs"),
    "tx": ("txids",),
    **{side: tuple(f"{side}_{name}" for name in ("tx", "account", "value")) for side in ("debit", "credit")},
    "payee": ("payee_tx", "payee_account", "payee_scripts"),
}
"""Which columns have a row for each block, transaction and so on."""


def decode_sound(batch: RawBatch, network: Network) -> tuple[DecodedBatch | None, BadBlockError | None]:
    """The columns of the blocks before the first bad one, None if that is the batch's first; and what is wrong with it.

    See `decode`.
    """
    count, error = len(batch.offsets), None
    while count:
        try:
            return decode(batch.first(count), network), error
        except BadBlockError as fault:
            count, error = fault.block, fault
            batch = batch._replace(xor_key=None)  # undone already
    return None, error


def decode(batch: RawBatch, network: Network) -> DecodedBatch:
    """The columns of a batch. Raises BadBlockError naming place, height and what differed, at the first fault.

    Undoes the XOR of `batch.blocks` in place. Releases the GIL nearly all the time: call it from several threads.
    """
    if batch.xor_key is not None:
        kernels.unxor(batch.blocks, batch.block_bounds, batch.offsets, batch.xor_key)
    fault = np.zeros(5, np.int64)
    layout = _lay_out(batch, fault)
    txids = np.empty((len(layout.transactions), 32), np.uint8)
    hashing.hash_transactions(batch.blocks, layout.transactions, txids)
    hashing.check_roots(batch.blocks, batch.block_bounds, layout.first_tx, txids, batch.hashes, fault)
    _check(batch, fault)
    _check_work(batch, network)
    script_sigs = [_script_sig(batch.blocks, layout.transactions[t]) for t in layout.first_tx[:-1]]
    _check_heights(batch, script_sigs, network)
    hashing.check_witnesses(batch.blocks, layout, txids, fault)
    _check(batch, fault)
    kernels.check_spends(batch.blocks, layout, fault)
    _check(batch, fault)
    debits = _debits(batch, layout, fault)
    credited = Postings(np.empty(len(layout.values), np.int64), layout.values)
    hashing.credit_accounts(batch.blocks, layout.scripts, credited.account)
    txids = np.ascontiguousarray(txids[:, ::-1])
    sums = np.empty((len(layout.counts), kernels.SUMS), np.int64)
    heights = range(batch.first_height, batch.first_height + len(layout.counts))
    subsidies = np.array([network.subsidy(height) for height in heights], np.int64)
    kernels.sum_blocks(layout, subsidies, txids, debits, credited, sums, fault)
    _check(batch, fault)
    return _columns(batch, layout, txids, debits, credited, sums, script_sigs)


def _check_work(batch: RawBatch, network: Network) -> None:
    """Each header's target is within the network's limit, and its hash meets it."""
    bits = _header_numbers(batch, 72)
    for block, (value, block_hash) in enumerate(zip(bits.tolist(), batch.hashes, strict=True)):
        if wrong := bits_fault(value, network):
            raise _error(batch, block, wrong)
        if not meets_target(block_hash.tobytes(), value):
            raise _error(batch, block, f"its hash does not meet its own target, bits {value:08x}")


def _check_heights(batch: RawBatch, script_sigs: list[bytes], network: Network) -> None:
    """Each coinbase begins with its height, from where on this is the rule (BIP 34)."""
    for block, script_sig in enumerate(script_sigs):
        height = batch.first_height + block
        if network.bip34_height is not None and height >= network.bip34_height:
            expected = _height_push(height)
            if not script_sig.startswith(expected):
                found = script_sig[: len(expected)].hex()
                raise _error(
                    batch, block, f"coinbase begins with {found}, expected its height, {expected.hex()}"
                )


def _height_push(height: int) -> bytes:
    """A height as a minimal script number (BIP 34)."""
    if height <= 16:
        return bytes([0x50 + height])
    size = height.bit_length() // 8 + 1
    return bytes([size]) + height.to_bytes(size, "little")


def _header_numbers(batch: RawBatch, position: int) -> NDArray[np.int64]:
    """The 32-bit number at a position of each header."""
    columns = batch.block_bounds[:-1, None] + np.arange(position, position + 4)
    return np.asarray(batch.blocks[columns].view("<u4")[:, 0], np.int64)


def input_counts(block: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Inputs of each transaction of one plain block, the coinbase's left out; empty if it does not parse."""
    layout = lay_out_block(block)
    return np.empty(0, np.int64) if layout is None else layout.inputs[1:]


def lay_out_block(block: NDArray[np.uint8]) -> Layout | None:
    """Where things lie in one plain block; None if it does not parse."""
    bounds = np.array([0, len(block)], np.int64)
    fault = np.zeros(5, np.int64)
    counts = np.zeros((1, 3), np.int64)
    kernels.count_blocks(block, bounds, counts, fault)
    if fault[0]:
        return None
    layout = _empty_layout(counts)
    kernels.lay_out(block, bounds, layout, fault)
    return None if fault[0] else layout


def _empty_layout(counts: NDArray[np.int64]) -> Layout:
    transactions, _, outputs = (int(n) for n in counts.sum(axis=0))
    return Layout(
        counts=counts,
        first_tx=bounds_of(counts[:, 0]),
        first_output=bounds_of(counts[:, 2]),
        transactions=np.empty((transactions, kernels.TX_COLUMNS), np.int64),
        inputs=np.empty(transactions, np.int64),
        outputs=np.empty(transactions, np.int64),
        values=np.empty(outputs, np.int64),
        scripts=np.empty((outputs, 2), np.int64),
    )


def _lay_out(batch: RawBatch, fault: NDArray[np.int64]) -> Layout:
    counts = np.zeros((len(batch.block_bounds) - 1, 3), np.int64)
    kernels.count_blocks(batch.blocks, batch.block_bounds, counts, fault)
    _check(batch, fault)
    layout = _empty_layout(counts)
    kernels.lay_out(batch.blocks, batch.block_bounds, layout, fault)
    _check(batch, fault)
    return layout


def _debits(batch: RawBatch, layout: Layout, fault: NDArray[np.int64]) -> Postings:
    """Of the spent outputs."""
    count = int(layout.counts[:, 1].sum()) - len(layout.counts)
    values = np.empty(count, np.int64)
    scripts = np.empty((count, 3), np.int64)
    points = kernels.lay_out_undo(batch.undo, batch.undo_bounds, layout, values, scripts, fault)
    _check(batch, fault)
    ys = np.zeros((points + 1, 32), np.uint8)
    if points:
        _solve_points(batch, scripts[(scripts[:, 0] == 4) | (scripts[:, 0] == 5)], ys, fault)
    accounts = np.empty(count, np.int64)
    hashing.debit_accounts(batch.undo, scripts, ys, accounts)
    return Postings(accounts, values)


def _solve_points(
    batch: RawBatch, scripts: NDArray[np.int64], ys: NDArray[np.uint8], fault: NDArray[np.int64]
) -> None:
    """Undo data keep x and the parity of y for uncompressed P2PK; the script needs y (SEC 1, section 2.3.4)."""
    for row, (kind, start, end) in enumerate(scripts.tolist()):
        compressed = bytes([kind - 2]) + batch.undo[start:end].tobytes()
        try:
            point = coincurve.PublicKey(compressed).format(compressed=False)
        except ValueError:
            block = int(np.searchsorted(batch.undo_bounds, start, side="right")) - 1
            fault[:] = (kernels.UNDO_POINT, block, 0, 0, 0)
            _check(batch, fault)
        ys[row] = np.frombuffer(point, np.uint8)[33:]


def _columns(
    batch: RawBatch,
    layout: Layout,
    txids: NDArray[np.uint8],
    debits: Postings,
    credited: Postings,
    sums: NDArray[np.int64],
    script_sigs: list[bytes],
) -> DecodedBatch:
    starts = batch.block_bounds[:-1]
    headers = batch.blocks[starts[:, None] + np.arange(80)]
    numbers = np.arange(len(txids))
    spending = layout.inputs.copy()
    spending[layout.first_tx[:-1]] = 0
    payee_rows = _payee_rows(layout)
    bounds = layout.scripts[payee_rows].tolist()
    return DecodedBatch(
        first_height=batch.first_height,
        byte_count=batch.byte_count,
        hashes=np.ascontiguousarray(batch.hashes[:, ::-1]),
        prev_hashes=np.ascontiguousarray(headers[:, 35:3:-1]),
        times=_header_numbers(batch, 68),
        bits=_header_numbers(batch, 72),
        sizes=np.diff(batch.block_bounds),
        first_tx=layout.first_tx,
        sums=sums,
        script_sigs=script_sigs,
        txids=txids,
        debit_tx=np.repeat(numbers, spending),
        debit_account=debits.account,
        debit_value=debits.value,
        credit_tx=np.repeat(numbers, layout.outputs),
        credit_account=credited.account,
        credit_value=credited.value,
        payee_tx=np.repeat(layout.first_tx[:-1], layout.outputs[layout.first_tx[:-1]])[
            layout.values[_coinbase_rows(layout)] > 0
        ],
        payee_account=credited.account[payee_rows],
        payee_scripts=[batch.blocks[start:end].tobytes() for start, end in bounds],
        place=batch.place,
    )


def _coinbase_rows(layout: Layout) -> NDArray[np.int64]:
    """Rows of the coinbase outputs among all outputs."""
    counts = layout.outputs[layout.first_tx[:-1]]
    within = np.arange(int(counts.sum())) - np.repeat(bounds_of(counts)[:-1], counts)
    return np.repeat(layout.first_output[:-1], counts) + within


def _payee_rows(layout: Layout) -> NDArray[np.int64]:
    rows = _coinbase_rows(layout)
    return rows[layout.values[rows] > 0]


def _script_sig(blocks: NDArray[np.uint8], transaction: NDArray[np.int64]) -> bytes:
    """The coinbase's scriptSig; at most 100 bytes (`lay_out` checks it), so its length is one byte."""
    start = int(transaction[kernels.TX_INPUTS]) + 37
    return blocks[start + 1 : start + 1 + int(blocks[start])].tobytes()


_FAULTS: Final = {
    kernels.CUT_SHORT: "transaction {tx} at byte {found} of the block is cut short: the block has {expected} bytes",
    kernels.TRAILING_BYTES: "{found} bytes, but its transactions end after {expected}",
    kernels.BAD_COUNT: "its number of transactions exceeds its bytes or is zero",
    kernels.NOT_COINBASE: "its first transaction is not a coinbase",
    kernels.SECOND_COINBASE: "transaction {tx} is a second coinbase",
    kernels.VALUE_RANGE: "transaction {tx} has an output of {found} sat, expected 0 to {expected}",
    kernels.MERKLE_ROOT: "Merkle root of its transactions differs from its header",
    kernels.WITNESS_ROOT: "witness commitment differs from its witnesses",
    kernels.UNEXPECTED_WITNESS: "transaction {tx} has a witness, but the coinbase commits to none",
    kernels.BLOCK_HASH: "header hash differs from the one found before",
    kernels.UNDO_CUT_SHORT: "undo data of transaction {tx} are cut short: {expected} bytes in all",
    kernels.UNDO_TRAILING_BYTES: "undo data have {found} bytes, but end after {expected}",
    kernels.UNDO_TRANSACTIONS: "undo data of {found} transactions, expected {expected}",
    kernels.UNDO_INPUTS: "undo data of transaction {tx} have {found} inputs, expected {expected}",
    kernels.UNDO_VALUE_RANGE: "undo data of transaction {tx} have a coin of {found} sat, expected 0 to {expected}",
    kernels.UNDO_POINT: "undo data have a public key that is not on the curve",
    kernels.OVERSPENT: "transaction {tx} spends {found} sat and pays {expected}: debits must cover credits",
    kernels.NO_INPUTS: "transaction {tx} has no inputs",
    kernels.NO_OUTPUTS: "transaction {tx} has no outputs",
    kernels.SCRIPT_SIG_SIZE: "scriptSig of its coinbase has {found} bytes, expected 2 to {expected}",
    kernels.OUTPUTS_RANGE: "transaction {tx} has outputs of {found} sat and more, expected at most {expected} in all",
    kernels.WEIGHT: "weight {found}, expected at most {expected}",
    kernels.TWINS: "two equal hashes make a pair in its Merkle tree: it repeats transactions (CVE-2012-2459)",
    kernels.NULL_OUTPOINT: "transaction {tx} has an input without an output that it spends, as only a coinbase may",
    kernels.SPENT_TWICE: "transaction {tx} spends an output that is spent before in the same block or transaction",
    kernels.INPUTS_RANGE: "transaction {tx} spends {found} sat and more, expected at most {expected} in all",
    kernels.FEES_RANGE: "fees up to transaction {tx} are {found} sat, expected at most {expected}",
    kernels.TRANSFERS_RANGE: "outputs up to transaction {tx} come to {found} sat, expected at most {expected}",
    kernels.OVERCLAIMED: "coinbase claims {found} sat, expected at most {expected} (subsidy and fees)",
}


def _check(batch: RawBatch, fault: NDArray[np.int64]) -> None:
    """Raise what a kernel found, if it found something."""
    code, block, tx, found, expected = fault.tolist()
    if code != kernels.OK:
        raise _error(batch, block, _FAULTS[code].format(tx=tx, found=found, expected=expected))


def _error(batch: RawBatch, block: int, what: str) -> BadBlockError:
    """The error about block `block` of the batch."""
    return BadBlockError(f"{batch.place(block)}: block at height {batch.first_height + block}: {what}", block)
