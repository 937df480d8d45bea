"""The state of the simulated economy: its actors, the block in the making, the chain and the books."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from reflow.blocks.undo_writer import Coin
from reflow.simulate.actors import Exchange, Money, Owner, World
from reflow.simulate.books import BlockEntry, Books, Entry, Transfer
from reflow.simulate.chain import COINBASE_MATURITY, Chain, Payee, Payment
from reflow.simulate.keys import Address, sign_all
from reflow.simulate.serialize import Input, Output, Prevout, Transaction, txid

EXCHANGES: Final = ("BFX", "BMX", "BNB", "BSP", "BTX", "GEM", "HUO", "KRK", "POL")
"""The exchanges of the seed metrics."""

_HOT_KINDS: Final = (("p2wpkh", "p2pkh"), ("p2tr", "p2sh_p2wpkh"), ("p2wsh", "p2pkh"))
_DEPOSIT_KINDS: Final = (
    ("p2pkh", "p2sh_p2wpkh", "p2wpkh"),
    ("p2wpkh", "p2tr", "p2wsh"),
    ("p2sh_p2wpkh", "multisig"),
)
_MINER_KINDS: Final = (("p2wpkh",), ("p2pkh", "p2pk"), ("p2tr",), ("p2sh_p2wpkh", "p2pk_uncompressed"))
_CUSTOMER_KINDS: Final = (
    "p2wpkh",
    "p2pkh",
    "p2tr",
    "p2sh_p2wpkh",
    "p2wsh",
    "multisig",
    "p2pk",
    "p2pk_uncompressed",
)
_POOL_KINDS: Final = (("p2pkh", "p2wpkh"), ("p2pk_uncompressed", "p2sh_p2wpkh", "p2wsh"), ("p2tr", "p2pk"))

Target = tuple[Address | bytes, int]
"""An address, or a scriptPubKey that nobody can spend, and the satoshis that it is paid."""


class Label(NamedTuple):
    """What the public knows about an address."""

    address: Address
    entity: str
    category: str


class Market:
    """Pools, miners, exchanges, customers; `pay` makes transactions of the next block, `mine` the block."""

    def __init__(self, seed: int) -> None:
        world = World(seed)
        self.rng: Final = world.rng
        self.chain: Final = Chain()
        self.books: Final = Books()
        self.pools: Final = [
            Owner(f"DemoPool {name}", world, kinds, reuse=1.0)
            for name, kinds in zip("ABC", _POOL_KINDS, strict=True)
        ]
        self.miners: Final = [Owner(f"miner {i}", world, _MINER_KINDS[i % 4], reuse=0.8) for i in range(14)]
        self.customers: Final = [Owner(f"customer {i}", world, _CUSTOMER_KINDS) for i in range(30)]
        self.custody: Final = Owner("DemoCustody", world, ("p2wpkh",), reuse=1.0)
        self.exchanges: Final = {
            code: Exchange(code, world, _HOT_KINDS[i % 3], _DEPOSIT_KINDS[i % 3])
            for i, code in enumerate(EXCHANGES)
        }
        for pool, kinds in zip(self.pools, _POOL_KINDS, strict=True):
            for _ in kinds:
                pool.new_address()
        for code, exchange in self.exchanges.items():
            for hot in exchange.hot:
                self.books.publish(code, hot.script)
        self._directory = world.directory
        self._payments: list[Payment] = []

    @property
    def height(self) -> int:
        """Height of the block in the making."""
        return self.chain.next_height

    def labels(self) -> list[Label]:
        """Published addresses: the exchanges' hot wallets, one pool's payout addresses, a custodian's."""
        hot = [Label(hot, code, "exchange") for code, e in self.exchanges.items() for hot in e.hot]
        pool = [Label(address, self.pools[0].name, "pool") for address in self.pools[0].addresses]
        return [*hot, *pool, Label(self.custody.address(), self.custody.name, "custodian")]

    def pay(self, coins: Sequence[Money], targets: Sequence[Target], change: Address, fee: int) -> None:
        """Spend `coins` on `targets`; what is left over `fee` (sat) goes to `change`.

        Whoever is paid can spend it in this very block.
        """
        left = sum(money.coin.value for money in coins) - sum(value for _, value in targets) - fee
        assert left >= 0, "a payer spends more than the coins chosen"
        self.pay_exactly(coins, [*targets, *([(change, left)] if left else [])])

    def pay_exactly(self, coins: Sequence[Money], targets: Sequence[Target]) -> None:
        """Spend `coins` on `targets`; the difference is the fee."""
        spent = tuple(money.coin for money in coins)
        inputs = tuple(Input(money.prevout) for money in coins)
        outputs = tuple(Output(value, to if isinstance(to, bytes) else to.script) for to, value in targets)
        tx = sign_all(Transaction(inputs, outputs), spent, [money.address for money in coins])
        for money in coins:
            owner, _ = self._directory[money.address.script]
            owner.take(money)
        payment = Payment.of(tx, spent)
        self._payments.append(payment)
        self._receive(tx, payment.txid, mature=self.height, coinbase=False)

    def mine(self, time: int, payees: Sequence[Payee], tag: bytes) -> None:
        """Make the block, with a header time of `time` (UTC seconds) or later, and enter it in the books."""
        payments, self._payments = self._payments, []
        block = self.chain.mine(time, payees, tag, payments)
        self._receive(
            block.coinbase, txid(block.coinbase), mature=block.height + COINBASE_MATURITY, coinbase=True
        )
        transfers = tuple(
            Transfer(tuple((coin.script, coin.value) for coin in payment.coins), _credits(payment.tx))
            for payment in payments
        )
        self.books.add_block(
            BlockEntry(block.time, block.mediantime, len(block.raw), _credits(block.coinbase), transfers)
        )

    def _receive(self, tx: Transaction, own_txid: bytes, *, mature: int, coinbase: bool) -> None:
        """Give the outputs to their owners; a coinbase calls this after its block was added to the chain."""
        height = self.height - coinbase
        for index, (value, script) in enumerate(tx.outputs):
            if script in self._directory:
                owner, address = self._directory[script]
                coin = Coin(value, script, height, coinbase)
                owner.coins.append(Money(Prevout(own_txid, index), coin, address, mature))


def _credits(tx: Transaction) -> tuple[Entry, ...]:
    return tuple((output.script, output.value) for output in tx.outputs)
