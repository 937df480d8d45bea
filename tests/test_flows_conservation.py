"""Laws that hold whatever the economy: checked on random ones, with nothing but the engine's own output."""

from collections import Counter
from dataclasses import replace
from itertools import accumulate

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reflow.flows.methodology import Methodology
from reflow.flows.recompute import Recomputation, recompute
from support.economies import Case, cases, methodologies
from support.economy import (
    DAY,
    START,
    Block,
    Posting,
    Transaction,
    coinbase,
    in_sat,
    labels_of,
    ledger_of,
    total,
)

QUICK = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def run(case: Case, method: Methodology) -> Recomputation:
    with ledger_of(case.economy) as ledger:
        return recompute(ledger, labels_of(case.exchanges, case.others), methodology=method)


def series(result: Recomputation, metric: str) -> list[int]:
    return [value or 0 for value in in_sat(result, metric)]


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
@given(case=cases(), method=methodologies())
def test_miners_send_no_more_than_exchanges_gain(case: Case, method: Methodology) -> None:
    """Under any_input, no exchange account being a miner: what moves within an exchange is no gain of it."""
    method = replace(method, sender="any_input", netting="net", exchange_accounts_as_miners="never")
    result = run(case, method)
    for code in {*case.exchanges.values(), "Ex"}:
        for hop in (0, 1):
            sent = series(result, f"FlowMinerOut{hop}HopAll{code}Ntv")
            gained = series(result, "FlowInExInclNtv" if code == "Ex" else f"FlowIn{code}Ntv")
            assert all(0 <= out <= gain for out, gain in zip(sent, gained, strict=True))


@QUICK
@given(case=cases(), method=methodologies())
def test_where_everybody_mines_nothing_goes_in_or_out(case: Case, method: Methodology) -> None:
    """S is everybody: all that comes in is the coinbases' and nothing goes out; the balance is the supply."""
    everybody = Block(START - DAY, [coinbase(*((account, 1) for account in range(12)))])
    result = run(Case([everybody, *case.economy], {}, {}), replace(method, one_hop="within"))
    for hop in (0, 1):
        assert not any(series(result, f"FlowMinerOut{hop}HopAllNtv"))
        assert series(result, f"FlowMinerIn{hop}HopAllNtv") == series(result, "RevNtv")
        assert series(result, f"FlowMinerNet{hop}HopAllNtv") == series(result, "RevNtv")
        assert series(result, f"SplyMiner{hop}HopAllNtv") == series(result, "SplyCur")


def funded(economy: list[Block]) -> list[Block]:
    """Nobody spends more than there is: inputs are cut to what the account has, outputs to the inputs."""
    has: Counter[int] = Counter()
    blocks = []
    for block in economy:
        paid = [_funded(transaction, has) for transaction in block.transactions]
        blocks.append(block._replace(transactions=paid))
    return blocks


def _funded(transaction: Transaction, has: Counter[int]) -> Transaction:
    inputs: list[Posting] = []
    for account, sat in transaction.inputs:
        inputs.append((account, min(sat, has[account])))
        has[account] -= inputs[-1][1]
    left = total(inputs) if inputs else total(transaction.outputs)
    outputs: list[Posting] = []
    for account, sat in transaction.outputs:
        outputs.append((account, min(sat, left)))
        left -= outputs[-1][1]
        has[account] += outputs[-1][1]
    return Transaction(inputs, outputs)


@QUICK
@given(case=cases(), method=methodologies())
def test_miners_hold_a_part_of_the_supply(case: Case, method: Methodology) -> None:
    """Median clock: a header day may have the spending of money that comes with a later day."""
    result = run(case._replace(economy=funded(case.economy)), replace(method, clock="mediantime"))
    supply = series(result, "SplyCur")
    for hop in (0, 1):
        held = series(result, f"SplyMiner{hop}HopAllNtv")
        assert all(0 <= part <= whole for part, whole in zip(held, supply, strict=True)), (held, supply)


@QUICK
@given(case=cases(), method=methodologies(), share=st.floats(0, 1))
def test_published_days_never_change_as_the_chain_grows(
    case: Case, method: Methodology, share: float
) -> None:
    """As of: for a given set of exchange accounts a day is final once it is complete (methodology 3)."""
    method = replace(method, clock="mediantime", clusters="labels_only", membership="as_of")
    whole = run(case, method)
    start = run(case._replace(economy=case.economy[: 1 + int(share * (len(case.economy) - 1))]), method)
    days = len(start.days)
    assert start.days == whole.days[:days]
    assert start.values == {metric: values[:days] for metric, values in whole.values.items()}
