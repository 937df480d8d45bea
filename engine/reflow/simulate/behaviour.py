"""What the actors of the simulated economy do: one function, one decision, one transaction of the next block.

Where the one who was drawn has no money, nothing happens.
"""

from collections.abc import Sequence

from reflow.network import COIN
from reflow.simulate.actors import Exchange, Money, Owner, value_of
from reflow.simulate.chain import Payee
from reflow.simulate.keys import Address
from reflow.simulate.market import Market, Target
from reflow.simulate.serialize import push

JOINED_VALUE = COIN // 20
"""Satoshis of each of the equal outputs of a CoinJoin."""

_DUST = 10_000
"""Nobody bothers to move less, in sat."""


def find_block(market: Market) -> tuple[list[Payee], bytes]:
    """Who finds the next block: its coinbase payees and tag. Two exchanges mine as well."""
    who = market.rng.choices(("A", "B", "C", "POL", "BTX"), (35, 25, 20, 10, 10))[0]
    if who == "POL":  # straight to a published account, which is never a miner's
        return [Payee(market.exchanges["POL"].hot[0].script, 1)], b"/POL mines/"
    if who == "BTX":  # to an account that nobody can tell to be an exchange's
        return [Payee(market.exchanges["BTX"].mining.script, 1)], b"/BTX mines/"
    pool = market.pools["ABC".index(who)]
    payees = [
        Payee(address.script, share) for address, share in zip(pool.addresses, (60, 30, 10), strict=False)
    ]
    return payees if who == "B" else [market.rng.choice(payees)], f"/{pool.name}/".encode()


