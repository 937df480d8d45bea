"""Every cell of random economies taken apart: parts add up to what recompute has, and every reason is true.

The reference model says who is whose, since when and by which round, and what one transaction adds to a metric; the
simulated economy, read from its files, says which address each account has.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reflow.errors import LedgerError, MetricError
from reflow.explanations.explain import explain, explain_cell, open_session
from reflow.explanations.explanation import Explanation
from reflow.flows.catalog import Metric, seeds
from reflow.flows.methodology import REFERENCE, Methodology
from reflow.flows.prices import prices_of
from reflow.flows.recompute import Recomputation, recompute
from reflow.ledger.ledger import Ledger
from reflow.network import REGTEST
from reflow.owners.labels import Labels, read_labels
from reflow.script import address_of, describe
from reflow.simulate.blockfiles import write_chain
from support import reference_model
from support.chains import KEY, ingest_folder, simulation
from support.economies import Case, cases, methodologies
from support.economy import START, clock_to, coinbase, day_of, labels_of, ledger_of, on_day, pay, settled
from support.plain_parser import account, parse_block, parse_undo

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# Random economies.


@FEW
@given(case=cases(), method=methodologies(), data=st.data())
def test_parts_and_reasons_of_any_cell(case: Case, method: Methodology, data: st.DataObject) -> None:
    labels = labels_of(case.exchanges, case.others)
    with ledger_of(case.economy) as ledger:
        result = recompute(ledger, labels, methodology=method)
        assume(result.days)
        metric, day = data.draw(st.sampled_from(cells_of(result)))
        found = explain(ledger, labels, metric.id, day, methodology=method)
    agrees_with_cell(found, result)
    if metric.family != "Control":
        agrees_with_model(found, case, method)


def cells_of(result: Recomputation) -> list[tuple[Metric, date]]:
    """Cells that tell something where there are some, else all."""
    all_cells = [(m, day) for m in result.metrics if m.adds == "transactions" for day in result.days]
    return [(m, day) for m, day in all_cells if result.values[m.id][result.days.index(day)]] or all_cells


@settings(FEW, max_examples=10)
@given(case=cases(), method=methodologies(), data=st.data())
def test_every_metric_of_a_day_adds_up(case: Case, method: Methodology, data: st.DataObject) -> None:
    """Under any methodology, either clock, with days and accounts that no ledger of real coins would have."""
    labels = labels_of(case.exchanges, case.others)
    with ledger_of(case.economy) as ledger:
        result = recompute(ledger, labels, prices=RANDOM_PRICES, methodology=method)
        assume(result.days)
        day = data.draw(st.sampled_from(result.days))
        with open_session(ledger, labels, prices=RANDOM_PRICES, methodology=method) as opened:
            flows = [metric for metric in result.metrics if metric.adds == "transactions"]
            others = [metric for metric in result.metrics if metric.adds in ("blocks", "changes")]
            for metric in (*others, *data.draw(st.lists(st.sampled_from(flows), max_size=3))):
                found = explain_cell(opened, metric.id, day)
                agrees_with_cell(found, result)
                if metric.family == "SplyMiner":
                    joined_agree_with_model(found, case, method)


RANDOM_PRICES = prices_of({day_of(START) + timedelta(n): Decimal(f"{n}.37") for n in range(0, 40, 2)})


def agrees_with_cell(found: Explanation, result: Recomputation) -> None:
    metric, number = found.metric, result.days.index(found.day)
    values = result.values[metric.id]
    assert found.value == values[number]
    parts = [part.amount for part in found.parts] + [block.amount for block in found.blocks]
    joined = [joined.amount for joined in found.joined]
    assert sum(parts) + sum(joined) == found.total
    assert (len(parts), len(joined)) == (found.number, found.joined_number)
    for amounts in (parts, joined):
        assert amounts == sorted(amounts, key=abs, reverse=True)
        assert found.blocks or 0 not in amounts
    unpriced = metric.stem if metric.unit == "count" or metric.id == "SplyCur" else f"{metric.stem}Ntv"
    is_known = unpriced not in result.values or result.values[unpriced][number] is not None
    assert (found.before is not None) == (metric.adds == "changes" and is_known)
    unit = 10**10 if metric.unit in ("native", "USD") else 10**18
    if metric.unit != "USD" and found.value is not None:
        assert (found.total + (found.before or 0)) * unit == found.value
        before = values[number - 1] if number else 0
        assert found.before is None or found.before * unit == before
    if metric.unit == "USD" and found.value is not None:
        assert found.price is not None
        assert found.value == rounded((found.total + (found.before or 0)) * unit * Decimal(found.price))


def rounded(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP, Context(prec=60)))


def joined_agree_with_model(found: Explanation, case: Case, method: Methodology) -> None:
    """Accounts in the set at the end of the day and not the day before, or the other way round, with what they held."""
    chain = reference_model.chain_of(case.economy, method.clock)
    closed, _ = reference_model.close(chain, case.exchanges, case.others)
    exchange_accounts = set(closed if method.clusters == "common_input" else case.exchanges)
    since = reference_model.mining_since(chain, exchange_accounts, method)

    def members(day: date) -> set[int]:
        zero, one = ({a for a, tx in who.items() if tx < 0 or chain.day[tx] <= day} for who in since)
        if found.metric.hop == 0:
            return zero
        return one - zero if method.one_hop == "exact" else one | zero

    held: defaultdict[int, int] = defaultdict(int)
    for tx, transaction in enumerate(chain.transactions):
        if chain.day[tx] < found.day:
            for payee, sat in transaction.outputs:
                held[payee] += sat
            for payer, sat in transaction.inputs:
                held[payer] -= sat
    now, before = members(found.day), members(found.day - timedelta(1))
    expected = {a: held[a] for a in now - before} | {a: -held[a] for a in before - now}
    assert {j.account: j.amount for j in found.joined} == {a: sat for a, sat in expected.items() if sat}
    for joined in found.joined:
        assert {"coinbase", "payout"} & {reason.kind for reason in joined.reasons}


def agrees_with_model(found: Explanation, case: Case, method: Methodology) -> None:
    chain = reference_model.chain_of(case.economy, method.clock)
    closed, _ = reference_model.close(chain, case.exchanges, case.others)
    labelled = {a: (entity, 0) for a, entity in case.exchanges.items()}
    owner = closed if method.clusters == "common_input" else labelled
    since = reference_model.mining_since(chain, set(owner), method)
    codes = sorted(set(case.exchanges.values()))
    expected = {}
    for tx, transaction in enumerate(chain.transactions):
        flows = reference_model.transaction_flows(tx, transaction, owner, since, codes, method)
        if chain.day[tx] == found.day and flows.get(found.metric.stem):
            expected[tx] = flows[found.metric.stem]
    assert {part.tx: part.amount for part in found.parts} == expected
    payees = reference_model.coinbase_payees(chain)
    for part in found.parts:
        transaction = chain.transactions[part.tx]
        for side, postings in ((part.debits, transaction.inputs), (part.credits, transaction.outputs)):
            assert {p.account: p.value for p in side} == totals(postings)
            assert sum(p.postings for p in side) == len(postings)
            for party in side:
                told = {reason.kind: reason for reason in party.reasons}
                is_member = party.account in since[0] and since[0][party.account] <= part.tx
                assert ("coinbase" in told) == is_member
                if is_member:
                    assert told["coinbase"].tx == payees[party.account]
                paid = party.account in since[1] and since[1][party.account] <= part.tx and not is_member
                assert ("payout" in told) == paid
                if paid:
                    ever_paid = first_payout(chain, since[0], party.account, method)
                    assert told["payout"].tx == ever_paid
                    assert found.origins[ever_paid]
                entity, number = owner.get(party.account, ("", 0))
                assert ("closure" in told) == (number > 0)
                if number:
                    assert (told["closure"].entity, told["closure"].round) == (entity, number)
                    joined = told["closure"].tx
                    assert joined is not None
                    signers = {a for a, _ in chain.transactions[joined].inputs}
                    assert party.account in signers
                    assert any(
                        owner.get(a, ("", 9))[1] == number - 1 and owner[a][0] == entity for a in signers
                    )
                    assert not reference_model.is_coinjoin(chain.transactions[joined])
                known = case.exchanges | case.others
                assert ("label" in told) == (party.account in known)
                if party.account in known:
                    assert told["label"].entity == known[party.account]


def first_payout(
    chain: reference_model.Chain, since0: dict[int, int], payee: int, method: Methodology
) -> int:
    """The first transaction sent by M0 that credits the payee."""
    for tx, transaction in enumerate(chain.transactions):
        mine = [a in since0 and since0[a] <= tx for a, _ in transaction.inputs]
        sent = all(mine) if method.sender == "all_inputs" else any(mine)
        if mine and sent and any(a == payee and sat > 0 for a, sat in transaction.outputs):
            return tx
    raise AssertionError


def totals(postings: Iterable[tuple[int, int]]) -> dict[int, int]:
    sums: defaultdict[int, int] = defaultdict(int)
    for payee, sat in postings:
        sums[payee] += sat
    return dict(sums)


# The simulated economy, from its files.


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several XOR-ed files with stale blocks, the ledger made from them, and the labels."""
    base = tmp_path_factory.mktemp("explain")
    chain = simulation()
    write_chain(base / "blocks", chain.blocks, stale=chain.stale, window=5, xor_key=KEY, max_file_size=90_000)
    ingest_folder(base / "ledger", base / "blocks")
    lines = [
        f"{address_of(label.address.script, REGTEST)},{label.entity},{label.category}\n"
        for label in chain.labels
    ]
    (base / "labels.csv").write_text("address,entity,category\n" + "".join(lines))
    return base


