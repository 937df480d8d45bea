"""The flows where memory is short: members read for each range of days, ranges of one day, a tight limit.

The values must be those of a run with plenty of memory, whatever the methodology.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reflow.flows import sums
from reflow.flows.methodology import Methodology
from reflow.flows.postings import Members, MembersOf, read_members
from reflow.flows.recompute import recompute_many
from reflow.ledger.days import Ints, Longs
from reflow.ledger.ledger import DEFAULT_MEMORY, Ledger
from reflow.network import REGTEST
from reflow.owners.owners import Owners
from reflow.store.duckdb import DuckDbStore, memory_limit
from support.economies import Case, cases, methodologies
from support.economy import coinbase, labels_of, ledger_of, on_day, pay, settled


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases(), methods=st.lists(methodologies(), min_size=1, max_size=4, unique=True))
def test_members_of_each_range(case: Case, methods: list[Methodology]) -> None:
    labels = labels_of(case.exchanges, case.others)
    with ledger_of(case.economy) as ledger:
        plenty = recompute_many(ledger, labels, methods)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sums, "RANGE_BYTES", 1)
            patch.setattr(sums, "read_members", lambda owners, day, memory: read_members(owners, day, 0))
            short = recompute_many(ledger, labels, methods)
    assert [result.values for result in short] == [result.values for result in plenty]


def test_members_are_read_once_if_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Members] = []
    economy = settled(on_day(0, coinbase((1, 100))), on_day(1, pay([(1, 50)], [(2, 40), (3, 5)])))

    def read(owners: Owners, day_of_tx: Callable[[Longs], Ints], memory: int) -> MembersOf:
        members_of = read_members(owners, day_of_tx, memory)
        found.append(members_of([]))
        return members_of

    monkeypatch.setattr(sums, "read_members", read)
    with ledger_of(economy) as ledger:
        recompute_many(ledger, labels_of({2: "AAA"}), [Methodology()])
    [members] = found
    assert sorted(members.account.tolist()) == [1, 2, 3]


def test_arrays_and_database_share_the_limit() -> None:
    with Ledger.open(None, REGTEST, memory="1000MiB") as ledger:
        with pytest.raises(ZeroDivisionError), DuckDbStore(ledger.con).memory() as memory:  # noqa: PT012
            assert memory == 500 << 20
            assert memory_limit(ledger.con) == 500 << 20
            _ = 1 / 0
        assert memory_limit(ledger.con) == 1000 << 20


def test_the_default_does_not_grow_with_the_machine() -> None:
    with Ledger.open(None, REGTEST) as ledger:
        assert memory_limit(ledger.con) <= DEFAULT_MEMORY
