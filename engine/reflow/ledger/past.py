"""What the blocks so far decide about the next one: the hash it builds on, its time, its target, the coins there are.

These are the rules of consensus that need other blocks, and no coin of them (docs/trust.md has all that are checked).
"""

from typing import NamedTuple, Self

from reflow.blocks import kernels
from reflow.blocks.decode import DecodedBatch
from reflow.blocks.headers import PERIOD, retarget, time_fault
from reflow.errors import BadBlockError
from reflow.network import Network

SPAN = 11
"""Header times of which the median is taken: a block's and those of its up to ten predecessors."""


class Tip(NamedTuple):
    """The last block of a ledger."""

    height: int
    hash: bytes
    """In display order."""
    next_tx: int
    """The `tx` that the next block's coinbase gets."""


class Past(NamedTuple):
    """The chain up to a block."""

    network: Network
    tip: Tip
    times: tuple[int, ...]
    """Header times of the last up to eleven blocks, genesis included (seconds since 1970 UTC)."""
    supply: int
    """Sat that the coinbases have issued: there cannot be more to be spent."""
    bits: int
    """The compact target of the next block, on a network where it follows from header times."""
    period_start: int
    """Header time of the first block of the period of 2016 blocks that the tip is in."""

    @classmethod
    def genesis(cls, network: Network) -> Self:
        """Before any block of a ledger."""
        tip, time = Tip(0, network.genesis_hash, 0), network.genesis_time
        return cls(network, tip, (time,), 0, network.pow_limit, time)

    def at_period(self, height: int, time: int) -> Self:
        """With the target that follows from the header time of the first or last block of a period."""
        if height % PERIOD == 0:
            return self._replace(period_start=time)
        if height % PERIOD == PERIOD - 1:
            return self._replace(bits=retarget(self.bits, time - self.period_start, self.network))
        return self

    def after(self, batch: DecodedBatch) -> Self:
        """After the blocks of a batch. Raises BadBlockError at the first that breaks a rule."""
        past = self
        for block in range(len(batch.times)):
            if fault := past._fault(batch, block):
                height = batch.first_height + block
                text = f"{batch.place(block)}: block {batch.hashes[block].tobytes().hex()} at height {height}: {fault}"
                raise BadBlockError(text, block)
            past = past._with(batch, block)
        return past

    def _fault(self, batch: DecodedBatch, block: int) -> str | None:
        """What is wrong with a block on top of these, or None."""
        prev_hash, drawn = batch.prev_hashes[block].tobytes(), int(batch.sums[block, kernels.LARGEST_DRAWN])
        fees, issuance = batch.sums[block, [kernels.FEES, kernels.ISSUANCE]].tolist()
        if prev_hash != self.tip.hash:
            return f"previous hash {prev_hash.hex()}, expected {self.tip.hash.hex()}"
        if fault := time_fault(int(batch.times[block]), self.times):
            return fault
        if self.network.retargets and batch.bits[block] != self.bits:
            return (
                f"bits {int(batch.bits[block]):08x}, expected {self.bits:08x}, which follow from header times"
            )
        if drawn > self.supply:
            return f"a transaction spends {drawn} sat, but only {self.supply} were issued before"
        if self.supply + issuance < 0:
            return f"fees of {fees} sat, more than the {self.supply} that were issued before and what its coinbase pays"
        return None

    def _with(self, batch: DecodedBatch, block: int) -> Self:
        height, time = batch.first_height + block, int(batch.times[block])
        tx_count = int(batch.first_tx[block + 1] - batch.first_tx[block])
        past = self._replace(
            tip=Tip(height, batch.hashes[block].tobytes(), self.tip.next_tx + tx_count),
            times=(*self.times, time)[-SPAN:],
            supply=self.supply + int(batch.sums[block, kernels.ISSUANCE]),
        )
        return past.at_period(height, time)
