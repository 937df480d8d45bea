"""The simulator's own books: what the daily metrics must be, from what it knows about everybody.

Plain dictionaries and loops, nothing shared with the engine: no SQL, no ledger, no decoded bytes. An account
is known by its scriptPubKey. Exchanges report which of their accounts signed together, so the books know
which deposit addresses an outsider can link to the published hot wallets. Metrics as METHODOLOGY sections 1
to 6 define them by default.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

Entry = tuple[bytes, int]
"""Account (scriptPubKey) and satoshis."""

Row = dict[str, Decimal | None]
"""One day: metric id to value, in native units, USD or counts; None where it cannot be computed."""

CONTROL_METRICS: Final = (
    *("BlkCnt", "BlkSizeByte", "TxCnt", "TxTfrCnt", "TxTfrValNtv"),
    *("FeeTotNtv", "IssTotNtv", "RevNtv", "SplyCur", "AdrActCnt"),
)
"""The metrics of METHODOLOGY section 6 that prove a ledger."""


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
        """A hot wallet that everybody knows to be this exchange's."""
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
        """Every complete day: control metrics, and flows of miners (hops 0 and 1) and of exchanges (Ntv and USD).

        `view` is who has the books open, everybody if left out; `header_clock` cuts the days by header times.
        """
        seen = view or View({}, frozenset())
        exchanges = {
            code: self._linked(code) | seen.known.get(code, frozenset()) for code in sorted(self._published)
        }
        members = _Members(exchanges, seen.overlooked)
        totals: defaultdict[date, Totals] = defaultdict(lambda: Totals(exchanges))
        for block in self._blocks:
            totals[_day(block.time if header_clock else block.mediantime)].add_block(block, members)
        days = sorted(totals)
        supply = Decimal(0)
        rows = {}
        for number in range((days[-1] - days[0]).days):  # the last day is not complete
            day = days[0] + timedelta(days=number)
            row = totals[day].row(prices.get(day))
            supply += row["IssTotNtv"] or 0
            rows[day] = row | {"SplyCur": supply}
        return rows

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
    """What somebody who keeps the same books knows otherwise."""

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

    def see_coinbase(self, outputs: Sequence[Entry]) -> None:
        paid = _paid(outputs) - self.any_exchange
        self.hops[0].update(paid)
        self.hops[1].update(paid)

    def see_transfer(self, transfer: Transfer) -> None:
        if transfer.senders & self.hops[0]:
            self.hops[1].update(_paid(transfer.credits) - self.any_exchange)


class Totals:
    """One day's sums, in satoshis and counts."""

    def __init__(self, exchanges: Iterable[str]) -> None:
        receivers = [*exchanges, "Ex"]
        self._entities = [*receivers, "ExIncl"]
        self.flows = {
            f"FlowMiner{way}{hop}HopAll{e}": 0 for way in ("In", "Out") for hop in (0, 1) for e in receivers
        }
        self.flows |= {f"FlowMinerOut{hop}HopAll": 0 for hop in (0, 1)}
        self.flows |= {f"Flow{way}{e}": 0 for way in ("In", "Out") for e in (*receivers, "ExIncl")}
        self.counts = dict.fromkeys(("BlkCnt", "BlkSizeByte", "TxCnt", "TxTfrCnt"), 0)
        self.amounts = dict.fromkeys(("TxTfrValNtv", "FeeTotNtv", "IssTotNtv", "RevNtv"), 0)
        self.active: set[bytes] = set()

    def add_block(self, block: BlockEntry, members: _Members) -> None:
        """Count a block, and let its transactions change who is a member, one after the other."""
        members.see_coinbase(block.coinbase)
        self.counts["BlkCnt"] += 1
        self.counts["BlkSizeByte"] += block.size
        self.active |= _paid(block.coinbase)
        fees = 0
        for transfer in block.transfers:
            members.see_transfer(transfer)
            if transfer not in members.overlooked:
                self._add_flows(transfer, members)
            self._add_transfer(transfer)
            fees += _sum(transfer.debits) - _sum(transfer.credits)
        revenue = _sum(block.coinbase)
        self.amounts["FeeTotNtv"] += fees
        self.amounts["RevNtv"] += revenue
        self.amounts["IssTotNtv"] += revenue - fees

    def _add_transfer(self, transfer: Transfer) -> None:
        senders = transfer.senders
        moved = [value for account, value in transfer.credits if value > 0 and account not in senders]
        self.counts["TxCnt"] += 1
        self.counts["TxTfrCnt"] += len(moved)
        self.amounts["TxTfrValNtv"] += sum(moved)
        self.active |= senders | _paid(transfer.credits)

    def _add_flows(self, transfer: Transfer, members: _Members) -> None:
        senders = transfer.senders
        touched = senders | {account for account, _ in transfer.credits}
        parties = {code: own for code, own in members.parties.items() if not own.isdisjoint(touched)}
        for code, accounts in parties.items():
            gained = _gain(transfer, accounts)
            lost = max(0, _sum(transfer.debits, accounts) - _sum(transfer.credits, accounts))
            for entity in (code, "ExIncl")[: 1 if code == "Ex" else 2]:
                self.flows[f"FlowIn{entity}"] += gained
                self.flows[f"FlowOut{entity}"] += lost
        for hop, miners in enumerate(members.hops):
            if senders & miners:
                self.flows[f"FlowMinerOut{hop}HopAll"] += _sum(transfer.credits) - _sum(
                    transfer.credits, miners
                )
                for code, accounts in parties.items():
                    self.flows[f"FlowMinerOut{hop}HopAll{code}"] += _gain(transfer, accounts)
            for code, accounts in parties.items():
                if senders & accounts:
                    self.flows[f"FlowMinerIn{hop}HopAll{code}"] += _gain(transfer, miners)

    def row(self, price: Decimal | None) -> Row:
        """The day's metrics but SplyCur."""
        row: Row = {metric: Decimal(count) for metric, count in self.counts.items()}
        row |= {metric: native(sat) for metric, sat in self.amounts.items()}
        row["AdrActCnt"] = Decimal(len(self.active))
        nets = {f"FlowNet{e}": self.flows[f"FlowIn{e}"] - self.flows[f"FlowOut{e}"] for e in self._entities}
        for metric, sat in (self.flows | nets).items():
            row[f"{metric}Ntv"] = native(sat)
            row[f"{metric}USD"] = None if price is None else dollars(sat, price)
        return row


def native(sat: int) -> Decimal:
    """Satoshis in native units, exactly."""
    return Decimal(sat).scaleb(-8)


def dollars(sat: int, price: Decimal) -> Decimal:
    """Satoshis at `price` USD per native unit, rounded half away from zero to 8 places."""
    return (native(sat) * price).quantize(Decimal("1e-8"), ROUND_HALF_UP)


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
