"""Sweeps: the vendor's series come from a known methodology, which must be found again, whatever it is.

The economy is small, but every value of every parameter changes something in it.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from reflow.amounts import VALUE_PLACES
from reflow.errors import LedgerError, MethodologyError, VendorError
from reflow.flows.methodology import ALLOWED, REFERENCE, Methodology
from reflow.flows.prices import prices_of
from reflow.flows.recompute import Recomputation, recompute, recompute_many
from reflow.ledger.ledger import Ledger
from reflow.series import Table
from reflow.sweeps import sweep as module
from reflow.sweeps.grid import Grid, grid_of, read_grid
from reflow.sweeps.output import changes_frame, facts, ranking_frame, scores_frame, write_sweep
from reflow.sweeps.sweep import SweepResult, sweep
from reflow.vendor.files import Vendor, digest
from support.economy import DAY, START, Block, coinbase, day_of, labels_of, ledger_of, on_day, pay, settled

M, A, B, C = 1, 2, 3, 4
ECONOMY = settled(
    on_day(0, coinbase((M, 9000), (C, 1000))),
    on_day(1, pay([(A, 10), (11, 20)], [(12, 30)])),
    on_day(2, pay([(M, 500)], [(11, 480)])),  # 11 signed with A: an exchange's if clusters are closed
    on_day(3, pay([(M, 100)], [(20, 90)])),
    on_day(
        4, pay([(20, 40)], [(A, 40)]), pay([(M, 60)], [(A, 55)])
    ),  # within one hop, and at one hop exactly
    on_day(5, pay([(30, 50)], [(A, 40)])),
    on_day(6, coinbase((30, 1000))),  # 30 is a miner from here on, or ever
    on_day(7, pay([(30, 100)], [(A, 90)])),
    on_day(8, pay([(C, 100)], [(B, 60), (40, 30)])),  # C is an exchange that mines
    on_day(9, pay([(M, 100), (50, 900)], [(A, 500), (50, 490)])),  # a tenth is the miner's
    on_day(10, pay([(M, 500), (A, 500)], [(A, 990)])),  # of which A gained 490
)
LABELS = labels_of({A: "AAA", B: "BBB", C: "CCC"})
OUT = "FlowMinerOut0HopAllAAANtv"
SINGLES = [
    Methodology(**{key: value})  # type: ignore[arg-type]
    for key, values in ALLOWED.items()
    for value in values[1:]
]


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    with ledger_of(ECONOMY) as opened:
        yield opened


@pytest.fixture(scope="module")
def runs(ledger: Ledger) -> list[Recomputation]:
    """The results of every methodology of the grid that ships."""
    return recompute_many(ledger, LABELS, read_grid().methodologies)


def table_of(run: Recomputation) -> Table:
    """What a vendor publishes whose methodology is that of the run: everything but dollars."""
    return {
        metric.id: {
            day: None if value is None else Decimal(value).scaleb(-VALUE_PLACES)
            for day, value in zip(run.days, run.values[metric.id], strict=True)
        }
        for metric in run.metrics
        if not metric.needs_prices
    }


def vendor_of(table: Table, *unread: str) -> Vendor:
    return Vendor(table, list(unread), "vendor.csv", digest(table))


def vendor_under(ledger: Ledger, methodology: Methodology = REFERENCE) -> Vendor:
    return vendor_of(table_of(recompute(ledger, LABELS, methodology=methodology)))


def found(result: SweepResult, methodology: Methodology) -> Any:
    [variant] = [one for one in result.variants if one.methodology == methodology]
    return variant


def test_whatever_the_vendor_does_is_found_again(
    ledger: Ledger, runs: list[Recomputation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One methodology after the other is the vendor's: it is exact, with those only whose series are the same."""
    monkeypatch.setattr(module, "recompute_each", lambda *_, **__: iter(runs))
    vendors = [run for run in runs if run.methodology in SINGLES]
    assert len(vendors) == len(SINGLES)
    for run in [*vendors, *runs[::12]]:
        result = sweep(ledger, LABELS, vendor_of(table_of(run)))
        true = found(result, run.methodology)
        assert (true.rank, true.score.distance, true.group) == (1, 0, 1)
        for one in result.variants:
            equal = all(one.series[metric] == true.series[metric] for metric in result.metrics)
            assert equal == (one.group == 1) == (one.score.distance == 0) == (one.rank == 1)


def test_every_value_of_every_parameter_can_be_told_from_the_default(ledger: Ledger) -> None:
    """Otherwise the test above would prove nothing of it."""
    result = sweep(ledger, LABELS, vendor_under(ledger))
    assert result.best.methodology == REFERENCE
    assert [variant.rank for variant in result.variants].count(1) == 1
    changes = {one.after: one for one in result.changes}
    assert set(changes) == set(SINGLES)
    for one in changes.values():
        assert one.base == REFERENCE
        assert one.moved
        assert one.change.distance == found(result, one.after).score.distance > 0
    assert result.alike == []


