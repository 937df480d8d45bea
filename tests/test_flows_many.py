"""Several methodologies in one call: the same bytes as one call each, and no more passes than they need."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reflow.errors import LedgerError
from reflow.flows import recompute as module
from reflow.flows.catalog import INCL
from reflow.flows.methodology import PRESETS, REFERENCE, Methodology
from reflow.flows.prices import prices_of
from reflow.flows.recompute import Recomputation, recompute, recompute_each, recompute_many
from reflow.owners import owners
from reflow.results.write import write
from support.economies import Case, cases, methodologies
from support.economy import START, coinbase, day_of, labels_of, ledger_of, on_day, pay, settled

M, A, U = 1, 2, 3
ECONOMY = settled(on_day(0, coinbase((M, 1000))), on_day(1, pay([(M, 500), (U, 400)], [(A, 600), (M, 250)])))
LABELS = labels_of({A: "AAA"})


def files(result: Recomputation, folder: Path) -> dict[str, Any]:
    """All that is written, without the wall times."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in write(result, folder)}
    run = json.loads(found["run.json"])
    del run["seconds"]
    return found | {"run.json": run}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases(), methods=st.lists(methodologies(), min_size=2, max_size=6))
def test_together_as_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, case: Case, methods: list[Methodology]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    labels = labels_of(case.exchanges, case.others)
    with ledger_of(case.economy) as ledger:
        together = recompute_many(ledger, labels, methods)
        assert [result.methodology for result in together] == methods
        for result, method in zip(together, methods, strict=True):
            alone = recompute(ledger, labels, methodology=method)
            assert files(result, folder / "many") == files(alone, folder / "alone")


def count_calls(monkeypatch: pytest.MonkeyPatch, methods: list[Methodology]) -> dict[str, int]:
    """How often each shared step runs."""
    calls: dict[str, int] = {}
    steps = ((module, "find_owners"), (owners, "find_mining_accounts"), (module, "sum_flows"))
    for home, name in steps:
        real = getattr(home, name)

        def counted(*args: Any, name: str = name, real: Any = real, **options: Any) -> Any:
            calls[name] = calls.get(name, 0) + 1
            return real(*args, **options)

        monkeypatch.setattr(home, name, counted)
    with ledger_of(ECONOMY) as ledger:
        recompute_many(ledger, LABELS, methods)
    return calls


def test_what_is_shared_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    senders = [
        Methodology(sender=sender, netting=netting, one_hop=one_hop)
        for one_hop in ("within", "exact")
        for sender in ("any_input", "pro_rata", "min_net")
        for netting in ("net", "gross")
    ]
    steps = {"find_owners": 1, "find_mining_accounts": 1, "sum_flows": 1}
    assert count_calls(monkeypatch, senders) == steps


def test_what_differs_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {"find_owners": 2, "find_mining_accounts": 4, "sum_flows": 3}
    others = [Methodology(one_hop="exact"), Methodology(clock="header")]
    assert count_calls(monkeypatch, [*PRESETS.values(), *others]) == steps


def test_each_comes_as_soon_as_it_is_there_and_once() -> None:
    calls: list[str] = []
    methods = [REFERENCE, PRESETS["labels_only"], REFERENCE]
    with ledger_of(ECONOMY) as ledger:
        results = recompute_each(ledger, LABELS, methods, progress=lambda *call: calls.append(call[0]))
        assert next(results).methodology == REFERENCE
        so_far = len(calls)
        assert [result.methodology.name() for result in results] == ["labels_only"]
    assert "flows" in calls[:so_far]
    assert "flows" in calls[so_far:]


def test_some_metrics_only(tmp_path: Path) -> None:
    with ledger_of(ECONOMY) as ledger:
        every = recompute(ledger, LABELS)
        some = recompute(ledger, LABELS, metrics=["SplyCur,FlowMinerOut?HopAllAAANtv", "MOMR"])
    ids = ["SplyCur", "FlowMinerOut0HopAllAAANtv", "FlowMinerOut1HopAllAAANtv", "MOMR"]
    assert [metric.id for metric in some.metrics] == ids
    assert some.values == {id_: every.values[id_] for id_ in ids}
    assert files(some, tmp_path)["run.json"]["selected"] == ids
    assert files(every, tmp_path)["run.json"]["selected"] is None
    assert files(some, tmp_path)["metrics.csv"].startswith(f"time,{','.join(ids)}\n".encode())


def test_an_empty_ledger_is_an_error() -> None:
    with ledger_of([]) as ledger, pytest.raises(LedgerError, match="no blocks in it yet"):
        recompute_many(ledger, LABELS, [REFERENCE])


def test_a_metric_alone_is_as_among_all() -> None:
    """Only what it is made of is read: no other sums may be missed."""
    economy = [*ECONOMY[:1], on_day(0, pay([(M, 300)], [(U, 200), (A, 90)])), *ECONOMY[1:]]
    prices = prices_of({day_of(START) + timedelta(n): Decimal(3 + n) for n in range(9)})
    with ledger_of(economy) as ledger:
        whole = recompute(ledger, LABELS, prices=prices)
        kinds = {
            (metric.family, metric.sums, metric.minus, bool(metric.entity), metric.derived): metric.id
            for metric in whole.metrics
            if metric.entity in ("", "AAA", INCL)
        }
        for id_ in kinds.values():
            alone = recompute(ledger, LABELS, prices=prices, metrics=[id_])
            assert alone.values == {id_: whole.values[id_]}, id_
    assert sum(any(values) for values in whole.values.values()) > 40
