"""Laws that hold whatever the economy: checked on random ones, with nothing but the engine's own output."""

from itertools import accumulate

from hypothesis import HealthCheck, given, settings

from economies import Case, cases, methodologies
from economy import labels_of, ledger_of
from reflow.flows.methodology import Methodology
from reflow.flows.recompute import Recomputation, recompute

QUICK = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def run(case: Case, method: Methodology) -> Recomputation:
    with ledger_of(case.economy) as ledger:
        return recompute(ledger, labels_of(case.exchanges, case.others), methodology=method)


def series(result: Recomputation, metric: str) -> list[int]:
    return [value or 0 for value in result.values[metric]]


@QUICK
@given(case=cases(), method=methodologies())
def test_conservation(case: Case, method: Methodology) -> None:
    result = run(case, method)
    codes = sorted(set(case.exchanges.values()))
    assert series(result, "SplyCur") == list(accumulate(series(result, "IssTotNtv")))
    for fee, issued, revenue in zip(
        *(series(result, m) for m in ("FeeTotNtv", "IssTotNtv", "RevNtv")), strict=True
    ):
        assert fee + issued == revenue
    for way in ("In", "Out"):
        parts = [series(result, f"Flow{way}{code}Ntv") for code in codes]
        assert (
            series(result, f"Flow{way}ExInclNtv") == [sum(day) for day in zip(*parts, strict=True)]
            or not codes
        )
        for union, incl in zip(
            series(result, f"Flow{way}ExNtv"), series(result, f"Flow{way}ExInclNtv"), strict=True
        ):
            assert union <= incl
    if method.netting == "net" and method.exchange_accounts_as_miners == "never":
        for hop in (0, 1):
            for out, gained in zip(
                series(result, f"FlowMinerOut{hop}HopAllExNtv"), series(result, "FlowInExNtv"), strict=True
            ):
                assert 0 <= out <= gained or method.sender == "all_inputs"


@QUICK
@given(case=cases())
def test_any_input_is_the_upper_bound_of_the_senders(case: Case) -> None:
    """Where mining entities do not depend on the sender (0-hop), nobody can be said to send more than all of it."""
    most = run(case, Methodology(sender="any_input"))
    for sender in ("all_inputs", "pro_rata", "min_net"):
        less = run(case, Methodology(sender=sender))
        for metric in ("FlowMinerOut0HopAllNtv", "FlowMinerOut0HopAllExNtv", "FlowMinerIn0HopAllExNtv"):
            assert all(a >= b for a, b in zip(series(most, metric), series(less, metric), strict=True))


@QUICK
@given(case=cases())
def test_published_days_never_change_as_the_chain_grows(case: Case) -> None:
    """As of: for a given set of exchange accounts a day is final once it is complete (METHODOLOGY section 3)."""
    method = Methodology(clusters="labels_only")
    whole = run(case, method)
    half = run(case._replace(economy=case.economy[: len(case.economy) // 2 + 1]), method)
    days = len(half.days)
    assert half.days == whole.days[:days]
    assert half.values == {metric: values[:days] for metric, values in whole.values.items()}
