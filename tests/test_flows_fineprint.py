"""The fine print of methodology 9, one test an item, each on the smallest economy that tells right from wrong.

Days are header days here, so that a block is enough to make one; the median clock is item 8's business.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from reflow.flows.methodology import Methodology
from reflow.flows.prices import prices_of
from reflow.flows.recompute import Recomputation, recompute
from reflow.owners.owners import find_exchange_accounts
from reflow.store.duckdb import DuckDbStore, rows
from support.economy import (
    DAY,
    START,
    Block,
    coinbase,
    day_of,
    in_sat,
    labels_of,
    ledger_of,
    numbers,
    on_day,
    pay,
)

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
    """On the last day: sat, or 10**-18 of a dollar."""
    return result.values[metric][-1] if metric.endswith("USD") else in_sat(result, metric)[-1]


def usd(result: Recomputation, metric: str) -> Decimal:
    return Decimal(last(result, metric) or 0).scaleb(-18)


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
    assert in_sat(ever, "SplyMiner0HopAllNtv") == [395, 396, 395]
    assert in_sat(as_of, "SplyMiner0HopAllNtv") == [0, 396, 395]
    assert in_sat(ever, "SplyMiner1HopAllNtv") == [695, 696, 696]
    assert in_sat(as_of, "SplyMiner1HopAllNtv") == [0, 396, 696]
    assert in_sat(ever, "FlowMinerOut0HopAllNtv")[0] == 0
    earlier = [on_day(0, pay([(M, 9)], [(V, 8)])), on_day(1, coinbase((M, 1)))]
    assert in_sat(run(earlier, membership="ever"), "SplyMiner1HopAllNtv")[0] == -9 + 8
    assert in_sat(run(earlier), "SplyMiner1HopAllNtv")[1] == -9 + 1


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
        clusters = find_exchange_accounts(DuckDbStore(ledger.con), labels_of(EXCHANGES))
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
        clusters = find_exchange_accounts(DuckDbStore(ledger.con), labels_of(EXCHANGES))
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
        clusters = find_exchange_accounts(DuckDbStore(ledger.con), labels_of(EXCHANGES, {V: "pool"}))
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
    assert in_sat(result, "FlowMinerOut1HopAllAAANtv") == [0, 0, 40, 0, 0]
    assert in_sat(result, "FlowMinerOut0HopAllAAANtv") == [0, 0, 0, 0, 10]
    assert in_sat(result, "SplyMiner1HopAllNtv") == [0, 90, 50, 0, 0]


def test_7_exchange_accounts_as_miners() -> None:
    """A mines and pays exchange B and stranger V: B may be a 1-hop miner only under `always`."""
    blocks = [on_day(0, coinbase((A, 1000))), on_day(1, pay([(A, 100)], [(B, 60), (V, 30)]))]
    found = {
        choice: run(blocks, exchange_accounts_as_miners=choice) for choice in ("never", "hop0", "always")
    }
    balances = {choice: in_sat(values, "SplyMiner1HopAllNtv")[-1] for choice, values in found.items()}
    assert balances == {"never": 0, "hop0": 900 + 30, "always": 900 + 60 + 30}
    to_b = {choice: in_sat(values, "FlowMinerOut1HopAllBBBNtv")[-1] for choice, values in found.items()}
    assert to_b == {"never": 0, "hop0": 60, "always": 0}
    from_a = {choice: in_sat(values, "FlowMinerIn1HopAllAAANtv")[-1] for choice, values in found.items()}
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
    assert in_sat(header, "IssTotNtv") == [5, 10, 0, 0]
    assert in_sat(header, "SplyCur") == [5, 15, 15, 15]
    assert numbers(header, "AdrActCnt") == [2, 2, 0, 0]
    assert in_sat(header, "SplyMiner0HopAllNtv") == [5, 15, 15, 15]
    # Medians with genesis: of (g, 0) 0; of (g, 0, 1) 0; of (g, 0, 0', 1) 0'; of (g, 0, 0', 1, 1') 0'.
    assert median.days == [day_of(START)]
    assert numbers(median, "BlkCnt") == [4]


def test_9_usd_is_the_exact_product() -> None:
    """To the last of 18 places, whatever the price has; of several flows together once."""
    blocks = [FUNDED, on_day(1, pay([(U, 10)], [(A, 3)]), pay([(U, 10)], [(B, 3)]), pay([(A, 1)], [(V, 1)]))]
    result = run(blocks, EXCHANGES, {day_of(START + DAY): Decimal("88.1234567891")}, clusters="labels_only")
    assert usd(result, "FlowInAAAUSD") == Decimal("0.000002643703703673")
    assert usd(result, "FlowInExInclUSD") == Decimal("0.000005287407407346")
    assert usd(result, "FlowNetExInclUSD") == Decimal("0.000004406172839455")
    assert result.values["FlowInExInclUSD"][0] is None


def test_9_usd_beyond_18_places_is_rounded_half_away_from_zero() -> None:
    """Once after summing: three halves of the last place, twice, are three."""
    blocks = [FUNDED, on_day(1, pay([(U, 10)], [(A, 3)]), pay([(U, 10)], [(B, 3)]), pay([(A, 1)], [(V, 1)]))]
    result = run(blocks, EXCHANGES, {day_of(START + DAY): Decimal("0.00000000005")}, clusters="labels_only")
    assert last(result, "FlowInAAAUSD") == 2
    assert last(result, "FlowInExInclUSD") == 3
    assert last(result, "FlowOutAAAUSD") == 1
    assert last(result, "FlowNetExInclUSD") == 3
    out = [FUNDED, on_day(1, pay([(A, 3)], [(V, 3)]))]
    assert last(run(out, prices={day_of(START + DAY): Decimal("0.00000000005")}), "FlowNetAAAUSD") == -2


def test_9_ratios() -> None:
    """One sat of three flows out every day: a third, rounded at the last of 18 places; 30 days are needed."""
    blocks = [on_day(0, coinbase((M, 3)))]
    blocks += [on_day(n, coinbase((M, 3)), pay([(M, 1)], [(U, 1)])) for n in range(1, 31)]
    result = run([*blocks, on_day(31)])
    assert result.values["MRI0HopAll30d"][:29] == [None] * 29
    assert result.values["MRI0HopAll30d"][29] == (2 * 100 * 29 * 10**18 + 90) // 180
    assert result.values["MRI0HopAll30d"][30] == 33_333333333333333333
    assert result.values["MOMR"][31] is None
    assert result.values["MOMR"][0] == 0
    assert result.values["TxTfrValMeanNtv"][0] is None
    assert in_sat(result, "TxTfrValMedNtv")[1] == 1


def test_9_means_and_medians() -> None:
    """Fees 1, 1, 6: mean 8/3 sat; transfers 4, 9: their median is between two satoshis."""
    blocks = [
        on_day(0, coinbase((M, 3)), pay([(U, 5)], [(V, 4)]), pay([(U, 10)], [(W, 9)]), pay([(U, 6)], []))
    ]
    result = run([*blocks, on_day(1)])
    assert result.values["FeeMeanNtv"][0] == 26_666_666_667
    assert in_sat(result, "FeeMedNtv")[0] == 1
    assert result.values["TxTfrValMeanNtv"][0] == result.values["TxTfrValMedNtv"][0] == 65_000_000_000
    assert result.values["FeeRevPct"][0] == (2 * 800 * 10**18 + 3) // 6
    assert result.values["BlkSizeMeanByte"][0] == 1001 * 10**18


def test_9_all_time_revenue_skips_days_without_a_price() -> None:
    blocks = [on_day(n, coinbase((M, 10**8))) for n in range(3)]
    prices = {day_of(START + n * DAY): Decimal(price) for n, price in ((0, 2), (2, 5))}
    result = run([*blocks], prices=prices)
    assert result.values["RevAllTimeUSD"] == [2 * 10**18, None, 7 * 10**18]
    assert result.values["MCTC"] == [2 * 10**18, None, (2 * 30 * 10**18 + 7) // 14]


def test_9_puell_needs_a_whole_year_of_prices() -> None:
    blocks = [on_day(n, coinbase((M, 10**8 * (1 + (n == 365))))) for n in range(367)]
    prices = {day_of(START + n * DAY): Decimal(1) for n in range(1, 367)}
    result = run(blocks, prices=prices)
    assert result.values["PuellMulTot"][:365] == [None] * 365
    assert result.values["PuellMulTot"][365] == result.values["PuellMulRev"][365]
    assert result.values["PuellMulTot"][365] == (2 * 2 * 365 * 10**18 + 366) // (2 * 366)


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