@pytest.fixture(scope="module")
def opened(home: Path) -> Iterator[tuple[Ledger, Labels, Recomputation]]:
    with Ledger.open(home / "ledger", read_only=True) as ledger:
        labels = read_labels([home / "labels.csv"], ledger.network)
        yield ledger, labels, recompute(ledger, labels, prices=PRICES)


PRICES = prices_of(simulation().prices)
Opened = tuple[Ledger, Labels, Recomputation]


@pytest.mark.parametrize("metric", seeds(), ids=lambda metric: metric.id)
def test_every_seed_metric_adds_up_to_the_published_cell(opened: Opened, metric: Metric) -> None:
    ledger, labels, result = opened
    values = result.values[metric.id]
    number = max(range(len(values)), key=lambda n: (values[n] or 0, n))
    found = explain(ledger, labels, metric.id, result.days[number], prices=PRICES)
    agrees_with_cell(found, result)
    assert found.parts or not values[number]
    assert bool(found.warnings) == (found.value is None)


def test_a_day_without_a_price_is_told(opened: Opened) -> None:
    ledger, labels, result = opened
    day = next(day for day in result.days if day not in PRICES.usd)
    found = explain(ledger, labels, "FlowMinerOut1HopAllExUSD", day, prices=PRICES)
    assert (found.value, found.price) == (None, None)
    assert found.total > 0
    assert found.warnings == [f"FlowMinerOut1HopAllExUSD is null on {day}: no price that day"]


