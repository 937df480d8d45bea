"""Every metric as data: id, family, direction, hop, entity, unit, definition, section of METHODOLOGY.md.

The ids follow the vendor's grammar (METHODOLOGY section 6): family, direction, hop, entity, unit. Nothing
else in the package knows an id by heart; values are computed per `stem` (the id without `Ntv` or `USD`).
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

Unit = Literal["native", "USD", "count", "bytes", "ratio"]

EX: Final = "Ex"
"""Entity code for all exchanges as one set."""
INCL: Final = "ExIncl"
"""Entity code for the sum over exchanges, flows between exchanges included."""


class Metric(NamedTuple):
    """One daily series."""

    id: str
    family: str
    direction: str
    """`In`, `Out`, `Net`, or empty."""
    hop: int | None
    """0 or 1 for mining entities, else None."""
    entity: str
    """Exchange code, `Ex`, `ExIncl`, or empty for no exchange."""
    unit: Unit
    definition: str
    section: str
    """Where METHODOLOGY.md defines it."""

    @property
    def stem(self) -> str:
        """The id without its currency: metrics with one stem differ in unit only."""
        return (
            self.id[:-3] if self.unit in ("native", "USD") and self.id.endswith(("Ntv", "USD")) else self.id
        )


_CONTROL: Final[tuple[tuple[str, Unit, str], ...]] = (
    ("BlkCnt", "count", "Blocks of the day."),
    ("BlkSizeByte", "bytes", "Serialized size of the day's blocks, witness data included."),
    ("TxCnt", "count", "Transactions of the day, coinbases left out."),
    (
        "TxTfrCnt",
        "count",
        "Positive outputs of non-coinbase transactions whose account is not among the transaction's inputs.",
    ),
    ("TxTfrValNtv", "native", "Sum of the outputs that TxTfrCnt counts."),
    ("FeeTotNtv", "native", "Fees: debits minus credits of the non-coinbase transactions."),
    ("IssTotNtv", "native", "New money: coinbase credits minus fees."),
    ("RevNtv", "native", "Miners' revenue: IssTotNtv plus FeeTotNtv."),
    ("SplyCur", "native", "Running sum of IssTotNtv at the end of the day."),
    ("AdrActCnt", "count", "Distinct accounts debited, or credited more than zero, that day."),
)

_SEEDS: Final[tuple[tuple[str, int, tuple[str, ...]], ...]] = (
    ("In", 0, (EX,)),
    ("Out", 0, (EX,)),
    ("In", 1, ("BFX", "BMX", "BNB", "BSP", "BTX", "GEM", "HUO", "KRK", EX)),
    ("Out", 1, ("BFX", "BMX", "BNB", "BSP", "BTX", "GEM", "HUO", "KRK", "POL", EX, "")),
)

_HOPS: Final = (0, 1)
_MINERS: Final = {0: "mining entities (0-hop)", 1: "accounts within one hop of mining"}


def seeds() -> list[Metric]:
    """The 44 metrics that every run has, labels or not, in the order of METHODOLOGY section 6."""
    return [
        metric
        for direction, hop, entities in _SEEDS
        for entity in entities
        for metric in _flow_miner(direction, hop, entity)
    ]


def control() -> list[Metric]:
    """The metrics that the vendor publishes for free and that prove the ledger (METHODOLOGY section 6)."""
    return [Metric(id_, "Control", "", None, "", unit, text, "6") for id_, unit, text in _CONTROL]


def catalog(exchanges: Iterable[str]) -> list[Metric]:
    """Every metric of a run with these exchange codes: seeds, then control metrics, then all other combinations.

    The order is that of the columns of metrics.csv and depends on the set of codes only.
    """
    codes = (*sorted(set(exchanges)), EX)
    unique = {metric.id: metric for metric in (*seeds(), *control(), *_families(codes))}
    return list(unique.values())


def _families(codes: tuple[str, ...]) -> Iterator[Metric]:
    for direction in ("In", "Out"):
        for hop in _HOPS:
            for entity in (*codes, ""):
                yield from _flow_miner(direction, hop, entity)
    for hop in _HOPS:
        text = f"FlowMinerIn{hop}HopAll minus FlowMinerOut{hop}HopAll."
        yield from _both(f"FlowMinerNet{hop}HopAll", "FlowMinerNet", "Net", hop, "", text)
    for hop in _HOPS:
        text = f"End-of-day balance of the {_MINERS[hop]}, whole history of each account."
        yield from _both(f"SplyMiner{hop}HopAll", "SplyMiner", "", hop, "", text)
    for hop in _HOPS:
        text = f"100 times FlowMinerOut{hop}HopAllNtv over RevNtv, both summed over 30 days."
        yield Metric(f"MRI{hop}HopAll30d", "MRI", "Out", hop, "", "ratio", text, "6, 9.9")
    yield Metric("MOMR", "MOMR", "Out", 1, "", "ratio", "FlowMinerOut1HopAllNtv over RevNtv.", "6, 9.9")
    for direction in ("In", "Out", "Net"):
        for entity in (*codes, INCL):
            yield from _both(
                f"Flow{direction}{entity}", "Flow", direction, None, entity, _flow_text(direction, entity)
            )


def _flow_miner(direction: str, hop: int, entity: str) -> Iterator[Metric]:
    stem = f"FlowMiner{direction}{hop}HopAll{entity}"
    yield from _both(stem, "FlowMiner", direction, hop, entity, _flow_miner_text(direction, hop, entity))


def _both(
    stem: str, family: str, direction: str, hop: int | None, entity: str, text: str
) -> Iterator[Metric]:
    section = "5" if family == "FlowMiner" and entity else "5, 6" if family == "FlowMiner" else "6"
    yield Metric(f"{stem}Ntv", family, direction, hop, entity, "native", text, section)
    in_usd = f"{stem}Ntv times the day's PriceUSD."
    yield Metric(f"{stem}USD", family, direction, hop, entity, "USD", in_usd, section)


def _flow_miner_text(direction: str, hop: int, entity: str) -> str:
    miners = _MINERS[hop]
    if direction == "Out":
        to = _owner(entity) if entity else "anyone else"
        return f"Sent by {miners} to {to}."
    if entity:
        return f"Sent by {_owner(entity)} to {miners}."
    return f"Credited to {miners} by coinbases and in transactions that they did not send."


def _flow_text(direction: str, entity: str) -> str:
    if entity == INCL:
        return f"Sum of Flow{direction} over the labelled exchanges, flows between them included."
    owner = _owner(entity)
    return {
        "In": f"Gained by {owner} in non-coinbase transactions, each netted.",
        "Out": f"Lost by {owner} in non-coinbase transactions, each netted.",
        "Net": f"FlowIn{entity} minus FlowOut{entity}.",
    }[direction]


def _owner(entity: str) -> str:
    return "all exchanges as one" if entity == EX else f"exchange {entity}"
