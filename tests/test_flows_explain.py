"""Every cell of random economies taken apart: parts add up to what recompute has, and every reason is true.

The reference model says who is whose, since when and by which round, and what one transaction adds to a metric; the
simulated economy, read from its files, says which address each account has.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import reference_model
from chains import KEY, ingest_folder, simulation
from economies import Case, cases, methodologies
from economy import START, clock_to, coinbase, day_of, labels_of, ledger_of, on_day, pay, settled
from plain_parser import account, parse_block, parse_undo
from reflow.entities.labels import Labels, read_labels
from reflow.errors import LedgerError, MetricError
from reflow.flows.catalog import Metric, seeds
from reflow.flows.explain import explain
from reflow.flows.explanation import Explanation
from reflow.flows.methodology import REFERENCE, Methodology
from reflow.flows.prices import prices_of
from reflow.flows.recompute import Recomputation, recompute
from reflow.ledger.ledger import Ledger
from reflow.network import REGTEST
from reflow.script import address_of, describe
from reflow.simulate.blockfiles import write_chain

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def can_be_explained(metric: Metric) -> bool:
    balances = ("SplyMiner", "MRI", "MOMR")
    return metric.family not in balances and metric.id not in ("SplyCur", "AdrActCnt")


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
    all_cells = [(m, day) for m in result.metrics if can_be_explained(m) for day in result.days]
    lively = [
        (m, day)
        for m, day in all_cells
        if m.family != "Control" and result.values[m.id][result.days.index(day)]
    ]
    return lively or all_cells


def agrees_with_cell(found: Explanation, result: Recomputation) -> None:
    cell = result.values[found.metric.id][result.days.index(found.day)]
    assert found.value == cell
    parts = [part.amount for part in found.parts] + [block.amount for block in found.blocks]
    assert sum(parts) == found.total
    assert len(parts) == found.number
    assert parts == sorted(parts, key=abs, reverse=True)
    if cell is not None and found.metric.unit == "native":
        assert found.total == cell
    if found.metric.unit in ("count", "bytes"):
        assert found.total * 10**8 == cell


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
    if metric.unit == "USD" and found.value is not None:
        assert found.price is not None
        assert found.value == rounded(Decimal(found.total) * Decimal(found.price))
    assert found.parts or not values[number]
    assert bool(found.warnings) == (found.value is None)


def rounded(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))


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


def test_what_cannot_be_explained_is_one_line(opened: Opened) -> None:
    ledger, labels, result = opened
    day = result.days[3]
    for metric, text in (
        ("FlowMinerOut1HopAlBNBNtv", "the nearest: FlowMinerOut1HopAllBNBNtv"),
        ("MOMR", "it is made of FlowMinerOut1HopAllNtv, RevNtv"),
        ("MRI0HopAll30d", "it is made of FlowMinerOut0HopAllNtv, RevNtv"),
        ("SplyMiner1HopAllUSD", "what can be explained: FlowMinerIn…"),
        ("AdrActCnt", "what can be explained: FlowMinerIn…"),
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
    ],
)
def test_roles(metric: str, senders: set[int], receivers: set[int]) -> None:
    mixed = pay([(M, 100), (P, 50), (A, 1000)], [(A, 600), (B, 390), (M, 110), (U, 40)])
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