def test_addresses_and_txids_are_those_of_the_blocks(opened: Opened) -> None:
    ledger, labels, result = opened
    found = explain(ledger, labels, "FlowMinerOut1HopAllNtv", result.days[20])
    assert len(found.parts) > 5
    for part in found.parts:
        name = found.names[part.tx]
        block = simulation().blocks[name.height]
        transaction = parse_block(block.raw)[name.position]
        assert (transaction.txid, block.hash[::-1].hex()) == (name.txid, name.block_hash)
        spent = [(c.value, c.script) for c in parse_undo(block.undo or b"")[name.position - 1]]
        for side, coins in ((part.debits, spent), (part.credits, transaction.outputs)):
            addresses = {account(script): describe(script, REGTEST) for _, script in coins}
            assert {party.account: party.address for party in side} == addresses
            assert sum(party.value for party in side) == sum(value for value, _ in coins)


def test_limit_keeps_the_largest_and_the_sum_of_all(opened: Opened) -> None:
    ledger, labels, result = opened
    whole = explain(ledger, labels, "FlowInExInclNtv", result.days[20])
    few = explain(ledger, labels, "FlowInExInclNtv", result.days[20], limit=2)
    assert few.parts == whole.parts[:2]
    assert (few.total, few.number) == (whole.total, whole.number)
    assert whole.number > 2


def test_without_its_blocks_accounts_have_numbers_and_one_line_says_why(home: Path, tmp_path: Path) -> None:
    shutil.copy(home / "ledger", tmp_path / "ledger")
    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.con.execute("UPDATE source.folder SET path = $path", {"path": str(tmp_path / "gone")})
        labels = read_labels([home / "labels.csv"], ledger.network)
        found = explain(ledger, labels, "FlowMinerOut1HopAllExNtv", date(2020, 1, 20))
    unknown = [a for account, a in found.addresses.items() if a == f"account {account}"]
    assert 0 < len(unknown) < len(found.addresses)
    assert len(found.warnings) == 1
    assert f"{len(unknown)} accounts: {tmp_path / 'gone'}: no such folder" in found.warnings[0]


