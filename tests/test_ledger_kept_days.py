"""What a ledger keeps of each day: the same however the blocks came in, and right again after blocks have left.

The figures themselves are held against the reference model (test_flows_model.py), which computes them from nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reflow.ledger.day_figures as day_figures
import reflow.ledger.kept_days as kept_days
from reflow.clock import CLOCKS, Clock
from reflow.ledger.day_figures import Accounts, FullError, Holdings
from reflow.ledger.days import read_blocks
from reflow.ledger.ingest import keep_clocks
from reflow.ledger.kept_days import KEPT, check_days, keep_days, kept_clocks, read_figures
from reflow.ledger.ledger import Ledger
from reflow.ledger.rows import LedgerRows
from reflow.ledger.verify import verify
from reflow.network import REGTEST
from reflow.store.duckdb import DuckDbStore, rows
from support.economies import Case, cases
from support.economy import Block, Economy, coinbase, ledger_rows, on_day, pay, settled

THOROUGH = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def from_nothing(ledger: Ledger, clock: Clock) -> dict[str, list[int]]:
    """The figures of a ledger that keeps nothing."""
    with Ledger.open(None, REGTEST) as fresh:
        for table in LedgerRows._fields:
            fresh.insert(table, ledger.con.sql(f"SELECT * FROM {table}").to_arrow_table())
        return figures(fresh, clock)


def figures(ledger: Ledger, clock: Clock) -> dict[str, list[int]]:
    store = DuckDbStore(ledger.con)
    return read_figures(store, read_blocks(store, clock), clock)


def held(ledger: Ledger, clock: Clock) -> dict[int, int]:
    found = rows(
        ledger.con, "SELECT account, balance FROM kept.holding WHERE clock = $clock", {"clock": clock}
    )
    assert len({row["account"] for row in found}) == len(found)
    return {row["account"]: row["balance"] for row in found}


def part_of(whole: LedgerRows, first: int, last: int) -> LedgerRows:
    """The rows of the blocks first..last."""
    block = whole.block.to_pylist()
    start = block[first - 1]["first_tx"]
    end = block[last - 1]["first_tx"] + block[last - 1]["tx_count"]

    def pick(table: Any, column: str, low: int, high: int) -> Any:
        mask = [low <= value <= high for value in table.column(column).to_pylist()]
        return table.filter(pa.array(mask, pa.bool_()))

    by_tx = {
        name: pick(getattr(whole, name), "tx", start, end - 1) for name in ("tx", "debit", "credit", "script")
    }
    by_height = {name: pick(getattr(whole, name), "height", first, last) for name in ("block", "coinbase")}
    return LedgerRows(**by_tx, **by_height)


@contextmanager
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One day a range, the state saved after each few, and room for few accounts at a time."""
    with monkeypatch.context() as patch:
        patch.setattr(kept_days, "_SPAN_BYTES", 6_000)
        patch.setattr(kept_days, "_range_bytes", lambda store, memory: 1)
        patch.setattr(day_figures, "_SMALLEST", 8)
        yield


@st.composite
def histories(draw: st.DrawFn) -> tuple[Case, list[tuple[int, int]]]:
    """An economy, and the steps in which it comes in: up to which block, and back to which before the next."""
    case = draw(cases())
    count, steps, at = len(case.economy), list[tuple[int, int]](), 0
    for _ in range(draw(st.integers(0, 4))):
        if at < count:
            to = draw(st.integers(at + 1, count))
            at = draw(st.integers(max(0, to - 8), to))
            steps.append((to, at))
    return case, [*steps, (count, count)]


@settings(THOROUGH, max_examples=25)
@given(history=histories(), clock=st.sampled_from(CLOCKS), small=st.booleans())
def test_kept_figures_do_not_depend_on_how_blocks_came_in(
    history: tuple[Case, list[tuple[int, int]]], clock: Clock, small: bool
) -> None:
    case, steps = history
    whole = ledger_rows(case.economy)
    with pytest.MonkeyPatch.context() as patch, Ledger.open(None, REGTEST) as ledger:
        if small:
            patch.setattr(kept_days, "_SPAN_BYTES", 6_000)
            patch.setattr(kept_days, "_range_bytes", lambda store, memory: 1)
        at = 0
        for to, back in steps:
            if to > at:
                ledger.append(part_of(whole, at + 1, to))
            keep_days(ledger.con, clock)
            assert figures(ledger, clock) == from_nothing(ledger, clock)
            assert not list(check_days(ledger.con))
            ledger.roll_back(back)
            assert figures(ledger, clock) == from_nothing(ledger, clock)
            assert not list(check_days(ledger.con))
            at = back


