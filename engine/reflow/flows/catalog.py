"""Every metric as data: id, family, direction, hop, entity, unit, definition, section, and the sums it is made of.

The ids follow the vendor's grammar (METHODOLOGY section 6): family, direction, hop, entity, unit. FORMS is the
one place that spells them and says which daily sums they come from: the computation knows sums only, by the
names of the columns of queries/exchange_flows.sql, queries/plain_flows.sql and queries/block_days.sql.
"""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final, Literal, NamedTuple

from reflow.errors import MetricError

Unit = Literal["native", "USD", "count", "bytes", "ratio"]

ASSET: Final = "btc"
"""The asset that all metrics are of, as the vendor writes it."""
EX: Final = "Ex"
"""Entity code for all exchanges as one set."""
INCL: Final = "ExIncl"
"""Entity code for the sum over exchanges, flows between exchanges included."""


class Ratio(NamedTuple):
    """`factor` times the metric's sums over those of `of`, summed over `days`; nothing before there are as many."""

    of: str
    days: int
    factor: int


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
    sums: str
    """The daily sums of `entity` that it is made of."""
    minus: str
    """The sums taken off them; empty for none."""
    ratio: Ratio | None

    @property
    def stem(self) -> str:
        """The id without its currency: metrics with one stem differ in unit only."""
        return self.id.removesuffix(_SUFFIXES.get(self.unit, ""))


_SUFFIXES: Final[dict[Unit, str]] = {"native": "Ntv", "USD": "USD"}


class Form(NamedTuple):
    """One line of the catalogue: metrics that differ in hop, entity and currency only.

    `{hop}`, `{entity}`, `{miners}` and `{owner}` in the texts stand for what differs.
    """

    family: str
    direction: str
    shape: str
    """The id; without its currency where there are both."""
    sums: str
    definition: str
    section: str
    minus: str = ""
    units: tuple[Unit, ...] = ("native", "USD")
    hops: tuple[int | None, ...] = (None,)
    entities: Literal["", "each", "sum"] = ""
    """No exchange; each exchange and all as one set; the sum over the exchanges."""
    ratio: Ratio | None = None

    def of(self, hop: int | None, entity: str) -> Iterator[Metric]:
        """The metrics of one hop and entity."""
        owner = "all exchanges as one" if entity == EX else f"exchange {entity}"
        words = {"hop": hop, "entity": entity, "owner": owner, "miners": _MINERS.get(hop, "")}
        shape, sums, minus, text = (
            part.format(**words) for part in (self.shape, self.sums, self.minus, self.definition)
        )
        for unit in self.units:
            id_ = shape + _SUFFIXES[unit] if len(self.units) > 1 else shape
            told = f"{shape}Ntv times the day's PriceUSD." if unit == "USD" else text
            yield Metric(
                id_,
                self.family,
                self.direction,
                hop,
                entity,
                unit,
                told,
                self.section,
                sums,
                minus,
                self.ratio,
            )


_MINERS: Final[dict[int | None, str]] = {
    0: "mining entities (0-hop)",
    1: "accounts within one hop of mining",
}
_BOTH: Final = (0, 1)


def _control(id_: str, unit: Unit, sums: str, definition: str) -> Form:
    return Form("Control", "", id_, sums, definition, "6", units=(unit,))


CONTROL: Final = (
    _control("BlkCnt", "count", "blocks", "Blocks of the day."),
    _control("BlkSizeByte", "bytes", "size", "Serialized size of the day's blocks, witness data included."),
    _control("TxCnt", "count", "transactions", "Transactions of the day, coinbases left out."),
    _control(
        "TxTfrCnt",
        "count",
        "transfer_count",
        "Positive outputs of non-coinbase transactions whose account is not among the transaction's inputs.",
    ),
    _control("TxTfrValNtv", "native", "transfer_value", "Sum of the outputs that TxTfrCnt counts."),
    _control("FeeTotNtv", "native", "fees", "Fees: debits minus credits of the non-coinbase transactions."),
    _control("IssTotNtv", "native", "issuance", "New money: coinbase credits minus fees."),
    _control("RevNtv", "native", "revenue", "Miners' revenue: IssTotNtv plus FeeTotNtv."),
    _control("SplyCur", "native", "supply", "Running sum of IssTotNtv at the end of the day."),
    _control(
        "AdrActCnt", "count", "active", "Distinct accounts debited, or credited more than zero, that day."
    ),
)
"""What the vendor publishes for free, in the order of METHODOLOGY section 6."""