def test_a_balance_of_miners_says_who_joined_with_what_it_held(opened: Opened) -> None:
    """Customers whom a miner pays bring what they held; their addresses are read from the payment's block."""
    ledger, labels, result = opened
    found = max(
        (explain(ledger, labels, "SplyMiner1HopAllNtv", day, limit=3) for day in result.days[10:14]),
        key=lambda cell: cell.joined_number,
    )
    assert found.joined_number > 0
    assert 0 < len(found.joined) <= 3
    for joined in found.joined:
        [payout] = [reason for reason in joined.reasons if reason.kind == "payout"]
        assert payout.tx is not None
        name = found.names[payout.tx]
        block = simulation().blocks[name.height]
        outputs = parse_block(block.raw)[name.position].outputs
        assert joined.address in {describe(script, REGTEST) for _, script in outputs}
        assert day_of(block.mediantime) == found.day
    told = found.facts()
    assert (told["before"], told["change"]) == (found.before, found.total)
    assert [one["adds"] for one in told["joined"]] == [joined.amount for joined in found.joined]
    assert [one["address"] for one in told["joined"]] == [joined.address for joined in found.joined]
    assert all(reason["txid"] for one in told["joined"] for reason in one["reasons"])


def test_only_end_of_day_figures_have_a_day_before(opened: Opened) -> None:
    ledger, labels, result = opened
    told = explain(ledger, labels, "TxExCnt", result.days[20]).facts()
    assert (told["before"], told["change"], told["joined"], told["unit"]) == (None, None, [], "count")
    assert {part["adds"] for part in told["transactions"]} == {1}
    assert told["total"] == told["number"] == int(told["value"])


def test_what_cannot_be_explained_is_one_line(opened: Opened) -> None:
    ledger, labels, result = opened
    day = result.days[3]
    for metric, text in (
        ("FlowMinerOut1HopAlBNBNtv", "the nearest: FlowMinerOut1HopAllBNBNtv"),
        ("MOMR", "it is made of FlowMinerOut1HopAllNtv, RevNtv$"),
        ("MRI0HopAll30d", "it is made of FlowMinerOut0HopAllNtv, RevNtv$"),
        ("BlkSizeMeanByte", "it is made of BlkSizeByte, BlkCnt$"),
        ("FeeRevPct", "it is made of FeeTotNtv, RevNtv$"),
        ("RevAllTimeUSD", "it is made of RevUSD$"),
        ("MCTC", "it is made of SplyMiner0HopAllUSD, SplyMiner1HopAllUSD, RevAllTimeUSD$"),
        ("PuellMulTot", "it is made of IssTotUSD$"),
        ("FeeMedNtv", "Median of the fees .* What can be explained: FlowMinerIn…"),
        ("AdrActCnt", "Distinct accounts .* What can be explained: FlowMinerIn…"),
    ):
        with pytest.raises(MetricError, match=text):
            explain(ledger, labels, metric, day)
    for outside in (result.days[0] - timedelta(1), result.days[-1] + timedelta(1)):
        with pytest.raises(LedgerError, match=f"expected {result.days[0]} to {result.days[-1]}$"):
            explain(ledger, labels, "BlkCnt", outside)
    with Ledger.open(None, REGTEST) as empty, pytest.raises(LedgerError, match="no complete day yet"):
        explain(empty, labels, "BlkCnt", day)


# Roles, on the worked transactions: M = 1 mines, P = 2 was paid by it, A = 3 and B = 4 are exchanges, U = 5.

M, P, A, B, U = range(1, 6)


