"""Random small economies for hypothesis: few accounts, much reuse, all that docs/methodology.md has a rule for."""

from typing import Any, NamedTuple

from hypothesis import strategies as st

from reflow.flows.methodology import ALLOWED, Methodology
from reflow.network import REGTEST
from support.economy import DAY, START, Block, Posting, Transaction, coinbase, mediantime

ACCOUNTS = st.integers(0, 11)
AMOUNTS = st.one_of(st.sampled_from([0, 1, 2, 100, 1000]), st.integers(0, 50), st.integers(0, 10**15))
POSTINGS = st.tuples(ACCOUNTS, AMOUNTS)


class Case(NamedTuple):
    """An economy and what is known about its accounts."""

    economy: list[Block]
    exchanges: dict[int, str]
    others: dict[int, str]


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    """Any transaction, the outputs a share of what comes in; fees may be anything from 0 to all."""
    inputs = draw(st.lists(POSTINGS, min_size=1, max_size=5))
    left = sum(sat for _, sat in inputs)
    outputs: list[Posting] = []
    for account, sat in draw(st.lists(POSTINGS, max_size=5)):
        outputs.append((account, min(sat, left)))
        left -= outputs[-1][1]
    return Transaction(inputs, outputs)


@st.composite
def coinjoins(draw: st.DrawFn) -> Transaction:
    """Near both sides of every bound of the CoinJoin test."""
    value = draw(st.sampled_from([0, 100]))
    same = draw(st.integers(2, 4))
    others = draw(st.lists(st.tuples(ACCOUNTS, st.integers(0, 9)), max_size=4))
    inputs = [(account, 1000) for account in draw(st.lists(ACCOUNTS, min_size=2, max_size=5))]
    return Transaction(inputs, [*((draw(ACCOUNTS), value) for _ in range(same)), *others])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Some days; header times go back at times, as real ones do, and some days have no block.

    As in a real chain no header time is as early as the median of those before it.
    """
    blocks, time, times = [], START, [REGTEST.genesis_time]
    for _ in range(draw(st.integers(0, 14))):
        time += draw(st.sampled_from([600, 7200, DAY // 2, DAY, 2 * DAY]))
        payees = coinbase(*draw(st.lists(POSTINGS, max_size=2)))
        body = draw(st.lists(st.one_of(transactions(), transactions(), coinjoins()), max_size=4))
        times.append(max(time + draw(st.sampled_from([0, 0, -3600, 5000])), mediantime(times) + 1))
        blocks.append(Block(times[-1], [payees, *body]))
    blocks += [Block(time + (n + 1) * DAY // 2, [coinbase()]) for n in range(draw(st.integers(1, 13)))]
    owners = draw(st.dictionaries(ACCOUNTS, st.sampled_from(["BFX", "KRK", "NEW", "pool"]), max_size=5))
    exchanges = {account: owner for account, owner in owners.items() if owner != "pool"}
    return Case(blocks, exchanges, {a: owner for a, owner in owners.items() if owner == "pool"})


def methodologies() -> st.SearchStrategy[Methodology]:
    parameters: dict[str, Any] = {key: st.sampled_from(values) for key, values in ALLOWED.items()}
    return st.builds(Methodology, **parameters)
