"""The simulator's own books: the daily metrics as they must be, since the simulator knows all owners.

Plain dictionaries and loops, nothing shared with the engine: no SQL, no ledger, no decoded bytes. An account
is known by its scriptPubKey. Exchanges report which of their accounts signed together, so the books know
which deposit addresses an outsider can link to the published hot wallets. Metrics as methodology 1
to 6 define them by default.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Final, NamedTuple

Entry = tuple[bytes, int]
"""Account (scriptPubKey) and satoshis."""

Row = dict[str, Decimal | None]
"""One day: metric id to value, in native units, USD or counts; None where it cannot be computed."""

_EXACT: Final = Context(prec=200)
"""More digits than any value here has."""
_PLACES: Final = 18
_PRICED: Final = ("TxTfrVal", "FeeTot", "IssTot", "Rev")


class Transfer(NamedTuple):
    """One transaction after the coinbase: what its inputs spend and its outputs pay."""

    debits: tuple[Entry, ...]
    credits: tuple[Entry, ...]

    @property
    def senders(self) -> set[bytes]:
        """The accounts that its inputs spend from."""
        return {account for account, _ in self.debits}


class BlockEntry(NamedTuple):
    """One block."""

    time: int
    """Of its header."""
    mediantime: int
    size: int
    coinbase: tuple[Entry, ...]
    transfers: tuple[Transfer, ...]


class Books:
    """Fill with `publish`, `signed_together` and `add_block` (in chain order), then ask for the `rows`."""

    def __init__(self) -> None:
        self._blocks: list[BlockEntry] = []
        self._published: defaultdict[str, set[bytes]] = defaultdict(set)
        self._together: defaultdict[str, list[frozenset[bytes]]] = defaultdict(list)

    def publish(self, exchange: str, account: bytes) -> None:
        """Publish a hot wallet of this exchange."""
        self._published[exchange].add(account)

    def signed_together(self, exchange: str, accounts: Iterable[bytes]) -> None:
        """Accounts of one exchange that signed one transaction, its mining accounts left out."""
        self._together[exchange].append(frozenset(accounts))

    def add_block(self, block: BlockEntry) -> None:
        """The next block of the chain."""
        self._blocks.append(block)

    def rows(
        self, prices: Mapping[date, Decimal], view: "View | None" = None, *, header_clock: bool = False
    ) -> dict[date, Row]:
        """Every complete day: control metrics, flows and balances of miners and exchanges, and what is made of them.

        `view` is who has the books open, everybody if left out; `header_clock` cuts the days by header times.
        """
        seen = view or View({}, frozenset())
        exchanges = {
            code: self._linked(code) | seen.known.get(code, frozenset()) for code in sorted(self._published)
        }
        members = _Members(exchanges, seen.overlooked)
        totals: defaultdict[date, Totals] = defaultdict(lambda: Totals(exchanges))
        for block in self._blocks:
            day = _day(block.time if header_clock else block.mediantime)
            totals[day].add_block(block, members, day)
        days = sorted(totals)
        history = _History(members)
        for number in range((days[-1] - days[0]).days):  # the last day is not complete
            day = days[0] + timedelta(days=number)
            history.add_day(day, totals[day], prices.get(day))
        return history.rows

    def deposits(self, day: date) -> list[tuple[str, Transfer]]:
        """The transfers of a day in which one exchange gains and none has signed, with its code."""
        exchanges = {code: self._linked(code) for code in sorted(self._published)}
        everyone = frozenset[bytes]().union(*exchanges.values())
        transfers = (t for block in self._blocks if _day(block.mediantime) == day for t in block.transfers)
        gains = (
            (t, [code for code, accounts in exchanges.items() if _gain(t, accounts)])
            for t in transfers
            if not t.senders & everyone
        )
        return [(codes[0], transfer) for transfer, codes in gains if len(codes) == 1]

    def unlinked(self, exchange: str, accounts: Iterable[bytes]) -> frozenset[bytes]:
        """Those of an exchange's accounts that nobody outside can link to its published ones."""
        return frozenset(accounts) - self._linked(exchange)

    def _linked(self, exchange: str) -> frozenset[bytes]:
        """The accounts that lead back to a published one through joint signatures."""
        linked = set(self._published[exchange])
        while grown := [group for group in self._together[exchange] if group & linked and group - linked]:
            linked = linked.union(*grown)
        return frozenset(linked)


class View(NamedTuple):
    """Differences in knowledge of another reader of the same books."""

    known: Mapping[str, frozenset[bytes]]
    """Accounts of exchanges beside those that everybody can link."""
    overlooked: frozenset[Transfer]
    """Transfers that are missing in the flows."""


