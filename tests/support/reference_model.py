"""The methodology once more, as plainly as it can be said: dictionaries, loops and exact fractions, no SQL.

One function a paragraph of docs/methodology.md; hops are found on a networkx graph of payments. It is slow and it
is the judge: the engine must agree with it to the satoshi on every random economy.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import networkx as nx

from reflow.flows.methodology import REFERENCE, Methodology
from reflow.network import REGTEST
from support.economy import Economy, Transaction, day_of, mediantime, total, transfers

Conflicts = set[tuple[int, str, int, int]]


class Chain(NamedTuple):
    """An economy as numbered transactions with their days."""

    transactions: list[Transaction]
    coinbases: set[int]
    day: list[date]
    """Of each transaction."""
    blocks: list[tuple[date, int, Sequence[Transaction]]]
    """Day, height and transactions of each block."""


def chain_of(economy: Economy, clock: str = "mediantime") -> Chain:
    chain = Chain([], set(), [], [])
    times = [REGTEST.genesis_time]
    for height, block in enumerate(economy, start=1):
        times.append(block.time)
        day = day_of(mediantime(times) if clock == "mediantime" else block.time)
        chain.blocks.append((day, height, block.transactions))
        chain.coinbases.add(len(chain.transactions))
        chain.transactions.extend(block.transactions)
        chain.day.extend([day] * len(block.transactions))
    return chain


def complete_days(chain: Chain) -> list[date]:
    days = [day for day, _, _ in chain.blocks]
    return [min(days) + timedelta(n) for n in range((max(days) - min(days)).days)]


# methodology 3: entities.


def coinbase_payees(chain: Chain) -> dict[int, int]:
    """Account -> first coinbase that credits it more than zero."""
    since: dict[int, int] = {}
    for tx in sorted(chain.coinbases):
        for account, sat in chain.transactions[tx].outputs:
            if sat > 0:
                since.setdefault(account, tx)
    return since


def is_coinjoin(transaction: Transaction) -> bool:
    values = [sat for _, sat in transaction.outputs]
    k = max((values.count(sat) for sat in values), default=0)
    return k >= 3 and len({account for account, _ in transaction.inputs}) >= k and 2 * k >= len(values)


def close(
    chain: Chain, exchanges: Mapping[int, str], others: Mapping[int, str]
) -> tuple[dict[int, tuple[str, int]], Conflicts]:
    """Account -> (exchange, round), and the conflicts as (account, exchange, tx, round)."""
    unclaimable = set(exchanges) | set(others) | set(coinbase_payees(chain))
    owner = {account: (entity, 0) for account, entity in exchanges.items()}
    conflicted: set[int] = set()
    conflicts: Conflicts = set()
    number = 0
    while True:
        number += 1
        claims: dict[int, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        for tx, transaction in enumerate(chain.transactions):
            if tx in chain.coinbases or is_coinjoin(transaction):
                continue
            accounts = {account for account, _ in transaction.inputs}
            for entity in {owner[account][0] for account in accounts if account in owner}:
                for account in accounts - set(owner) - unclaimable - conflicted:
                    claims[account][entity].add(tx)
        for account, by_entity in claims.items():
            if len(by_entity) == 1:
                owner[account] = (next(iter(by_entity)), number)
            else:
                conflicted.add(account)
                conflicts |= {
                    (account, entity, tx, number) for entity, txs in by_entity.items() for tx in txs
                }
        if not any(len(by_entity) == 1 for by_entity in claims.values()):
            return owner, conflicts


def payments(chain: Chain) -> "nx.MultiDiGraph[int]":
    """Who paid whom: an edge from every input account to every account that got more than zero, keyed by tx."""
    graph: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    for tx, transaction in enumerate(chain.transactions):
        for sender, _ in transaction.inputs:
            for payee, sat in transaction.outputs:
                if sat > 0:
                    graph.add_edge(sender, payee, key=tx)
    return graph


def mining_since(
    chain: Chain, exchange_accounts: set[int], method: Methodology
) -> tuple[dict[int, int], dict[int, int]]:
    """since0 and since1; -1 for members in the whole history."""
    kept_out0 = exchange_accounts if method.exchange_accounts_as_miners == "never" else set()
    kept_out1 = set() if method.exchange_accounts_as_miners == "always" else exchange_accounts
    ever = method.membership == "ever"
    since0 = {a: -1 if ever else tx for a, tx in coinbase_payees(chain).items() if a not in kept_out0}
    graph = payments(chain)
    since1: dict[int, int] = {}
    for miner, start in since0.items():
        for _, payee, tx in graph.out_edges(miner, keys=True) if miner in graph else ():
            inputs = chain.transactions[tx].inputs
            wholly = all(account in since0 and since0[account] <= tx for account, _ in inputs)
            if tx >= start and payee not in kept_out1 and (wholly or method.sender != "all_inputs"):
                since1[payee] = min(tx, since1.get(payee, tx))
    return since0, {account: -1 if ever else tx for account, tx in since1.items()}


# methodology 4 and 5: one transaction.


class Part(NamedTuple):
    """n, d and c of methodology 4: what a set of accounts does in one transaction."""

    n: int
    d: int
    c: int


def part(transaction: Transaction, inside: Callable[[int], bool]) -> Part:
    debits = [sat for account, sat in transaction.inputs if inside(account)]
    return Part(len(debits), sum(debits), sum(sat for account, sat in transaction.outputs if inside(account)))


def without(inside: Callable[[int], bool], outside: Callable[[int], bool]) -> Callable[[int], bool]:
    return lambda account: inside(account) and not outside(account)


def is_sent_by(s: Part, everything: Part, sender: str) -> bool:
    return s.n == everything.n > 0 if sender == "all_inputs" else s.n > 0


def flow(s: Part, r: Part, everything: Part, method: Methodology) -> int:
    """From S to R (R without S), methodology 5."""
    net = r.c if method.netting == "gross" else max(0, r.c - r.d)
    match method.sender:
        case "any_input":
            return net if s.n > 0 else 0
        case "all_inputs":
            return r.c if s.n == everything.n > 0 else 0
        case "pro_rata":
            rest = everything.d - r.d
            return int(Fraction(net * s.d, rest)) if rest > 0 else 0
        case "min_net":
            return min(max(0, s.d - s.c), net)


def plain_out(s: Part, everything: Part, sender: str) -> int:
    away = everything.c - s.c
    if not is_sent_by(s, everything, sender):
        return 0
    if sender == "pro_rata":
        return int(Fraction(away * s.d, everything.d)) if everything.d > 0 else 0
    return min(max(0, s.d - s.c), away) if sender == "min_net" else away


def plain_in(s: Part, everything: Part, sender: str) -> int:
    """methodology 6 and 9.3: a coinbase has no inputs, so nobody sent it."""
    if sender == "pro_rata" and everything.n > 0:
        return int(Fraction(s.c * (everything.d - s.d), everything.d)) if everything.d > 0 else 0
    return 0 if is_sent_by(s, everything, sender) else s.c


# methodology 6: the catalogue.


class Books(NamedTuple):
    """All that a test compares."""

    days: list[date]
    values: dict[str, dict[date, Fraction | None]]
    owner: dict[int, tuple[str, int]]
    conflicts: Conflicts


def recompute(
    economy: Economy,
    exchanges: Mapping[int, str],
    others: Mapping[int, str] | None = None,
    prices: Mapping[date, Decimal] | None = None,
    method: Methodology = REFERENCE,
) -> Books:
    chain = chain_of(economy, method.clock)
    owner: dict[int, tuple[str, int]] = {account: (entity, 0) for account, entity in exchanges.items()}
    conflicts: Conflicts = set()
    if method.clusters == "common_input":
        owner, conflicts = close(chain, exchanges, others or {})
    days = complete_days(chain)
    codes = sorted(set(exchanges.values()))
    daily: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    since = mining_since(chain, set(owner), method)
    for tx, transaction in enumerate(chain.transactions):
        for name, sat in transaction_flows(tx, transaction, owner, since, codes, method).items():
            daily[name][chain.day[tx]] += sat
    control(chain, daily)
    balances(chain, owner, codes, since, days, daily, method)
    exact = {name: {day: Fraction(daily[name][day]) for day in days} for name in daily}
    known = {metric: exact[metric] for metric in exact if codes or "Ex" not in metric}
    values = in_units(days, known, prices or {})
    values |= means_and_medians(chain, days, exact)
    values |= market(days, values)
    return Books(days, values, owner, conflicts)


def transaction_flows(
    tx: int,
    transaction: Transaction,
    owner: Mapping[int, tuple[str, int]],
    since: tuple[dict[int, int], dict[int, int]],
    codes: Sequence[str],
    method: Methodology,
) -> dict[str, int]:
    """Stem -> sat that one transaction adds."""

    def in0(account: int) -> bool:
        return account in since[0] and since[0][account] <= tx

    def in1(account: int) -> bool:
        paid = account in since[1] and since[1][account] <= tx
        return paid and not in0(account) if method.one_hop == "exact" else paid or in0(account)

    everything = part(transaction, lambda account: True)
    flows: dict[str, int] = {}
    for hop, miner in enumerate((in0, in1)):
        s = part(transaction, miner)
        stem = f"FlowMiner{{}}{hop}HopAll"
        flows[stem.format("Out")] = plain_out(s, everything, method.sender)
        flows[stem.format("In")] = plain_in(s, everything, method.sender)
        flows[stem.format("Net")] = flows[stem.format("In")] - flows[stem.format("Out")]
    for code in (*codes, "Ex"):

        def mine(account: int, code: str = code) -> bool:
            return account in owner and code in ("Ex", owner[account][0])

        e = part(transaction, mine)
        coin = everything.n == 0
        positive = [account for account, sat in transaction.outputs if sat > 0]
        inside = sum(map(mine, positive))
        names = (
            ("FlowTfrToExCnt", "FlowTfrFromExCnt")
            if code == "Ex"
            else (f"FlowTfrIn{code}Cnt", f"FlowTfrOut{code}Cnt")
        )
        flows[names[0]] = 0 if coin or e.n else inside
        flows[names[1]] = len(positive) - inside if e.n else 0
        if code == "Ex":
            flows["TxExCnt"] = int(not coin and (e.n > 0 or inside > 0))
        flows[f"FlowIn{code}"] = 0 if coin else max(0, e.c - e.d)
        flows[f"FlowOut{code}"] = 0 if coin else max(0, e.d - e.c)
        for hop, miner in enumerate((in0, in1)):
            s = part(transaction, miner)
            e_only = part(transaction, without(mine, miner))
            s_only = part(transaction, without(miner, mine))
            flows[f"FlowMinerOut{hop}HopAll{code}"] = 0 if coin else flow(s, e_only, everything, method)
            flows[f"FlowMinerIn{hop}HopAll{code}"] = 0 if coin else flow(e, s_only, everything, method)
    for way in ("In", "Out"):
        flows[f"Flow{way}ExIncl"] = sum(flows[f"Flow{way}{code}"] for code in codes)
    for name, way in (("FlowTfrToExInclCnt", "In"), ("FlowTfrFromExInclCnt", "Out")):
        flows[name] = sum(flows[f"FlowTfr{way}{code}Cnt"] for code in codes)
    for code in (*codes, "Ex", "ExIncl"):
        flows[f"FlowNet{code}"] = flows[f"FlowIn{code}"] - flows[f"FlowOut{code}"]
    return flows


def control(chain: Chain, daily: dict[str, dict[date, int]]) -> None:
    sent: dict[date, set[int]] = defaultdict(set)
    received: dict[date, set[int]] = defaultdict(set)
    for day, height, transactions in chain.blocks:
        first, *rest = transactions
        fees = sum(total(t.inputs) - total(t.outputs) for t in rest)
        moved = [sat for t in rest for sat in transfers(t)]
        issued = total(first.outputs) - fees
        for name, value in {
            "BlkCnt": 1,
            "BlkSizeByte": 1000 + height,
            "TxCnt": len(rest),
            "TxTfrCnt": len(moved),
            "TxTfrVal": sum(moved),
            "FeeTot": fees,
            "IssTot": issued,
            "Rev": issued + fees,
        }.items():
            daily[name][day] += value
        for t in transactions:
            sent[day] |= {a for a, _ in t.inputs}
            received[day] |= {a for a, sat in t.outputs if sat > 0}
    for day in complete_days(chain):
        daily["AdrActCnt"][day] = len(sent[day] | received[day])
        daily["AdrActSentCnt"][day] = len(sent[day])
        daily["AdrActRecCnt"][day] = len(received[day])
        daily["SplyCur"][day] = sum(daily["IssTot"][d] for d, _, _ in set_of_days(chain) if d <= day)


def set_of_days(chain: Chain) -> list[tuple[date, None, None]]:
    return [(day, None, None) for day in sorted({day for day, _, _ in chain.blocks})]


def balances(
    chain: Chain,
    owner: Mapping[int, tuple[str, int]],
    codes: Sequence[str],
    since: tuple[dict[int, int], dict[int, int]],
    days: Sequence[date],
    daily: dict[str, dict[date, int]],
    method: Methodology,
) -> None:
    """End-of-day balance of everyone who is a member by then: every block with day <= d counts.

    Membership of an exchange holds for all time.
    """
    for day in days:
        held: dict[int, int] = defaultdict(int)
        for tx, transaction in enumerate(chain.transactions):
            if chain.day[tx] <= day:
                for account, sat in transaction.outputs:
                    held[account] += sat
                for account, sat in transaction.inputs:
                    held[account] -= sat
        m0, m1 = ({a for a, tx in who.items() if tx < 0 or chain.day[tx] <= day} for who in since)
        one_hop = m1 - m0 if method.one_hop == "exact" else m0 | m1
        daily["SplyMiner0HopAll"][day] = sum(held[account] for account in m0)
        daily["SplyMiner1HopAll"][day] = sum(held[account] for account in one_hop)
        daily["AdrBalCnt"][day] = sum(balance > 0 for balance in held.values())
        for code in (*codes, "Ex"):
            own = [account for account in owner if code in ("Ex", owner[account][0])]
            daily[f"Sply{code}"][day] = sum(held[account] for account in own)


NONE = Fraction(0)


def in_units(
    days: Sequence[date], daily: Mapping[str, Mapping[date, Fraction]], prices: Mapping[date, Decimal]
) -> dict[str, dict[date, Fraction | None]]:
    """Sat to native units and USD; ratios."""
    values: dict[str, dict[date, Fraction | None]] = {}
    for stem, by_day in daily.items():
        if stem.endswith(("Cnt", "Byte")):
            values[stem] = dict(by_day)
            continue
        name = stem if stem == "SplyCur" else f"{stem}Ntv"
        values[name] = {day: by_day[day] / 10**8 for day in days}
        values[f"{stem}USD"] = {
            day: rounded(by_day[day] / 10**8 * Fraction(prices[day])) if day in prices else None
            for day in days
        }
    for hop in (0, 1):
        out = daily[f"FlowMinerOut{hop}HopAll"]
        mri: dict[date, Fraction | None] = {}
        for n, day in enumerate(days):
            window = days[n - 29 : n + 1] if n >= 29 else []
            sent, revenue = sum((out[d] for d in window), NONE), sum((daily["Rev"][d] for d in window), NONE)
            mri[day] = rounded(100 * sent / revenue) if revenue > 0 else None
        values[f"MRI{hop}HopAll30d"] = mri
    one = daily["FlowMinerOut1HopAll"]
    values["MOMR"] = {d: rounded(one[d] / daily["Rev"][d]) if daily["Rev"][d] > 0 else None for d in days}
    return values


def means_and_medians(
    chain: Chain, days: Sequence[date], daily: Mapping[str, Mapping[date, Fraction]]
) -> dict[str, dict[date, Fraction | None]]:
    """Of the day's blocks, fees and transfers; nothing where there are none."""
    fees: dict[date, list[int]] = defaultdict(list)
    moved: dict[date, list[int]] = defaultdict(list)
    for day, _, (_, *rest) in chain.blocks:
        fees[day] += [total(t.inputs) - total(t.outputs) for t in rest]
        moved[day] += [sat for t in rest for sat in transfers(t)]

    def over(part: str, whole: str, unit: Fraction | int = 1) -> dict[date, Fraction | None]:
        return {
            day: rounded(daily[part][day] / daily[whole][day] / unit) if daily[whole][day] > 0 else None
            for day in days
        }

    return {
        "BlkSizeMeanByte": over("BlkSizeByte", "BlkCnt"),
        "FeeMeanNtv": over("FeeTot", "TxCnt", 10**8),
        "TxTfrValMeanNtv": over("TxTfrVal", "TxTfrCnt", 10**8),
        "FeeRevPct": over("FeeTot", "Rev", Fraction(1, 100)),
        "FeeMedNtv": {day: median(fees[day]) for day in days},
        "TxTfrValMedNtv": {day: median(moved[day]) for day in days},
    }