def test_one_by_one_as_recompute_alone(ledger: Ledger) -> None:
    """What is shared gives the same distances as a sweep of one methodology."""
    vendor = vendor_under(ledger, Methodology(sender="pro_rata"))
    grid = grid_of({"sender": ["any_input", "all_inputs"], "one_hop": ["within", "exact"]})
    together = sweep(ledger, LABELS, vendor, grid=grid)
    for one in together.variants:
        alone = sweep(ledger, LABELS, vendor, grid=Grid([one.methodology], []))
        assert alone.best._replace(rank=0, group=0) == one._replace(rank=0, group=0)


GRID = grid_of({"sender": list(ALLOWED["sender"])}, {"netting": ["gross"]})


def by_hand(ledger: Ledger) -> SweepResult:
    """Only what M sends to A on the days 9 and 10 by header time; the vendor has shares."""
    days = [day_of(START + number * DAY) for number in (9, 10)]
    vendor: Table = {OUT: dict(zip(days, (Decimal("5e-7"), Decimal("2.45e-6")), strict=True))}
    grid = grid_of({"clock": ["header"], "sender": list(ALLOWED["sender"])}, {"netting": ["gross"]})
    return sweep(ledger, LABELS, vendor_of(vendor), grid=grid)


def test_distances_and_single_changes_by_hand(ledger: Ledger) -> None:
    """A gets, in sat: any_input 500 and 490, all_inputs 0 and 0, pro_rata 50 and 490, min_net 100 and 490, gross 500
    and 990; pro_rata of the second is 490 * 500 / (1000 - 500). The vendor has 50 and 245."""
    result = by_hand(ledger)
    expected = {
        "any_input": Fraction(450 + 245, 550 + 735),
        "all_inputs": Fraction(1),
        "pro_rata": Fraction(245, 100 + 735),
        "min_net": Fraction(50 + 245, 150 + 735),
    }
    base = found(result, Methodology(clock="header")).score.distance
    off = {"any_input": 2, "all_inputs": 2, "pro_rata": 1, "min_net": 2}
    for sender, deviation in expected.items():
        one = found(result, Methodology(clock="header", sender=sender))  # type: ignore[arg-type]
        assert one.metrics[OUT].deviation == deviation, sender
        assert one.score.distance == (Fraction(off[sender], 2) + deviation) / 2
    assert [one.methodology.sender for one in result.variants] == [
        "pro_rata",
        "min_net",
        "any_input",
        "any_input",
        "all_inputs",
    ]
    moves = {(one.base.sender, one.key, one.value): one.change.distance for one in result.changes}
    gross = (1 + Fraction(450 + 745, 550 + 1235)) / 2
    assert moves["any_input", "netting", "gross"] == gross - base
    assert moves["any_input", "sender", "pro_rata"] == -moves["pro_rata", "sender", "any_input"] < 0
    assert len(moves) == 4 + 3


def test_the_worst_day_of_each(ledger: Ledger) -> None:
    [worst] = facts(by_hand(ledger))["worst_days"]
    day = day_of(START + 10 * DAY)
    assert worst == {
        "metric": OUT,
        "day": str(day),
        "ours": "0.0000049",
        "vendor": "0.00000245",
        "difference": "0.00000245",
    }


def test_nulls_and_days_of_the_vendor_alone_do_not_count(ledger: Ledger) -> None:
    table = vendor_under(ledger).table
    days = list(table[OUT])
    table[OUT][days[3]] = None
    table[OUT][days[0] - timedelta(1)] = Decimal(7)
    result = sweep(ledger, LABELS, vendor_of(table), grid=GRID)
    assert found(result, REFERENCE).metrics[OUT].days == len(days) - 1
    assert found(result, REFERENCE).score.distance == 0


def test_what_is_not_compared_is_told_with_the_reason(ledger: Ledger) -> None:
    run = recompute(ledger, LABELS)
    days = run.days
    table: Table = {
        OUT: table_of(run)[OUT],
        "FlowInExUSD": dict.fromkeys(days, Decimal(1)),
        "FlowMinerOut1HopAllKRKNtv": dict.fromkeys(days, Decimal(1)),
        "FlowInEx": dict.fromkeys(days),
        "FlowInKRKNtv": dict.fromkeys(days, Decimal(1)),
        "FlowOutExNtv": dict.fromkeys(days),
    }
    result = sweep(ledger, LABELS, vendor_of(table, "PriceUSD"), grid=GRID)
    assert result.metrics == [OUT]
    assert result.left_out == {
        "unknown": ["FlowInEx", "FlowInKRKNtv", "PriceUSD"],
        "not asked for": ["FlowInExUSD"],
        "no day": ["FlowOutExNtv"],
        "not computed": ["FlowMinerOut1HopAllKRKNtv"],
    }