class _Members:
    """Who mines: accounts paid by a coinbase (hop 0), and those paid by them too (within one hop)."""

    def __init__(self, exchanges: Mapping[str, frozenset[bytes]], overlooked: frozenset[Transfer]) -> None:
        self.exchanges = exchanges
        self.overlooked = overlooked
        self.any_exchange = frozenset[bytes]().union(*exchanges.values())
        self.parties = {**exchanges, "Ex": self.any_exchange}
        self.hops: tuple[set[bytes], set[bytes]] = (set(), set())
        self.minted: dict[bytes, date] = {}
        self.paid: dict[bytes, date] = {}

    def see_coinbase(self, outputs: Sequence[Entry], day: date) -> None:
        for account in _paid(outputs) - self.any_exchange:
            self.minted.setdefault(account, day)
            self.hops[0].add(account)
            self.hops[1].add(account)

    def see_transfer(self, transfer: Transfer, day: date) -> None:
        if transfer.senders & self.hops[0]:
            for account in _paid(transfer.credits) - self.any_exchange:
                self.paid.setdefault(account, day)
                self.hops[1].add(account)

    def by_end_of(self, day: date) -> tuple[set[bytes], set[bytes]]:
        """The members of either hop at the end of a day."""
        minted, paid = (
            {account for account, since in who.items() if since <= day} for who in (self.minted, self.paid)
        )
        return minted, minted | paid


class Totals:
    """One day's sums, in satoshis and counts."""

    def __init__(self, exchanges: Iterable[str]) -> None:
        codes = [*exchanges]
        receivers = [*codes, "Ex"]
        self.flows = {
            f"FlowMiner{way}{hop}HopAll{e}": 0
            for way in ("In", "Out")
            for hop in (0, 1)
            for e in (*receivers, "")
        }
        self.flows |= {f"Flow{way}{e}": 0 for way in ("In", "Out") for e in (*receivers, "ExIncl")}
        self.counts = dict.fromkeys(("BlkCnt", "BlkSizeByte", "TxCnt", "TxTfrCnt"), 0)
        self.counts |= {f"FlowTfr{way}{e}Cnt": 0 for way in ("In", "Out") for e in codes}
        self.counts |= {f"FlowTfr{way}{e}Cnt": 0 for way in ("ToEx", "FromEx") for e in ("", "Incl")}
        self.counts["TxExCnt"] = 0
        self.amounts = dict.fromkeys(_PRICED, 0)
        self.sent: set[bytes] = set()
        self.received: set[bytes] = set()
        self.fees: list[int] = []
        """Of each transaction after the coinbase."""
        self.moved: list[int] = []
        """Each transfer: an output to somebody who did not sign."""
        self.change: Counter[bytes] = Counter()
        """What each account holds more at the end of the day than at its beginning."""

    def add_block(self, block: BlockEntry, members: _Members, day: date) -> None:
        """Count a block of `day`, and let its transactions change who is a member, one after the other."""
        members.see_coinbase(block.coinbase, day)
        self.counts["BlkCnt"] += 1
        self.counts["BlkSizeByte"] += block.size
        self._post((), block.coinbase)
        for hop, miners in enumerate(members.hops):
            self.flows[f"FlowMinerIn{hop}HopAll"] += _sum(block.coinbase, miners)
        fees = 0
        for transfer in block.transfers:
            members.see_transfer(transfer, day)
            if transfer not in members.overlooked:
                touched = transfer.senders | {account for account, _ in transfer.credits}
                parties = {e: own for e, own in members.parties.items() if not own.isdisjoint(touched)}
                self._add_flows(transfer, members.hops, parties)
                self._count_transfers(transfer, parties)
            self._add_transfer(transfer)
            fees += self.fees[-1]
        revenue = _sum(block.coinbase)
        self.amounts["FeeTot"] += fees
        self.amounts["Rev"] += revenue
        self.amounts["IssTot"] += revenue - fees

    def _add_transfer(self, transfer: Transfer) -> None:
        senders = transfer.senders
        moved = [value for account, value in transfer.credits if value > 0 and account not in senders]
        self.counts["TxCnt"] += 1
        self.counts["TxTfrCnt"] += len(moved)
        self.amounts["TxTfrVal"] += sum(moved)
        self.fees.append(_sum(transfer.debits) - _sum(transfer.credits))
        self.moved += moved
        self._post(transfer.debits, transfer.credits)

    def _post(self, debits: Sequence[Entry], credits_: Sequence[Entry]) -> None:
        self.sent |= {account for account, _ in debits}
        self.received |= _paid(credits_)
        for account, value in debits:
            self.change[account] -= value
        for account, value in credits_:
            self.change[account] += value

    def _add_flows(
        self,
        transfer: Transfer,
        hops: tuple[set[bytes], set[bytes]],
        parties: Mapping[str, frozenset[bytes]],
    ) -> None:
        """Count what the exchanges in it, `parties`, and the miners of either hop gain and lose."""
        senders = transfer.senders
        for code, accounts in parties.items():
            gained = _gain(transfer, accounts)
            lost = max(0, _sum(transfer.debits, accounts) - _sum(transfer.credits, accounts))
            for entity in (code, "ExIncl")[: 1 if code == "Ex" else 2]:
                self.flows[f"FlowIn{entity}"] += gained
                self.flows[f"FlowOut{entity}"] += lost
        for hop, miners in enumerate(hops):
            to_miners = _sum(transfer.credits, miners)
            if senders & miners:
                self.flows[f"FlowMinerOut{hop}HopAll"] += _sum(transfer.credits) - to_miners
                for code, accounts in parties.items():
                    self.flows[f"FlowMinerOut{hop}HopAll{code}"] += _gain(transfer, accounts)
            else:
                self.flows[f"FlowMinerIn{hop}HopAll"] += to_miners
            for code, accounts in parties.items():
                if senders & accounts:
                    self.flows[f"FlowMinerIn{hop}HopAll{code}"] += _gain(transfer, miners)

    def _count_transfers(self, transfer: Transfer, parties: Mapping[str, frozenset[bytes]]) -> None:
        """Outputs to an exchange that did not sign, outputs to others of one that did."""
        payees = [account for account, value in transfer.credits if value > 0]
        for code, accounts in parties.items():
            inside = sum(payee in accounts for payee in payees)
            has_signed = not accounts.isdisjoint(transfer.senders)
            number = len(payees) - inside if has_signed else inside
            if code == "Ex":
                self.counts["FlowTfrFromExCnt" if has_signed else "FlowTfrToExCnt"] += number
                self.counts["TxExCnt"] += has_signed or inside > 0
            else:
                self.counts[f"FlowTfr{'Out' if has_signed else 'In'}{code}Cnt"] += number
                self.counts["FlowTfrFromExInclCnt" if has_signed else "FlowTfrToExInclCnt"] += number

    def netted(self) -> dict[str, int]:
        """What came in without what went out: id without its currency to satoshis."""
        nets = {name.replace("In", "Net", 1): name for name in self.flows if name.startswith("FlowIn")}
        nets |= {f"FlowMinerNet{hop}HopAll": f"FlowMinerIn{hop}HopAll" for hop in (0, 1)}
        return {net: self.flows[way] - self.flows[way.replace("In", "Out", 1)] for net, way in nets.items()}