def median(values: Sequence[int]) -> Fraction | None:
    """In native units."""
    if not values:
        return None
    ordered = sorted(values)
    return Fraction(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2], 2) / 10**8


def market(
    days: Sequence[date], values: Mapping[str, Mapping[date, Fraction | None]]
) -> dict[str, dict[date, Fraction | None]]:
    """What is made of other metrics in USD."""
    so_far = NONE
    all_time: dict[date, Fraction | None] = {}
    for day in days:
        today = values["RevUSD"][day]
        so_far += today or 0
        all_time[day] = None if today is None else so_far
    mctc: dict[date, Fraction | None] = {}
    for day in days:
        parts = [values[f"SplyMiner{hop}HopAllUSD"][day] for hop in (0, 1)]
        whole = all_time[day]
        known = [part for part in parts if part is not None]
        mctc[day] = rounded(sum(known, NONE) / whole) if whole and len(known) == 2 else None
    puell: dict[str, dict[date, Fraction | None]] = {"PuellMulTot": {}, "PuellMulRev": {}}
    for name, part in (("PuellMulTot", "IssTotUSD"), ("PuellMulRev", "RevUSD")):
        for n, day in enumerate(days):
            window = [values[part][d] for d in days[max(0, n - 364) : n + 1]]
            year = [value for value in window if value is not None]
            whole = sum(year, NONE)
            puell[name][day] = rounded(year[-1] * 365 / whole) if len(year) == 365 and whole > 0 else None
    return {"RevAllTimeUSD": all_time, "MCTC": mctc, **puell}


def rounded(value: Fraction) -> Fraction:
    """To 18 places, half away from zero."""
    scaled = abs(value) * 10**18
    whole = int(scaled + Fraction(1, 2))
    return Fraction(whole if value >= 0 else -whole, 10**18)