FORMS: Final = (
    *CONTROL,
    Form(
        "FlowMiner",
        "In",
        "FlowMinerIn{hop}HopAll{entity}",
        "in{hop}",
        "Sent by {owner} to {miners}.",
        "5",
        hops=_BOTH,
        entities="each",
    ),
    Form(
        "FlowMiner",
        "In",
        "FlowMinerIn{hop}HopAll",
        "in{hop}",
        "Credited to {miners} by coinbases and in transactions that they did not send.",
        "5, 6",
        hops=_BOTH,
    ),
    Form(
        "FlowMiner",
        "Out",
        "FlowMinerOut{hop}HopAll{entity}",
        "out{hop}",
        "Sent by {miners} to {owner}.",
        "5",
        hops=_BOTH,
        entities="each",
    ),
    Form(
        "FlowMiner",
        "Out",
        "FlowMinerOut{hop}HopAll",
        "out{hop}",
        "Sent by {miners} to anyone else.",
        "5, 6",
        hops=_BOTH,
    ),
    Form(
        "FlowMinerNet",
        "Net",
        "FlowMinerNet{hop}HopAll",
        "in{hop}",
        "FlowMinerIn{hop}HopAll minus FlowMinerOut{hop}HopAll.",
        "6",
        minus="out{hop}",
        hops=_BOTH,
    ),
    Form(
        "SplyMiner",
        "",
        "SplyMiner{hop}HopAll",
        "balance{hop}",
        "End-of-day balance of the {miners}, whole history of each account.",
        "6",
        hops=_BOTH,
    ),
    Form(
        "MRI",
        "Out",
        "MRI{hop}HopAll30d",
        "out{hop}",
        "100 times FlowMinerOut{hop}HopAllNtv over RevNtv, both summed over 30 days.",
        "6, 9.9",
        units=("ratio",),
        hops=_BOTH,
        ratio=Ratio(of="revenue", days=30, factor=100),
    ),
    Form(
        "MOMR",
        "Out",
        "MOMR",
        "out{hop}",
        "FlowMinerOut1HopAllNtv over RevNtv.",
        "6, 9.9",
        units=("ratio",),
        hops=(1,),
        ratio=Ratio(of="revenue", days=1, factor=1),
    ),
    Form(
        "Flow",
        "In",
        "FlowIn{entity}",
        "gained",
        "Gained by {owner} in non-coinbase transactions, each netted.",
        "6",
        entities="each",
    ),
    Form(
        "Flow",
        "In",
        "FlowInExIncl",
        "gained",
        "Sum of FlowIn over the labelled exchanges, flows between them included.",
        "6",
        entities="sum",
    ),
    Form(
        "Flow",
        "Out",
        "FlowOut{entity}",
        "lost",
        "Lost by {owner} in non-coinbase transactions, each netted.",
        "6",
        entities="each",
    ),
    Form(
        "Flow",
        "Out",
        "FlowOutExIncl",
        "lost",
        "Sum of FlowOut over the labelled exchanges, flows between them included.",
        "6",
        entities="sum",
    ),
    Form(
        "Flow",
        "Net",
        "FlowNet{entity}",
        "gained",
        "FlowIn{entity} minus FlowOut{entity}.",
        "6",
        minus="lost",
        entities="each",
    ),
    Form(
        "Flow",
        "Net",
        "FlowNetExIncl",
        "gained",
        "FlowInExIncl minus FlowOutExIncl.",
        "6",
        minus="lost",
        entities="sum",
    ),
)
"""The catalogue, in the order of the columns of metrics.csv after the seeds."""

SEEDS: Final[tuple[tuple[str, int, tuple[str, ...]], ...]] = (
    ("In", 0, (EX,)),
    ("Out", 0, (EX,)),
    ("In", 1, ("BFX", "BMX", "BNB", "BSP", "BTX", "GEM", "HUO", "KRK", EX)),
    ("Out", 1, ("BFX", "BMX", "BNB", "BSP", "BTX", "GEM", "HUO", "KRK", "POL", EX, "")),
)
"""Direction, hop and entities of the FlowMiner metrics that every run has, in the order of METHODOLOGY section 6."""


def seeds() -> list[Metric]:
    """The 44 metrics that every run has, labels or not, in the order of METHODOLOGY section 6."""
    forms = {(form.direction, form.entities): form for form in FORMS if form.family == "FlowMiner"}
    return [
        metric
        for direction, hop, entities in SEEDS
        for entity in entities
        for metric in forms[direction, "each" if entity else ""].of(hop, entity)
    ]


def control() -> list[Metric]:
    """The metrics that the vendor publishes for free and that prove the ledger (METHODOLOGY section 6)."""
    return [metric for form in CONTROL for metric in form.of(None, "")]


def catalog(exchanges: Iterable[str]) -> list[Metric]:
    """Every metric of a run with these exchange codes: seeds, then control metrics, then all other combinations.

    The order is that of the columns of metrics.csv and depends on the set of codes only.
    """
    entities = {"": ("",), "each": (*sorted(set(exchanges)), EX), "sum": (INCL,)}
    rest = (
        metric
        for form in FORMS
        for hop in form.hops
        for entity in entities[form.entities]
        for metric in form.of(hop, entity)
    )
    unique = {metric.id: metric for metric in (*seeds(), *rest)}
    return list(unique.values())


def sums_of(family: str) -> list[str]:
    """Names of the daily sums that the metrics of a family are made of."""
    forms = (form for form in FORMS if form.family == family)
    return list(dict.fromkeys(form.sums.format(hop=hop) for form in forms for hop in form.hops))


def select(metrics: Iterable[Metric], patterns: Iterable[str]) -> list[Metric]:
    """The metrics that the patterns name, in their own order; all of them without a pattern.

    A pattern is an id, with `*` for any text and `?` for any letter, or several with commas between them.
    Raises MetricError when one matches no metric.
    """
    known = list(metrics)
    wanted = [part.strip() for pattern in patterns for part in pattern.split(",") if part.strip()]
    for part in wanted:
        if not any(fnmatchcase(metric.id, part) for metric in known):
            raise MetricError(f"no metric is called {part}, expected an id or a pattern of `reflow metrics`")
    return [metric for metric in known if not wanted or any(fnmatchcase(metric.id, part) for part in wanted)]


def facts(metric: Metric) -> dict[str, object]:
    """What a person or a script may ask of a metric: all but how it is computed, and whether it is a seed."""
    told = metric._asdict()
    for name in ("sums", "minus", "ratio"):
        del told[name]
    return told | {"seed": metric in seeds()}