class _History:
    """Rows of days, one after the other, with what depends on the days before."""

    def __init__(self, members: _Members) -> None:
        self.rows: dict[date, Row] = {}
        self._members = members
        self._holdings: Counter[bytes] = Counter()
        self._supply = 0
        self._revenue_usd = Decimal(0)
        self._out: tuple[list[int], list[int]] = ([], [])
        """What miners of either hop sent each day, …"""
        self._revenue: list[int] = []
        """… and what all miners were paid, in satoshis."""

    def add_day(self, day: date, totals: Totals, price: Decimal | None) -> None:
        """The next day, without a gap; `price` in USD per native unit."""
        for account, value in totals.change.items():
            self._holdings[account] += value
        self._supply += totals.amounts["IssTot"]
        row: Row = {metric: Decimal(count) for metric, count in totals.counts.items()}
        row |= _distinct(totals) | _means(totals)
        row["AdrBalCnt"] = Decimal(sum(value > 0 for value in self._holdings.values()))
        row["SplyCur"] = native(self._supply)
        for name, sat in (totals.amounts | totals.flows | totals.netted() | self._balances(day)).items():
            row[f"{name}Ntv"] = native(sat)
            row[f"{name}USD"] = None if price is None else dollars(sat, price)
        self.rows[day] = row
        row |= self._of_miners(totals) | self._market(row)

    def _balances(self, day: date) -> dict[str, int]:
        hops = self._members.by_end_of(day)
        owners = {f"SplyMiner{hop}HopAll": accounts for hop, accounts in enumerate(hops)}
        owners |= {f"Sply{code}": set(own) for code, own in self._members.parties.items()}
        return {name: sum(self._holdings[a] for a in accounts) for name, accounts in owners.items()}

    def _of_miners(self, totals: Totals) -> Row:
        """What miners sent, beside their revenue."""
        revenue = totals.amounts["Rev"]
        self._revenue.append(revenue)
        row: Row = {"MOMR": over(totals.flows["FlowMinerOut1HopAll"], revenue)}
        for hop, out in enumerate(self._out):
            out.append(totals.flows[f"FlowMinerOut{hop}HopAll"])
            month = over(100 * sum(out[-30:]), sum(self._revenue[-30:])) if len(out) >= 30 else None
            row[f"MRI{hop}HopAll30d"] = month
        return row

    def _market(self, row: Row) -> Row:
        """What is made of the day's metrics in USD, and of those of the days before."""
        revenue = row["RevUSD"]
        self._revenue_usd = _EXACT.add(self._revenue_usd, revenue or 0)
        whole = None if revenue is None else self._revenue_usd
        held = [row[f"SplyMiner{hop}HopAllUSD"] for hop in (0, 1)]
        known = [value for value in held if value is not None]
        return {
            "RevAllTimeUSD": whole,
            "MCTC": over(sum(map(Fraction, known)), whole or 0) if len(known) == 2 else None,
            "PuellMulTot": self._over_mean("IssTotUSD"),
            "PuellMulRev": self._over_mean("RevUSD"),
        }

    def _over_mean(self, metric: str) -> Decimal | None:
        """The last day's value over the mean of a year, unless one of its values is missing."""
        year = [row[metric] for row in list(self.rows.values())[-365:]]
        known = [Fraction(value) for value in year if value is not None]
        return over(365 * known[-1], sum(known)) if len(known) == 365 else None


