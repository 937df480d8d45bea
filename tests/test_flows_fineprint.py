"""The fine print of METHODOLOGY section 9, one test an item, each on the smallest economy that tells right from wrong.

Days are header days here, so that a block is enough to make one; the median clock is item 8's business.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from economy import DAY, START, Block, coinbase, day_of, labels_of, ledger_of, on_day, pay
from reflow.entities.clusters import find_exchange_accounts
from reflow.flows.methodology import Methodology
from reflow.flows.prices import prices_of
from reflow.flows.recompute import Recomputation, recompute
from reflow.tables import rows

M, A, B, P, U, V, W = 1, 2, 3, 4, 7, 8, 9
EXCHANGES = {A: "AAA", B: "BBB"}
FUNDED = on_day(0, coinbase((M, 10_000)))


def run(
    blocks: Sequence[Block],
    exchanges: Mapping[int, str] = EXCHANGES,
    prices: Mapping[date, Decimal] | None = None,
    **parameters: Any,
) -> Recomputation:
    """Recompute with one more block that completes the last day."""
    last = max(block.time for block in blocks)
    economy = [*blocks, Block(last + DAY, (coinbase(),))]
    method = Methodology(**{"clock": "header", **parameters})
    with ledger_of(economy) as ledger:
        return recompute(
            ledger, labels_of(exchanges), prices=prices_of(dict(prices or {})), methodology=method
        )


def last(result: Recomputation, metric: str) -> int | None:
    return result.values[metric][-1]


def test_1_all_inputs_redefines_sent_by_for_one_hop_and_plain_in() -> None:
    mixed = on_day(1, pay([(M, 100), (U, 100)], [(V, 120), (M, 60)]))
    wholly = run([FUNDED, mixed], sender="all_inputs")
    assert last(wholly, "FlowMinerIn0HopAllNtv") == 60
    assert last(wholly, "SplyMiner1HopAllNtv") == last(wholly, "SplyMiner0HopAllNtv") == 9960
    for sender in ("pro_rata", "min_net"):
        assert last(run([FUNDED, mixed], sender=sender), "SplyMiner1HopAllNtv") == 9960 + 120


def test_2_gross_touches_flows_between_miners_and_exchanges_only() -> None:
    blocks = [FUNDED, on_day(1, pay([(M, 500), (A, 500)], [(A, 990)]))]
    net, gross = run(blocks), run(blocks, netting="gross")
    assert (last(net, "FlowMinerOut0HopAllAAANtv"), last(gross, "FlowMinerOut0HopAllAAANtv")) == (490, 990)
    for metric in ("FlowInAAANtv", "FlowOutAAANtv", "FlowMinerOut0HopAllNtv", "FlowMinerIn0HopAllNtv"):
        assert last(net, metric) == last(gross, metric)


def test_3_plain_in_under_min_net_is_all_or_nothing() -> None:
    got = on_day(1, pay([(U, 100)], [(M, 90)]), pay([(U, 100), (M, 1)], [(M, 70)]))
    assert last(run([FUNDED, got], sender="min_net"), "FlowMinerIn0HopAllNtv") == 90


def test_4_ever_counts_members_from_the_first_day() -> None:
    blocks = [
        on_day(0, pay([(M, 5)], [(M, 400)]), pay([(W, 5)], [(V, 300)])),
        on_day(1, coinbase((M, 1))),
        on_day(2, pay([(M, 1)], [(V, 1)])),
    ]
    ever, as_of = run(blocks, membership="ever"), run(blocks)
    assert ever.values["SplyMiner0HopAllNtv"] == [395, 396, 395]
    assert as_of.values["SplyMiner0HopAllNtv"] == [0, 396, 395]
    assert ever.values["SplyMiner1HopAllNtv"] == [695, 696, 696]
    assert as_of.values["SplyMiner1HopAllNtv"] == [0, 396, 696]
    assert ever.values["FlowMinerOut0HopAllNtv"][0] == 0
    earlier = [on_day(0, pay([(M, 9)], [(V, 8)])), on_day(1, coinbase((M, 1)))]
    assert run(earlier, membership="ever").values["SplyMiner1HopAllNtv"][0] == -9 + 8
    assert run(earlier).values["SplyMiner1HopAllNtv"][1] == -9 + 1


def test_5_coinjoin_stops_the_closure_but_is_sent_by_its_miners() -> None:
    join = pay([(M, 100), (A, 100), (U, 100)], [(V, 100), (W, 100), (P, 100)])
    result = run([FUNDED, on_day(1, join)])
    assert last(result, "FlowMinerOut0HopAllNtv") == 300
    assert result.clusters.accounts == {"AAA": 1, "BBB": 1}
    zeros = pay([(M, 9), (A, 9), (U, 9)], [(V, 0), (W, 0), (P, 0)])
    assert run([FUNDED, on_day(1, zeros)]).clusters.accounts["AAA"] == 1
    near = pay([(A, 100), (U, 200)], [(V, 100), (W, 100), (P, 100)])
    assert run([FUNDED, on_day(1, near)]).clusters.accounts["AAA"] == 2


@pytest.mark.parametrize("as_miners", ["never", "hop0", "always"])
def test_6_closure_asks_the_whole_ledger(as_miners: str) -> None:
    """P is paid by a coinbase on the incomplete last day; U is claimed on it, in one transaction with P."""
    economy = [FUNDED, on_day(1, coinbase((P, 5)), pay([(A, 1), (P, 1), (B, 1), (V, 1)], [(W, 2)]))]
    economy += [on_day(1, pay([(A, 1), (U, 1)], [(W, 2)]))]
    method = Methodology(clock="header", exchange_accounts_as_miners=as_miners)  # type: ignore[arg-type]
    with ledger_of(economy) as ledger:
        result = recompute(ledger, labels_of(EXCHANGES), methodology=method)
        clusters = find_exchange_accounts(ledger.con, labels_of(EXCHANGES))
        owned = {
            row["account"]: (row["entity"], row["round"])
            for row in rows(ledger.con, "SELECT * FROM exchange_account")
        }
        claims = rows(ledger.con, "SELECT account, entity, tx, round FROM cluster_conflict ORDER BY entity")
    assert result.clusters == clusters
    assert owned == {A: ("AAA", 0), B: ("BBB", 0), U: ("AAA", 1)}
    assert [tuple(row.values()) for row in claims] == [(V, "AAA", 2, 1), (V, "BBB", 2, 1)]


def test_6_a_conflicted_account_joins_nobody_ever() -> None:
    economy = [FUNDED, on_day(1, pay([(A, 1), (V, 1)], []), pay([(B, 1), (V, 1)], []))]
    economy += [on_day(1, pay([(A, 1), (U, 1)], []), pay([(U, 1), (V, 1), (W, 1)], []))]
    with ledger_of(economy) as ledger:
        clusters = find_exchange_accounts(ledger.con, labels_of(EXCHANGES))
        claims = rows(ledger.con, "SELECT DISTINCT round, account FROM cluster_conflict")
        joined = rows(
            ledger.con, "SELECT account, round FROM exchange_account WHERE round > 0 ORDER BY account"
        )
    assert clusters.conflicts == 1
    assert clusters.rounds == 2
    assert claims == [{"round": 1, "account": V}]
    assert joined == [{"account": U, "round": 1}, {"account": W, "round": 2}]


def test_6_labels_of_other_entities_are_not_claimed() -> None:
    economy = [FUNDED, on_day(1, pay([(A, 1), (U, 1), (V, 1)], []))]
    with ledger_of(economy) as ledger:
        clusters = find_exchange_accounts(ledger.con, labels_of(EXCHANGES, {V: "pool"}))
    assert clusters.accounts == {"AAA": 2, "BBB": 1}


def test_7_exact_is_one_hop_without_zero_hop_as_of_the_transaction() -> None:
    blocks = [
        FUNDED,
        on_day(1, pay([(M, 100)], [(V, 90)])),
        on_day(2, pay([(V, 40)], [(A, 40)])),
        on_day(3, coinbase((V, 7))),
        on_day(4, pay([(V, 10)], [(A, 10)])),
    ]
    result = run(blocks, one_hop="exact")
    assert result.values["FlowMinerOut1HopAllAAANtv"] == [0, 0, 40, 0, 0]
    assert result.values["FlowMinerOut0HopAllAAANtv"] == [0, 0, 0, 0, 10]
    assert result.values["SplyMiner1HopAllNtv"] == [0, 90, 50, 0, 0]


def test_7_exchange_accounts_as_miners() -> None:
    """A mines and pays exchange B and stranger V: B may be a 1-hop miner only under `always`."""
    blocks = [on_day(0, coinbase((A, 1000))), on_day(1, pay([(A, 100)], [(B, 60), (V, 30)]))]
    found = {
        choice: run(blocks, exchange_accounts_as_miners=choice).values
        for choice in ("never", "hop0", "always")
    }
    balances = {choice: values["SplyMiner1HopAllNtv"][-1] for choice, values in found.items()}
    assert balances == {"never": 0, "hop0": 900 + 30, "always": 900 + 60 + 30}
    to_b = {choice: values["FlowMinerOut1HopAllBBBNtv"][-1] for choice, values in found.items()}
    assert to_b == {"never": 0, "hop0": 60, "always": 0}
    from_a = {choice: values["FlowMinerIn1HopAllAAANtv"][-1] for choice, values in found.items()}
    assert from_a == {"never": 0, "hop0": 30, "always": 90}


def test_8_header_days_and_median_days() -> None:
    """Header times run backwards over midnight; the last complete day is the one before the latest."""
    blocks = [
        Block(START + 3600, (coinbase((M, 1)),)),
        Block(START + DAY + 600, (coinbase((M, 2)),)),
        Block(START + DAY - 600, (coinbase((U, 4)),)),
        Block(START + DAY + 700, (coinbase((U, 8)),)),
        Block(START + 4 * DAY, (coinbase((V, 16)),)),
    ]
    with ledger_of(blocks) as ledger:
        header = recompute(ledger, labels_of({}), methodology=Methodology(clock="header"))
        median = recompute(ledger, labels_of({}))
    assert header.days[-1] == day_of(START + 3 * DAY)
    assert header.values["IssTotNtv"] == [5, 10, 0, 0]
    assert header.values["SplyCur"] == [5, 15, 15, 15]
    assert header.values["AdrActCnt"] == [2 * 10**8, 2 * 10**8, 0, 0]
    assert header.values["SplyMiner0HopAllNtv"] == [5, 15, 15, 15]
    # Medians with genesis: of (g, 0) 0; of (g, 0, 1) 0; of (g, 0, 0', 1) 0'; of (g, 0, 0', 1, 1') 0'.
    assert median.days == [day_of(START)]
    assert median.values["BlkCnt"] == [4 * 10**8]


def test_9_usd_is_rounded_once_after_summing() -> None:
    blocks = [FUNDED, on_day(1, pay([(U, 10)], [(A, 3)]), pay([(U, 10)], [(B, 3)]), pay([(A, 1)], [(V, 1)]))]
    price = Decimal("0.166666666666666666666666666666666666")
    result = run(blocks, {A: "AAA", B: "BBB"}, {day_of(START + DAY): price}, clusters="labels_only")
    assert last(result, "FlowInAAAUSD") == 0
    assert last(result, "FlowInExInclUSD") == 1
    assert last(result, "FlowNetExInclUSD") == 1
    assert result.values["FlowInExInclUSD"][0] is None
    half = run(blocks, {A: "AAA", B: "BBB"}, {day_of(START + DAY): Decimal("0.5")}, clusters="labels_only")
    assert last(half, "FlowOutAAAUSD") == 1
    assert last(half, "FlowNetAAAUSD") == 1
    assert last(half, "FlowMinerNet0HopAllUSD") == 0


def test_9_negative_usd_rounds_away_from_zero() -> None:
    blocks = [FUNDED, on_day(1, pay([(A, 3)], [(V, 3)]))]
    result = run(blocks, prices={day_of(START + DAY): Decimal("0.5")})
    assert last(result, "FlowNetAAAUSD") == -2


def test_9_ratios() -> None:
    """One sat of three flows out every day: a third, rounded at the eighth place; 30 days are needed, revenue too."""
    blocks = [on_day(0, coinbase((M, 3)))]
    blocks += [on_day(n, coinbase((M, 3)), pay([(M, 1)], [(U, 1)])) for n in range(1, 31)]
    result = run([*blocks, on_day(31)])
    assert result.values["MRI0HopAll30d"][:29] == [None] * 29
    assert result.values["MRI0HopAll30d"][29] == (2 * 100 * 29 * 10**8 + 90) // 180
    assert result.values["MRI0HopAll30d"][30] == 3_333_333_333
    assert result.values["MOMR"][31] is None
    assert result.values["MOMR"][0] == 0


def test_10_a_seed_without_a_label_is_null() -> None:
    result = run([FUNDED, on_day(1)], {A: "BFX"})
    assert last(result, "FlowMinerOut1HopAllBFXNtv") == 0
    assert last(result, "FlowMinerOut1HopAllKRKNtv") is None
    assert last(result, "FlowMinerOut1HopAllExNtv") == 0
    nothing = run([FUNDED, on_day(1)], {})
    assert last(nothing, "FlowMinerOut1HopAllExNtv") is None
    assert last(nothing, "FlowMinerOut1HopAllNtv") == 0


def test_11_issuance_is_literal() -> None:
    """A coinbase that claims less than the fees lowers it; supply follows."""
    result = run([FUNDED, on_day(1, coinbase((M, 4)), pay([(M, 100)], [(U, 90)]))])
    assert last(result, "IssTotNtv") == -6
    assert last(result, "RevNtv") == 4
    assert last(result, "SplyCur") == 9_994


def test_12_a_pool_label_makes_no_miner() -> None:
    economy = [FUNDED, on_day(1, pay([(P, 100)], [(A, 100)])), on_day(2)]
    with ledger_of(economy) as ledger:
        method = Methodology(clock="header")
        result = recompute(ledger, labels_of(EXCHANGES, {P: "pool"}), methodology=method)
    assert last(result, "FlowMinerOut1HopAllNtv") == 0
