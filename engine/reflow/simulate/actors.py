"""Who takes part in the simulated economy: owners of coins, and exchanges with their many accounts."""

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from reflow.blocks.undo_writer import Coin
from reflow.simulate.keys import Address
from reflow.simulate.serialize import Prevout


class Money(NamedTuple):
    """A coin that its owner can spend once it is mature."""

    prevout: Prevout
    coin: Coin
    address: Address
    mature: int
    """The first height that may spend it."""


class World:
    """What all owners share: the dice, and a directory of who owns which scriptPubKey."""

    def __init__(self, seed: int) -> None:
        self.rng: Final = random.Random(seed)
        self.directory: Final[dict[bytes, tuple[Owner, Address]]] = {}


class Owner:
    """Somebody with addresses and coins.

    It uses the `kinds` of address in turn (names of keys.KINDS), and an old one with the chance `reuse`.
    """

    def __init__(self, name: str, world: World, kinds: Sequence[str], reuse: float = 0.4) -> None:
        self.name: Final = name
        self.rng: Final = world.rng
        self.coins: list[Money] = []
        self.addresses: list[Address] = []
        self._directory = world.directory
        self._kinds = kinds
        self._reuse = reuse

    def new_address(self) -> Address:
        """An address never used before."""
        number = len(self.addresses)
        self.addresses.append(self._derive(self._kinds[number % len(self._kinds)], str(number)))
        return self.addresses[-1]

    def address(self) -> Address:
        """An address to be paid at: now and then one that was used before."""
        if self.addresses and self.rng.random() < self._reuse:
            return self.rng.choice(self.addresses)
        return self.new_address()

    def _derive(self, kind: str, path: str) -> Address:
        """The owner's address at `path`, in the directory from now on."""
        address = Address(kind, f"{self.name}/{path}".encode())
        self._directory[address.script] = (self, address)
        return address

    def spendable(self, height: int) -> list[Money]:
        """The coins that a transaction of the block at `height` may spend."""
        return [money for money in self.coins if money.mature <= height]

    def balance(self, height: int) -> int:
        """Satoshis that can be spent at `height`."""
        return value_of(self.spendable(height))

    def take(self, spent: Money) -> None:
        """Forget a coin that is spent."""
        self.coins.remove(spent)

    def choose(self, coins: Sequence[Money], amount: int) -> list[Money]:
        """Some of `coins`, in random order, that are together worth `amount`; all of them if they are not."""
        chosen: list[Money] = []
        for money in self.rng.sample(coins, len(coins)):
            if value_of(chosen) >= amount:
                break
            chosen.append(money)
        return chosen


class Exchange(Owner):
    """An exchange: two published hot wallets, a deposit address for each customer, perhaps a mining account.

    Some deposit addresses are never swept: nobody outside can tell that they are the exchange's.
    """

    def __init__(
        self, code: str, world: World, hot_kinds: Sequence[str], deposit_kinds: Sequence[str]
    ) -> None:
        super().__init__(code, world, deposit_kinds)
        self.hot: Final = [self._derive(kind, f"hot/{kind}") for kind in hot_kinds]
        self.mining: Final = self._derive("p2wpkh", "mining")
        self._deposit: dict[str, Address] = {}
        self._left_alone: set[bytes] = set()

    def deposit_address(self, customer: Owner) -> Address:
        """The address at which this customer deposits, always the same."""
        if customer.name not in self._deposit:
            address = self._deposit[customer.name] = self.new_address()
            if self.rng.random() < 0.15:
                self._left_alone.add(address.script)
        return self._deposit[customer.name]

    def hot_coins(self, height: int) -> list[Money]:
        """What lies in the hot wallets."""
        return [money for money in self.spendable(height) if money.address in self.hot]

    def deposits(self, height: int) -> list[Money]:
        """What lies at deposit addresses and may be swept."""
        ours = (*self.hot, self.mining)
        return [
            money
            for money in self.spendable(height)
            if money.address not in ours and money.address.script not in self._left_alone
        ]

    def mined_coins(self, height: int) -> list[Money]:
        """What lies in the mining account."""
        return [money for money in self.spendable(height) if money.address is self.mining]


def value_of(coins: Sequence[Money]) -> int:
    """Satoshis in all of `coins`."""
    return sum(money.coin.value for money in coins)