def _distinct(totals: Totals) -> Row:
    numbers = {"AdrActCnt": totals.sent | totals.received, "AdrActSentCnt": totals.sent}
    return {name: Decimal(len(who)) for name, who in (numbers | {"AdrActRecCnt": totals.received}).items()}


def _means(totals: Totals) -> Row:
    """Means and medians, in native units or bytes, and the fees' share of the revenue in percent."""
    counts, amounts = totals.counts, totals.amounts
    return {
        "BlkSizeMeanByte": over(counts["BlkSizeByte"], counts["BlkCnt"]),
        "FeeMeanNtv": over(native(amounts["FeeTot"]), counts["TxCnt"]),
        "FeeMedNtv": _median(totals.fees),
        "TxTfrValMeanNtv": over(native(amounts["TxTfrVal"]), counts["TxTfrCnt"]),
        "TxTfrValMedNtv": _median(totals.moved),
        "FeeRevPct": over(100 * amounts["FeeTot"], amounts["Rev"]),
    }


def _median(values: Sequence[int]) -> Decimal | None:
    """The value in the middle, in native units, or the mean of the two."""
    middle = sorted(values)[(len(values) - 1) // 2 : len(values) // 2 + 1]
    return over(native(sum(middle)), len(middle))


def over(part: Decimal | Fraction | int, whole: Decimal | Fraction | int) -> Decimal | None:
    """The quotient, rounded half away from zero to 18 places; None where there is nothing to divide by."""
    if whole <= 0:
        return None
    quotient = Fraction(part) / Fraction(whole) * 10**_PLACES
    digits = int(abs(quotient) + Fraction(1, 2))
    return Decimal(-digits if quotient < 0 else digits).scaleb(-_PLACES, _EXACT)


def native(sat: int) -> Decimal:
    """Satoshis in native units, exactly."""
    return Decimal(sat).scaleb(-8, _EXACT)


def dollars(sat: int, price: Decimal) -> Decimal:
    """Satoshis at `price` USD per native unit; what lies beyond 18 places is rounded half away from zero."""
    product = _EXACT.multiply(native(sat), price)
    return product.quantize(Decimal(1).scaleb(-_PLACES), ROUND_HALF_UP, _EXACT)


def _day(mediantime: int) -> date:
    return datetime.fromtimestamp(mediantime, UTC).date()


def _sum(entries: Iterable[Entry], accounts: set[bytes] | frozenset[bytes] | None = None) -> int:
    """Satoshis in all entries, or in those of `accounts`."""
    return sum(value for account, value in entries if accounts is None or account in accounts)


def _gain(transfer: Transfer, accounts: set[bytes] | frozenset[bytes]) -> int:
    """What `accounts` really gained: change is no gain."""
    return max(0, _sum(transfer.credits, accounts) - _sum(transfer.debits, accounts))


def _paid(entries: Iterable[Entry]) -> set[bytes]:
    """The accounts that get more than nothing."""
    return {account for account, value in entries if value > 0}
