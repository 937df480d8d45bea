"""The engine against the reference model on random small economies: every metric, every day, every parameter.

Both also report the closure: accounts with their round, conflicts with transactions and claims.
"""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reflow.flows.methodology import ALLOWED, REFERENCE, Methodology
from reflow.flows.prices import prices_of
from reflow.flows.recompute import Recomputation, recompute
from reflow.owners.owners import find_exchange_accounts
from reflow.store.duckdb import DuckDbStore, rows
from support import reference_model
from support.economies import Case, cases, methodologies
from support.economy import START, day_of, labels_of, ledger_of

THOROUGH = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FIRST = day_of(START)
PRICES = st.dictionaries(
    st.integers(0, 20).map(lambda n: FIRST + timedelta(n)),
    st.decimals(0, 10**6, allow_nan=False, places=17),
    max_size=12,
)


def exact(result: Recomputation) -> dict[str, dict[date, Fraction | None]]:
    return {
        name: {
            day: None if value is None else Fraction(value, 10**18)
            for day, value in zip(result.days, values, strict=True)
        }
        for name, values in result.values.items()
    }


def agree(case: Case, method: Methodology, prices: dict[date, Decimal]) -> None:
    books = reference_model.recompute(case.economy, case.exchanges, case.others, prices, method)
    labels = labels_of(case.exchanges, case.others)
    with ledger_of(case.economy) as ledger:
        result = recompute(ledger, labels, prices=prices_of(prices), methodology=method)
    assert result.days == books.days
    nothing = dict.fromkeys(books.days)
    for name, found in exact(result).items():
        assert found == books.values.get(name, nothing), name
    assert {metric.id for metric in result.metrics} >= reported(books.values)


def reported(names: dict[str, dict[date, Fraction | None]]) -> set[str]:
    """The model prices everything, the vendor all but SplyCur."""
    return {name for name in names if name != "SplyCurUSD"}


@THOROUGH
@given(case=cases(), prices=PRICES)
def test_reference_methodology(case: Case, prices: dict[date, Decimal]) -> None:
    agree(case, REFERENCE, prices)


@pytest.mark.parametrize(
    "change", [(key, value) for key, values in ALLOWED.items() for value in values[1:]], ids="=".join
)
@settings(THOROUGH, max_examples=3)
@given(case=cases())
def test_one_parameter_at_a_time(change: tuple[str, str], case: Case) -> None:
    agree(case, Methodology(**dict([change])), {})  # type: ignore[arg-type]


@THOROUGH
@given(case=cases(), method=methodologies())
def test_any_methodology(case: Case, method: Methodology) -> None:
    agree(case, method, {})


@THOROUGH
@given(case=cases())
def test_closure(case: Case) -> None:
    owner, conflicts = reference_model.close(
        reference_model.chain_of(case.economy), case.exchanges, case.others
    )
    with ledger_of(case.economy) as ledger:
        clusters = find_exchange_accounts(DuckDbStore(ledger.con), labels_of(case.exchanges, case.others))
        accounts = rows(ledger.con, "SELECT account, entity, round FROM exchange_account")
        claims = rows(ledger.con, "SELECT account, entity, tx, round FROM cluster_conflict")
    assert {row["account"]: (row["entity"], row["round"]) for row in accounts} == owner
    assert {tuple(row.values()) for row in claims} == conflicts
    assert len(accounts) == len(owner) == sum(clusters.accounts.values())
    assert clusters.conflicts == len({account for account, *_ in conflicts})
    assert clusters.rounds == max((number for _, number in owner.values()), default=0)