@pytest.mark.parametrize(
    ("metric", "senders", "receivers"),
    [
        ("FlowMinerOut0HopAllAAANtv", {M}, {A}),
        ("FlowMinerOut1HopAllExNtv", {M, P}, {A, B}),
        ("FlowMinerOut1HopAllNtv", {M, P}, {A, B}),
        ("FlowMinerIn0HopAllAAANtv", {A}, {M}),
        ("FlowMinerIn1HopAllExNtv", {A}, {M, U}),
        ("FlowOutAAANtv", {A}, {M, B, U}),
        ("FlowInBBBNtv", {M, P, A}, {B}),
        ("FlowOutExNtv", {A}, {M, U}),
        ("FlowNetAAANtv", {M, P, A}, {M, A, B, U}),
        ("FlowInExInclNtv", {M, P, A}, {A, B}),
        ("FlowTfrFromExCnt", {A}, {M, U}),
        ("FlowTfrOutAAACnt", {A}, {M, B, U}),
        ("FlowTfrInBBBCnt", {M, P, A}, {B}),
        ("TxExCnt", {A}, {A, B}),
        ("SplyAAANtv", {A}, {A}),
        ("SplyExNtv", {A}, {A, B}),
        ("SplyMiner0HopAllNtv", {M}, {M}),
    ],
)
def test_roles(metric: str, senders: set[int], receivers: set[int]) -> None:
    mixed = pay([(M, 100), (P, 50), (A, 1000)], [(A, 600), (B, 390), (M, 110), (U, 40), (9, 0)])
    economy = settled(
        on_day(0, coinbase((M, 5000))), on_day(0, pay([(M, 60)], [(P, 50)])), *clock_to(1), on_day(1, mixed)
    )
    labels = labels_of({A: "AAA", B: "BBB"})
    day = day_of(START) + timedelta(1)
    with ledger_of(economy) as ledger:
        method = replace(REFERENCE, clusters="labels_only", netting="gross")
        found = explain(ledger, labels, metric, day, methodology=method)
        result = recompute(ledger, labels, methodology=method)
    agrees_with_cell(found, result)
    [part] = found.parts
    assert {party.account for party in part.debits if party.role == "sender"} == senders
    assert {party.account for party in part.credits if party.role == "receiver"} == receivers


@pytest.mark.parametrize("one_hop", ["within", "exact"])
def test_accounts_that_join_and_leave(one_hop: Literal["within", "exact"]) -> None:
    """U, paid by M on the second day, held 1000; P, within one hop since then, is paid by a coinbase on the third."""
    blocks = [
        on_day(0, coinbase((M, 5000)), pay([(A, 1000)], [(U, 1000)])),
        *clock_to(1),
        on_day(1, pay([(U, 50)], [(A, 50)]), pay([(M, 60)], [(U, 10), (P, 50)])),
        *clock_to(2),
        on_day(2, coinbase((P, 7))),
    ]
    labels = labels_of({B: "BBB"})
    method = replace(REFERENCE, one_hop=one_hop)
    with ledger_of(settled(*blocks)) as ledger:
        result = recompute(ledger, labels, methodology=method)
        second, third = (
            explain(ledger, labels, "SplyMiner1HopAllNtv", day_of(START) + timedelta(n), methodology=method)
            for n in (1, 2)
        )
        pools = explain(
            ledger, labels, "SplyMiner0HopAllNtv", day_of(START) + timedelta(1), methodology=method
        )
    for found in (second, third, pools):
        agrees_with_cell(found, result)
    [paid] = pools.parts
    # P is a pool from the third day on
    assert [p.role for p in (*paid.debits, *paid.credits)] == ["sender", "", ""]
    exact = one_hop == "exact"
    assert [(joined.account, joined.amount) for joined in second.joined] == [(U, 1000)]
    # U paid before M paid U: a member by the end of the day counts the whole day
    changes = {tuple(party.account for party in part.debits): part.amount for part in second.parts}
    assert changes == ({(U,): -50, (M,): 60} if exact else {(U,): -50})
    [payer] = second.parts[-1].debits
    assert (payer.account, payer.role, [reason.kind for reason in payer.reasons]) == (U, "sender", ["payout"])
    assert [(joined.account, joined.amount) for joined in third.joined] == ([(P, -50)] if exact else [])
    assert [part.amount for part in third.parts] == ([] if exact else [7])


def test_accounts_that_came_to_hold_something() -> None:
    """A fills U and V and is emptied, W passes on what it got; U hands on all it has, which changes no number."""
    v, w = 6, 7
    blocks = [
        on_day(0, coinbase((M, 50), (A, 30))),
        *clock_to(1),
        on_day(
            1,
            pay([(A, 30)], [(U, 10), (v, 20)]),
            pay([(M, 10)], [(w, 10)]),
            pay([(w, 10)], [(M, 10), (B, 0)]),
            pay([(U, 10)], [(8, 10)]),
        ),
    ]
    labels = labels_of({})
    with ledger_of(settled(*blocks)) as ledger:
        found = explain(ledger, labels, "AdrBalCnt", day_of(START) + timedelta(1))
        agrees_with_cell(found, recompute(ledger, labels))
    assert (found.before, found.total, found.cell()) == (2, 1, "3")
    assert [part.amount for part in found.parts] == [1, 1, -1]
    roles = [
        {(party.account, party.role) for party in (*part.debits, *part.credits) if party.role}
        for part in found.parts
    ]
    assert roles == [{(A, "emptied"), (U, "filled"), (v, "filled")}, {(w, "filled")}, {(w, "emptied")}]
