"""A small economy on regtest: pools pay miners, miners and customers deposit at exchanges, exchanges pay out.

Everything comes from one seed: the same seed gives the same blocks, byte for byte. Every block is valid under
full consensus rules, with real signatures, and the books are kept while it is made.
"""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from reflow.simulate import behaviour
from reflow.simulate.books import Row
from reflow.simulate.chain import COINBASE_MATURITY, Block, Payee
from reflow.simulate.market import Label, Market
from reflow.simulate.vendor import FEWEST_DAYS, Vendor, publish

START: Final = datetime(2020, 1, 1, tzinfo=UTC)
BLOCKS_PER_DAY: Final = 22
DAYS: Final = 31

_SPACING: Final = 86_400 // BLOCKS_PER_DAY
_JITTER: Final = 3_000
"""Seconds by which a header time may be off: more than half the spacing, so some are out of order."""

_ACTIONS: Final[tuple[tuple[Callable[[Market], None], float], ...]] = (
    (behaviour.pay_miners, 0.9),
    (behaviour.deposit_from_pool, 0.15),
    *((behaviour.deposit, 0.9),) * 3,
    (behaviour.sweep, 0.9),
    (behaviour.move_mined_coins, 0.1),
    *((behaviour.withdraw, 0.8),) * 2,
    *((behaviour.trade, 0.8),) * 2,
    (behaviour.pay_with_custody, 0.03),
    (behaviour.join_coins, 0.02),
)
"""What may happen in a block, in this order, each with its chance."""


class Simulation(NamedTuple):
    """A finished economy."""

    blocks: list[Block]
    """From genesis up."""
    stale: list[Block]
    """Valid blocks that lost against one of `blocks`."""
    labels: list[Label]
    prices: dict[date, Decimal]
    """USD per native unit; one day has none."""
    rows: dict[date, Row]
    """The books: every complete day's metrics."""
    vendor: Vendor
    """What a vendor would publish of this economy, with faults."""


def simulate(seed: int = 1, days: int = DAYS) -> Simulation:
    """Run the economy: the blocks that let coinbases mature, then those of `days` complete days at least.

    Raises ValueError for fewer days than the vendor's faults need (FEWEST_DAYS).
    """
    if days < FEWEST_DAYS:
        raise ValueError(f"{days} days, expected {FEWEST_DAYS} or more")
    market = Market(seed)
    for _ in range(COINBASE_MATURITY + (days + 1) * BLOCKS_PER_DAY):
        _make_block(market)
    blocks = market.chain.blocks
    first, last = (datetime.fromtimestamp(blocks[height].mediantime, UTC).date() for height in (1, -1))
    prices = _prices(first, last, market.rng)
    stranger = Payee(market.customers[0].new_address().script, 1)
    stale = [market.chain.stale_sibling(height, stranger) for height in range(50, len(blocks) - 1, 150)]
    rows = market.books.rows(prices)
    return Simulation(blocks, stale, market.labels(), prices, rows, publish(market, prices, list(rows)))


def _make_block(market: Market) -> None:
    if market.height > COINBASE_MATURITY:
        for act, chance in _ACTIONS:
            if market.rng.random() < chance:
                act(market)
    time = int(START.timestamp()) + market.height * _SPACING + market.rng.randint(-_JITTER, _JITTER)
    market.mine(time, *behaviour.find_block(market))


def _prices(first: date, last: date, rng: random.Random) -> dict[date, Decimal]:
    """A random walk in cents from 7,200 USD, without the tenth day: prices have gaps in practice."""
    cents, prices = 720_000, {}
    for number in range((last - first).days + 1):
        cents += cents * rng.randint(-400, 420) // 10_000
        prices[first + timedelta(days=number)] = Decimal(cents).scaleb(-2)
    del prices[first + timedelta(days=9)]
    return prices