def test_dollars_if_they_are_asked_for(ledger: Ledger) -> None:
    run = recompute(ledger, LABELS)
    prices = prices_of(dict.fromkeys(run.days, Decimal("1e8")))
    native = table_of(run)[OUT]
    dollars = {day: None if value is None else value * 10**8 for day, value in native.items()}
    vendor = vendor_of({OUT: native, "FlowMinerOut0HopAllAAAUSD": dollars})
    result = sweep(ledger, LABELS, vendor, grid=GRID, prices=prices, metrics=["*0HopAllAAAUSD"])
    assert result.metrics == ["FlowMinerOut0HopAllAAAUSD"]
    assert (result.best.methodology, result.best.score.distance) == (REFERENCE, Fraction(0))


def test_all_clocks_are_compared_on_the_same_days() -> None:
    """The latest header time is a day ahead of what the median clock shows."""
    blocks = [Block(START + number * DAY // 4, [coinbase((M, 10))]) for number in range(40)]
    with ledger_of(blocks) as ledger:
        by_clock = {
            clock: recompute(ledger, LABELS, methodology=Methodology(clock=clock))  # type: ignore[arg-type]
            for clock in ALLOWED["clock"]
        }
        clocks = grid_of({"clock": list(ALLOWED["clock"])})
        result = sweep(ledger, LABELS, vendor_of(table_of(by_clock["header"])), grid=clocks)
    assert len(by_clock["mediantime"].days) < len(by_clock["header"].days)
    assert result.days == by_clock["mediantime"].days
    assert {one.metrics["BlkCnt"].days for one in result.variants} == {len(result.days)}
    assert result.best.methodology.clock == "header"


def test_progress_counts_methodologies(ledger: Ledger) -> None:
    calls: list[tuple[str, int, int]] = []
    sweep(ledger, LABELS, vendor_under(ledger), grid=GRID, progress=lambda *call: calls.append(call))
    assert {total for _, _, total in calls} == {len(GRID.methodologies)}
    counted = [done for stage, done, _ in calls if stage == "methodologies"]
    assert counted == [1, 2, 3, 4, 5]


def test_too_many_methodologies_are_refused(ledger: Ledger) -> None:
    with pytest.raises(MethodologyError, match="the grid has 5 methodologies, expected at most 4"):
        sweep(ledger, LABELS, vendor_under(ledger), grid=GRID, limit=4)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "no metric to compare, expected one such as FlowMinerIn0HopAllExNtv"),
        ({"PriceUSD": {day_of(START): Decimal(1)}}, "no metric to compare"),
        (
            {"BlkCnt": {day_of(0): Decimal(1), day_of(DAY): Decimal(1)}},
            "no value on a complete day of the ledger: the vendor's days are 1970-01-01 to 1970-01-02, the ledger's",
        ),
        ({"FlowMinerOut1HopAllKRKNtv": {day_of(START): Decimal(1)}}, "1 metrics to compare, but no labels"),
    ],
)
def test_nothing_to_compare(ledger: Ledger, table: Table, message: str) -> None:
    with pytest.raises(VendorError) as caught:
        sweep(ledger, LABELS, vendor_of(table), grid=GRID)
    assert str(caught.value).startswith(f"vendor.csv: {message}")


def test_an_empty_ledger_is_an_error() -> None:
    with ledger_of([]) as empty, pytest.raises(LedgerError, match="no blocks in it yet, run ingest first"):
        sweep(empty, LABELS, vendor_of({}))


def test_frames_have_a_row_for_every_methodology_metric_and_change(ledger: Ledger) -> None:
    result = by_hand(ledger)
    scores, ranking, changes = scores_frame(result), ranking_frame(result), changes_frame(result)
    assert scores.height == ranking.height == len(result.variants)
    assert ranking["overall_distance"].to_list() == [float(one.score.distance) for one in result.variants]
    assert scores.row(0, named=True) == ranking.row(0, named=True) | {
        "metric": OUT,
        "layer": 3,
        "days": 2,
        "days_off": 1,
        "deviation": 245 / 835,
        "distance": float(result.best.score.distance),
        "shape": float(result.best.score.shape),
        "worst_day": day_of(START + 10 * DAY),
        "worst_ours": "0.0000049",
        "worst_vendor": "0.00000245",
    }
    assert changes.filter(metric="").height == changes.filter(metric=OUT).height == len(result.changes)


def content(paths: Sequence[Path]) -> list[bytes]:
    return [path.read_bytes() for path in paths]


def test_same_bytes_from_ledgers_whose_rows_lie_elsewhere(ledger: Ledger, tmp_path: Path) -> None:
    vendor = vendor_under(ledger, SINGLES[-1])
    first = content(write_sweep(sweep(ledger, LABELS, vendor, grid=GRID), tmp_path / "a"))
    with ledger_of(ECONOMY) as other:
        other.con.execute("SET threads = 1")
        for side in ("debit", "credit"):
            other.con.execute(f"CREATE TEMPORARY TABLE turned AS SELECT * FROM {side} ORDER BY tx DESC")
            other.con.execute(f"DELETE FROM {side}")
            other.con.execute(f"INSERT INTO {side} SELECT * FROM turned")
            other.con.execute("DROP TABLE turned")
        assert content(write_sweep(sweep(other, LABELS, vendor, grid=GRID), tmp_path / "b")) == first