def economy() -> Economy:
    """Three days; account n + 100 is paid on day n and spends on the next."""
    return settled(
        on_day(0, coinbase((1, 50)), pay([(7, 10)], [(2, 4), (3, 5)])),
        on_day(1, coinbase((1, 50)), pay([(1, 50)], [(2, 20), (1, 29)]), pay([(3, 5)], [(4, 5)])),
        on_day(2, coinbase((5, 50)), pay([(2, 24)], [(6, 24)])),
    )


def test_worked_figures(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger", REGTEST) as ledger:
        ledger.append(ledger_rows(economy()))
        assert keep_days(ledger.con, "header") == 22
        found = figures(ledger, "header")
        balances = held(ledger, "header")
    days = [dict(zip(KEPT, day, strict=True)) for day in list(zip(*found.values(), strict=True))[:3]]
    assert [day["active"] for day in days] == [4, 4, 3]  # 1 2 3 7, 1 2 3 4, 2 5 6
    assert [day["sent"] for day in days] == [1, 2, 1]
    assert [day["received"] for day in days] == [3, 3, 2]
    assert [day["holders"] for day in days] == [3, 3, 4]  # 1 2 3, 1 2 4, 1 4 5 6
    assert [(day["fee_middle"], day["fee_middles"]) for day in days] == [(1, 1), (1, 2), (0, 1)]
    assert [(day["transfer_middle"], day["transfer_middles"]) for day in days] == [(9, 2), (25, 2), (24, 1)]
    assert balances == {1: 79, 4: 5, 5: 50, 6: 24, 7: -10}


def test_a_second_keep_has_nothing_to_do(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger", REGTEST) as ledger:
        ledger.append(ledger_rows(economy()))
        assert keep_days(ledger.con, "mediantime") > 0
        assert keep_days(ledger.con, "mediantime") == 0


def test_a_killed_keep_goes_on_from_what_was_saved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def kill(stage: str, done: int, total: int) -> None:
        if done > 8:
            raise Killed

    with Ledger.open(tmp_path / "ledger", REGTEST) as ledger, small_pieces(monkeypatch):
        ledger.append(ledger_rows(economy()))
        with pytest.raises(Killed):
            keep_days(ledger.con, "header", progress=kill)
        [until] = rows(ledger.con, "SELECT blocks FROM kept.until")
        assert 0 < until["blocks"] < 10
        assert not list(check_days(ledger.con))
        assert keep_days(ledger.con, "header") < 22
        assert figures(ledger, "header") == from_nothing(ledger, "header")


def test_header_days_that_later_blocks_reach_back_to_are_taken_back(tmp_path: Path) -> None:
    blocks = [on_day(0, coinbase((1, 5))), on_day(1, coinbase((2, 5))), on_day(2, coinbase((3, 5)))]
    late = [on_day(1, coinbase((4, 5)), hour=20), on_day(4, coinbase())]
    whole = ledger_rows([*blocks, *late])
    with Ledger.open(tmp_path / "ledger", REGTEST) as ledger:
        ledger.append(part_of(whole, 1, 3))
        assert keep_days(ledger.con, "header") == 2
        ledger.append(part_of(whole, 4, 5))
        assert figures(ledger, "header")["holders"] == [1, 3, 4, 4]
        keep_days(ledger.con, "header")
        assert not list(check_days(ledger.con))
        assert figures(ledger, "header")["holders"] == [1, 3, 4, 4]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("UPDATE kept.day SET holders = holders + 1 WHERE active = 3", "kept.day.holders"),
        ("UPDATE kept.day SET transfer_middle = 8 WHERE transfer_middle = 9", "kept.day.transfer_middle"),
        ("DELETE FROM kept.day WHERE active = 3", "days kept"),
        ("UPDATE kept.holding SET balance = balance - 1 WHERE account = 5", "kept.holding"),
        ("DELETE FROM kept.holding WHERE account = 4", "kept.holding"),
        ("UPDATE kept.until SET blocks = blocks + 1000", "blocks whose days are kept"),
    ],
)
def test_verify_finds_damage_in_what_is_kept(damage: str, what: str, tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger", REGTEST) as ledger:
        ledger.append(ledger_rows(economy()))
        keep_days(ledger.con, "header")
        assert not list(check_days(ledger.con))
        ledger.con.execute(damage)
        assert what in next(check_days(ledger.con))[0]


def test_verify_checks_what_is_kept(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger", REGTEST) as ledger:
        keep_days(ledger.con, "header")
        assert verify(ledger).fault_count == 0
        ledger.con.execute("INSERT INTO kept.until VALUES ('mediantime', 3)")
        assert verify(ledger).fault_count == 1


def test_clocks_that_are_asked_for_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with Ledger.open(path, REGTEST) as ledger:
        ledger.append(ledger_rows(economy()))
    keep_clocks(path, ["header", "mediantime", "header"])
    with Ledger.open(path, read_only=True) as ledger:
        assert sorted(kept_clocks(ledger.con)) == sorted(CLOCKS)
        keep_clocks(path, ["header"])


def test_a_ledger_that_cannot_be_written_to_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with Ledger.open(path, REGTEST) as ledger:
        ledger.append(ledger_rows(economy()))
    with Ledger.open(path, read_only=True) as ledger:
        keep_clocks(path, ["header"])
        assert not kept_clocks(ledger.con)
    keep_clocks(tmp_path / "none", ["header"])


def test_a_full_disk_leaves_the_ledger_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with Ledger.open(path, REGTEST) as ledger:
        ledger.append(ledger_rows(economy()))

    def full(*_: object) -> None:
        raise duckdb.IOException("No space left on device")

    monkeypatch.setattr(kept_days, "_insert_days", full)
    keep_clocks(path, ["header"])
    with Ledger.open(path, read_only=True) as ledger:
        assert not kept_clocks(ledger.con)
        assert not held(ledger, "header")


def test_holdings_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_figures, "_SMALLEST", 8)
    accounts = np.arange(1, 40, dtype="int64") << 33
    with pytest.raises(FullError):
        Holdings(16 * 16).add(accounts, accounts)
    roomy = Holdings(1 << 20)
    roomy.add(accounts, accounts)
    roomy.add(accounts[::2], -accounts[::2])
    assert roomy.rows()[0].tolist() == accounts[1::2].tolist()
    assert roomy.holders == 19


@settings(max_examples=200, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(-9, 9).map(lambda n: n * 8), st.integers(-2, 2)), max_size=60),
    part=st.integers(0, 3),
)
def test_holdings_against_a_dictionary(changes: list[tuple[int, int]], part: int) -> None:
    """Accounts that share their lowest bits lie in the same slots, so that removal has to move others up."""

    held: dict[int, int] = {}
    holdings = Holdings(1 << 20, Accounts(4, part))
    for account, change in changes:
        account += part
        held[account] = held.get(account, 0) + change
        holdings.add(np.array([account, account + 1]), np.array([change, 5]))
    expected = {account: balance for account, balance in held.items() if balance}
    assert dict(zip(*(column.tolist() for column in holdings.rows()), strict=True)) == expected
    assert holdings.holders == sum(balance > 0 for balance in expected.values())