def pay_miners(market: Market) -> None:
    """A pool pays out its oldest coinbase to a few miners; the rest goes back to the pool."""
    pool = market.rng.choice(market.pools)
    coins = [money for money in pool.spendable(market.height) if money.coin.value > _DUST][:2]
    if not coins:
        return
    amount = value_of(coins) * market.rng.randint(80, 95) // 100
    miners = market.rng.sample(market.miners, market.rng.randint(2, 5))
    targets: list[Target] = [(miner.address(), amount // len(miners)) for miner in miners]
    if market.rng.random() < 0.1:  # to be paid nothing makes nobody a member
        targets.append((market.rng.choice(market.customers).address(), 0))
    market.pay(coins, targets, pool.address(), _fee(market, coins))


def deposit_from_pool(market: Market) -> None:
    """A pool sells for itself: straight from its coinbase account to its deposit address."""
    _pay_someone(market, market.rng.choice(market.pools), _any_exchange(market), (10, 30))


def deposit(market: Market) -> None:
    """A miner, or now and then a customer, brings money to an exchange."""
    payers = market.miners if market.rng.random() < 0.75 else market.customers
    _pay_someone(market, market.rng.choice(payers), _any_exchange(market), (20, 90))


def trade(market: Market) -> None:
    """A customer pays a customer, sometimes with a note, a burnt amount or a payment of nothing."""
    payer, payee = market.rng.sample(market.customers, 2)
    aside: list[Target] = []
    dice = market.rng.random()
    if dice < 0.3:
        note = b"\x6a" + push(f"note {market.rng.randrange(50)}".encode())
        aside.append((note, 0 if dice < 0.2 else market.rng.randint(1, 500)))
    elif dice < 0.45:
        aside.append((payee.address(), 0))
    _pay_someone(market, payer, payee, (10, 80), aside)


def sweep(market: Market) -> None:
    """An exchange gathers its deposits, usually together with a coin of a hot wallet, into a hot wallet."""
    exchange = _any_exchange(market)
    deposits = exchange.deposits(market.height)[: market.rng.randint(2, 9)]
    if not deposits:
        return
    hot = exchange.hot_coins(market.height)[:1] if market.rng.random() < 0.8 else []
    coins = [*deposits, *hot]
    fee = _fee(market, coins)
    if value_of(coins) > fee:
        market.books.signed_together(exchange.name, [money.address.script for money in coins])
        market.pay(coins, [], market.rng.choice(exchange.hot), fee)


def withdraw(market: Market) -> None:
    """An exchange pays out from its hot wallets, to one to three payees."""
    exchange = _any_exchange(market)
    coins = exchange.hot_coins(market.height)
    if value_of(coins) < _DUST:
        return
    payees = [_draw_payee(market, exchange) for _ in range(market.rng.randint(1, 3))]
    amount = value_of(coins) * market.rng.randint(5, 50) // 100
    chosen = exchange.choose(coins, amount + 2 * _DUST)
    amount = min(amount, value_of(chosen) - _DUST)
    targets: list[Target] = [(payee, amount // len(payees)) for payee in payees]
    if amount > 0:
        market.books.signed_together(exchange.name, [money.address.script for money in chosen])
        market.pay(chosen, targets, market.rng.choice(exchange.hot), _fee(market, chosen))


def move_mined_coins(market: Market) -> None:
    """An exchange moves what it mined, together with a hot coin: miner and exchange sign one transaction."""
    exchange = market.exchanges["BTX"]
    coins = exchange.mined_coins(market.height)[:3]
    if coins:
        coins += exchange.hot_coins(market.height)[:1]
        fee = _fee(market, coins)
        targets: list[Target] = [(exchange.mining, value_of(coins) // 10)]
        market.pay(coins, targets, exchange.hot[1], fee)


def pay_with_custody(market: Market) -> None:
    """A custodian, known to the public, pays a customer with an exchange's hot coin beside its own."""
    exchange, custody = market.exchanges["HUO"], market.custody
    hot = exchange.hot_coins(market.height)[:1]
    own = custody.spendable(market.height)[:2]
    if value_of(hot) > 10 * _DUST:
        payee = market.rng.choice(market.customers).address()
        targets = [(payee, value_of(own) // 2), (custody.address(), value_of(hot) // 10)]
        market.pay([*own, *hot], targets, exchange.hot[0], _fee(market, [*own, *hot]))


def join_coins(market: Market) -> None:
    """A CoinJoin of three customers, a miner and an exchange: five equal outputs and everybody's change."""
    exchange = _any_exchange(market)
    parties: list[Owner] = [
        *market.rng.sample(market.customers, 3),
        market.rng.choice(market.miners),
        exchange,
    ]
    coins, targets = [], []
    for party in parties:
        own = exchange.hot_coins(market.height) if party is exchange else party.spendable(market.height)
        enough = [money for money in own if money.coin.value > JOINED_VALUE + _DUST]
        if not enough:
            return
        coins.append(enough[0])
        targets.append((party.new_address(), JOINED_VALUE))
    for money, party in zip(coins, parties, strict=True):
        back = exchange.hot[0] if party is exchange else party.new_address()
        targets.append((back, money.coin.value - JOINED_VALUE - 1_000))
    market.pay_exactly(coins, targets)


def _pay_someone(
    market: Market, payer: Owner, payee: Owner, percent: tuple[int, int], aside: Sequence[Target] = ()
) -> None:
    """Pay a part of what the payer has, between `percent` of it, and give the rest back to the payer."""
    amount = payer.balance(market.height) * market.rng.randint(*percent) // 100
    if amount < _DUST:
        return
    coins = payer.choose(payer.spendable(market.height), amount)
    fee = _fee(market, coins)
    to = payee.deposit_address(payer) if isinstance(payee, Exchange) else payee.address()
    amount = min(amount, value_of(coins) - fee - sum(value for _, value in aside))
    market.pay(coins, [(to, amount), *aside], payer.address(), fee)


def _draw_payee(market: Market, exchange: Exchange) -> Address:
    dice = market.rng.random()
    if dice < 0.5:
        return market.rng.choice(market.customers).address()
    if dice < 0.8:
        return market.rng.choice(market.miners).address()
    if dice < 0.9:
        return market.rng.choice(market.pools).address()
    return _any_exchange(market).deposit_address(exchange)


def _any_exchange(market: Market) -> Exchange:
    return market.rng.choice(list(market.exchanges.values()))


def _fee(market: Market, coins: Sequence[Money]) -> int:
    return market.rng.randint(100, 900) * max(1, len(coins))
