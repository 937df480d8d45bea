"""A vendor of the simulated economy: daily series from the same books, with three faults.

Nothing here knows how a cross-check looks for them.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from reflow.simulate.books import Row, Transfer, View
from reflow.simulate.market import Market

HEADER_DAYS: Final = 9
"""The last days of the series are cut by header time."""
_OVERLOOKED_DAY: Final = 8
"""So many days before them, the largest deposit is overlooked."""
FEWEST_DAYS: Final = HEADER_DAYS + _OVERLOOKED_DAY
"""Days that the series must have to show all faults."""


class Vendor(NamedTuple):
    """A vendor's series and their faults."""

    rows: dict[date, Row]
    header_from: date
    """First day that is cut by the blocks' header times."""
    well_known: str
    """The vendor knows all accounts of this exchange, also those that no published account leads to."""
    overlooked_day: date
    overlooked_exchange: str
    overlooked: Transfer
    """The deposit that the vendor's flows lack."""


def publish(market: Market, prices: Mapping[date, Decimal], days: Sequence[date]) -> Vendor:
    """The vendor's series of these days."""
    books = market.books
    unlinked = {
        code: books.unlinked(code, (address.script for address in exchange.addresses))
        for code, exchange in market.exchanges.items()
    }
    code = max(unlinked, key=lambda one: len(unlinked[one]))
    header_from = days[-HEADER_DAYS]
    day = days[-HEADER_DAYS - _OVERLOOKED_DAY]
    deposits = [(to, transfer) for to, transfer in books.deposits(day) if to != code]
    exchange, overlooked = max(deposits, key=lambda one: sum(value for _, value in one[1].credits))
    view = View({code: unlinked[code]}, frozenset({overlooked}))
    rows = books.rows(prices, view)
    late = books.rows(prices, view, header_clock=True)
    return Vendor(
        {day: late.get(day, rows[day]) if day >= header_from else rows[day] for day in days},
        header_from,
        code,
        day,
        exchange,
        overlooked,
    )