def test_more_parts_give_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    payees = [coinbase(*((1000 * day + n, 5) for n in range(60))) for day in range(4)]
    blocks = settled(*(Block(on_day(day).time, [payee]) for day, payee in enumerate(payees)))
    seen: list[int] = []

    class Watched(Holdings):
        def __init__(self, memory: int, accounts: Accounts | None = None) -> None:
            seen.append((accounts or Accounts()).parts)
            super().__init__(64 * 16, accounts)

    with Ledger.open(tmp_path / "ledger", REGTEST) as ledger, small_pieces(monkeypatch):
        monkeypatch.setattr(kept_days, "_SPAN_BYTES", 10**9)
        monkeypatch.setattr(kept_days, "Holdings", Watched)
        ledger.append(ledger_rows(blocks))
        keep_days(ledger.con, "header")
        assert max(seen) >= 8
        assert figures(ledger, "header")["holders"][:4] == [60, 120, 180, 240]
        assert not list(check_days(ledger.con))


def test_days_are_those_of_the_calendar(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger", REGTEST) as ledger:
        ledger.append(ledger_rows([on_day(0, coinbase((1, 5))), on_day(3), on_day(5)]))
        keep_days(ledger.con, "header")
        found = rows(ledger.con, "SELECT day, holders FROM kept.day ORDER BY day")
        assert figures(ledger, "header")["holders"] == [1] * 5
    first: date = found[0]["day"]
    assert [(row["day"] - first).days for row in found] == [0, 1, 2, 3]  # the fourth may still get a block
    assert [row["holders"] for row in found] == [1] * 4
