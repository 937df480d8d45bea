"""Every metric as data: id, family, direction, hop, entity, unit, definition, section, layer, and its daily sums.

The ids follow the vendor's grammar (methodology 6): family, direction, hop, entity, unit. FORMS is the one place that
spells them and names their daily sums. The computation knows only sums, named like the columns of the queries
exchange_gains, exchange_flows, plain_flows, block_days and kept_days.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import translate
from functools import cache
from typing import Final, Literal, NamedTuple

from reflow.errors import MetricError
from reflow.text import shortened

Unit = Literal["native", "USD", "count", "bytes", "ratio"]

Family = Literal[
    "Control",
    "Flow",
    "FlowMiner",
    "FlowMinerNet",
    "FlowTfr",
    "MOMR",
    "MRI",
    "Market",
    "Sply",
    "SplyMiner",
    "TxEx",
]
"""Metrics that measure one thing; part of their ids, but for `Control` and `Market`."""

Layer = Literal[1, 2, 3]
"""What a metric proves in a cross-check: 1 the ledger, 2 the labels, 3 the definition of miner flows."""

LAYERS: Final[dict[Layer, str]] = {1: "control metrics", 2: "exchange flows", 3: "miner flows"}
"""The metrics of each layer, in the order of judgement."""

Adds = Literal["blocks", "transactions", "changes", ""]
"""The parts that add up to a day's value: blocks, transactions, or changes on top of the day before (an end-of-day
figure). Empty for distinct accounts, ratios, means and medians."""

ASSET: Final = "btc"
"""The asset that all metrics are of, as the vendor writes it."""
EX: Final = "Ex"
"""Entity code for all exchanges as one set."""
INCL: Final = "ExIncl"
"""Entity code for the sum over exchanges, flows between exchanges included."""
HELD: Final = "held"
"""Name of the sums of an exchange's balance: by day the change, in a series the end-of-day balance."""
SUPPLY: Final = "supply"
"""Name of the sums that say how much there is in all: the end-of-day figure that blocks change, not transactions."""
HOLDERS: Final = "holders"
"""Name of the sums that say how many accounts hold something at the end of the day."""
BLOCK_COUNT: Final = "BlkCnt"
"""The metric that tells days from blocks: a day stands at the height that it adds up to."""
BLOCK_BYTES: Final = "BlkSizeByte"
"""The metric that differs when the day of a block does, whatever is in it."""
PLAINEST: Final = (BLOCK_COUNT, "TxCnt", "TxTfrCnt")
"""Control metrics that show most plainly what differs between two ledgers."""
SHOWN_FIRST: Final = "FlowMinerOut1HopAllExNtv"
"""What this project is about: the metric to begin with where nothing is wrong."""
ALL_WORD: Final = "all"
"""In place of exchange codes: every labelled exchange."""
SEEDS_WORD: Final = "seeds"
"""As a pattern: the 44 seed metrics."""
_WILD: Final = frozenset("*?[")
_LONGEST_PATTERN: Final = 200


SumKey = tuple[str, str]
"""Name of daily sums, and their entity; empty for no exchange."""


class Ratio(NamedTuple):
    """`factor` times the metric's sums over those of `of`, both summed over the last `days`; None before that."""

    of: str
    days: int
    factor: int


class Derived(NamedTuple):
    """A value made of the values of other metrics, by id.

    `running`: the sum of `parts` over all days so far, nothing on a day on which one has no value, which adds nothing.
    `share`: the sum of `parts` over `whole`.
    `over_mean`: the one part over its own mean of the last `days` days, nothing unless all of them have a value.
    """

    kind: Literal["running", "share", "over_mean"]
    parts: tuple[str, ...]
    whole: str = ""
    days: int = 1


class Metric(NamedTuple):
    """One daily series."""

    id: str
    family: Family
    direction: str
    """`In`, `Out`, `Net`, or empty."""
    hop: int | None
    """0 or 1 for mining entities, else None."""
    entity: str
    """Exchange code, `Ex`, `ExIncl`, or empty for no exchange."""
    unit: Unit
    definition: str
    section: str
    """Where docs/methodology.md defines it."""
    layer: Layer
    adds: Adds
    sums: str
    """The daily sums of `entity` that it is made of; empty if it is made of other metrics."""
    minus: str
    """The sums taken off them; empty for none."""
    ratio: Ratio | None
    derived: Derived | None

    @property
    def stem(self) -> str:
        """The id without its currency: metrics with one stem differ in unit only."""
        return self.id.removesuffix(_SUFFIXES.get(self.unit, ""))

    @property
    def native_id(self) -> str:
        """The id of the same metric in native units."""
        return self.stem + _SUFFIXES["native"]

    @property
    def is_quotient(self) -> bool:
        """Whether it is a ratio, a mean or a median: rounded to 18 places, where amounts and counts are exact."""
        return self.ratio is not None or (self.derived is not None and self.derived.kind != "running")

    @property
    def needs_prices(self) -> bool:
        """Whether prices decide it: US dollars and metrics made of them."""
        return self.unit == "USD" or self.derived is not None


_SUFFIXES: Final[dict[Unit, str]] = {"native": "Ntv", "USD": "USD"}


class Form(NamedTuple):
    """One line of the catalogue: metrics that differ in hop, entity and currency only.

    `{hop}`, `{entity}`, `{miners}` and `{owner}` in the texts stand for what differs.
    """

    family: Family
    direction: str
    shape: str
    """The id; without its currency where there are both."""
    sums: str
    definition: str
    section: str
    layer: Layer
    adds: Adds
    minus: str = ""
    units: tuple[Unit, ...] = ("native", "USD")
    hops: tuple[int | None, ...] = (None,)
    entities: Literal["", "each", "one", "all", "sum"] = ""
    """No exchange; each exchange and all as one set; each exchange; all as one set; the sum over the exchanges."""
    ratio: Ratio | None = None
    derived: Derived | None = None

    def ids(self, shape: str) -> list[str]:
        """The ids with what stands in `shape` for hop and entity, one for each of `units`."""
        return [shape + _SUFFIXES[unit] for unit in self.units] if len(self.units) > 1 else [shape]

    def of(self, hop: int | None, entity: str) -> Iterator[Metric]:
        """The metrics of one hop and entity."""
        owner = "all exchanges as one" if entity == EX else f"exchange {entity}"
        words = {"hop": hop, "entity": entity, "owner": owner, "miners": _MINERS.get(hop, "")}
        shape, sums, minus, text = (
            part.format(**words) for part in (self.shape, self.sums, self.minus, self.definition)
        )
        for unit, id_ in zip(self.units, self.ids(shape), strict=True):
            in_usd = unit == "USD" and self.derived is None
            yield Metric(
                id=id_,
                family=self.family,
                direction=self.direction,
                hop=hop,
                entity=entity,
                unit=unit,
                definition=f"{shape}{_SUFFIXES['native']} times the day's PriceUSD." if in_usd else text,
                section=self.section,
                layer=self.layer,
                adds=self.adds,
                sums=sums,
                minus=minus,
                ratio=self.ratio,
                derived=self.derived,
            )


_MINERS: Final[dict[int | None, str]] = {
    0: "mining entities (0-hop)",
    1: "accounts within one hop of mining",
}
_BOTH: Final = (0, 1)


def _control(
    id_: str, unit: Unit, sums: str, definition: str, adds: Adds = "blocks", ratio: Ratio | None = None
) -> Form:
    return Form("Control", "", id_, sums, definition, "6", 1, adds, units=(unit,), ratio=ratio)


def _quotient(id_: str, unit: Unit, sums: str, of: str, definition: str, factor: int = 1) -> Form:
    return _control(id_, unit, sums, definition, "", Ratio(of, 1, factor))


def _derived(id_: str, unit: Unit, layer: Layer, definition: str, derived: Derived) -> Form:
    return Form("Market", "", id_, "", definition, "6, 9.9", layer, "", units=(unit,), derived=derived)


CONTROL: Final = (
    _control(BLOCK_COUNT, "count", "blocks", "Blocks of the day."),
    _control(BLOCK_BYTES, "bytes", "size", "Serialized size of the day's blocks, witness data included."),
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
    _control("SplyCur", "native", SUPPLY, "Running sum of IssTotNtv at the end of the day.", "changes"),
    _control(
        "AdrActCnt", "count", "active", "Distinct accounts debited, or credited more than zero, that day.", ""
    ),
    _control("AdrActSentCnt", "count", "sent", "Distinct accounts debited that day.", ""),
    _control("AdrActRecCnt", "count", "received", "Distinct accounts credited more than zero that day.", ""),
    _control(
        "AdrBalCnt",
        "count",
        HOLDERS,
        "Accounts with a balance above zero at the end of the day.",
        "changes",
    ),
    _quotient("BlkSizeMeanByte", "bytes", "size", "blocks", "BlkSizeByte over BlkCnt."),
    _quotient("FeeMeanNtv", "native", "fees", "transactions", "FeeTotNtv over TxCnt."),
    _quotient(
        "FeeMedNtv",
        "native",
        "fee_middle",
        "fee_middles",
        "Median of the fees of the day's non-coinbase transactions.",
    ),
    _quotient("TxTfrValMeanNtv", "native", "transfer_value", "transfer_count", "TxTfrValNtv over TxTfrCnt."),
    _quotient(
        "TxTfrValMedNtv",
        "native",
        "transfer_middle",
        "transfer_middles",
        "Median of the outputs that TxTfrCnt counts.",
    ),
    _quotient("FeeRevPct", "ratio", "fees", "revenue", "100 times FeeTotNtv over RevNtv.", 100),
    _control("TxTfrValUSD", "USD", "transfer_value", "TxTfrValNtv times the day's PriceUSD."),
    _control("FeeTotUSD", "USD", "fees", "FeeTotNtv times the day's PriceUSD."),
    _control("IssTotUSD", "USD", "issuance", "IssTotNtv times the day's PriceUSD."),
    _control("RevUSD", "USD", "revenue", "RevNtv times the day's PriceUSD."),
)
"""What the vendor publishes for free, in the order of methodology 6."""

FORMS: Final[tuple[Form, ...]] = (
    *CONTROL,
    Form(
        "FlowMiner",
        "In",
        "FlowMinerIn{hop}HopAll{entity}",
        "in{hop}",
        "Sent by {owner} to {miners}.",
        "5",
        3,
        "transactions",
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
        3,
        "transactions",
        hops=_BOTH,
    ),
    Form(
        "FlowMiner",
        "Out",
        "FlowMinerOut{hop}HopAll{entity}",
        "out{hop}",
        "Sent by {miners} to {owner}.",
        "5",
        3,
        "transactions",
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
        3,
        "transactions",
        hops=_BOTH,
    ),
    Form(
        "FlowMinerNet",
        "Net",
        "FlowMinerNet{hop}HopAll",
        "in{hop}",
        "FlowMinerIn{hop}HopAll minus FlowMinerOut{hop}HopAll.",
        "6",
        3,
        "transactions",
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
        3,
        "changes",
        hops=_BOTH,
    ),
    Form(
        "MRI",
        "Out",
        "MRI{hop}HopAll30d",
        "out{hop}",
        "100 times FlowMinerOut{hop}HopAllNtv over RevNtv, both summed over 30 days.",
        "6, 9.9",
        3,
        "",
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
        3,
        "",
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
        2,
        "transactions",
        entities="each",
    ),
    Form(
        "Flow",
        "In",
        "FlowInExIncl",
        "gained",
        "Sum of FlowIn over the labelled exchanges, flows between them included.",
        "6",
        2,
        "transactions",
        entities="sum",
    ),
    Form(
        "Flow",
        "Out",
        "FlowOut{entity}",
        "lost",
        "Lost by {owner} in non-coinbase transactions, each netted.",
        "6",
        2,
        "transactions",
        entities="each",
    ),
    Form(
        "Flow",
        "Out",
        "FlowOutExIncl",
        "lost",
        "Sum of FlowOut over the labelled exchanges, flows between them included.",
        "6",
        2,
        "transactions",
        entities="sum",
    ),
    Form(
        "Flow",
        "Net",
        "FlowNet{entity}",
        "gained",
        "FlowIn{entity} minus FlowOut{entity}.",
        "6",
        2,
        "transactions",
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
        2,
        "transactions",
        minus="lost",
        entities="sum",
    ),
    Form(
        "Sply",
        "",
        "Sply{entity}",
        HELD,
        "End-of-day balance of {owner}, whole history of each account.",
        "6",
        2,
        "changes",
        entities="each",
    ),
    Form(
        "FlowTfr",
        "In",
        "FlowTfrIn{entity}Cnt",
        "transfers_in",
        "Positive outputs to {owner} in transactions without an input of it.",
        "6",
        2,
        "transactions",
        units=("count",),
        entities="one",
    ),
    Form(
        "FlowTfr",
        "Out",
        "FlowTfrOut{entity}Cnt",
        "transfers_out",
        "Positive outputs to anyone else in transactions with an input of {owner}.",
        "6",
        2,
        "transactions",
        units=("count",),
        entities="one",
    ),
    Form(
        "FlowTfr",
        "In",
        "FlowTfrToExCnt",
        "transfers_in",
        "Positive outputs to {owner} in transactions without an input of them.",
        "6",
        2,
        "transactions",
        units=("count",),
        entities="all",
    ),
    Form(
        "FlowTfr",
        "Out",
        "FlowTfrFromExCnt",
        "transfers_out",
        "Positive outputs to anyone else in transactions with an input of {owner}.",
        "6",
        2,
        "transactions",
        units=("count",),
        entities="all",
    ),
    Form(
        "FlowTfr",
        "In",
        "FlowTfrToExInclCnt",
        "transfers_in",
        "Sum of FlowTfrIn over the labelled exchanges, transfers between them included.",
        "6",
        2,
        "transactions",
        units=("count",),
        entities="sum",
    ),
    Form(
        "FlowTfr",
        "Out",
        "FlowTfrFromExInclCnt",
        "transfers_out",
        "Sum of FlowTfrOut over the labelled exchanges, transfers between them included.",
        "6",
        2,
        "transactions",
        units=("count",),
        entities="sum",
    ),
    Form(
        "TxEx",
        "",
        "TxExCnt",
        "exchange_transactions",
        "Non-coinbase transactions with an input of an exchange or a positive output to one.",
        "6",
        2,
        "transactions",
        units=("count",),
        entities="all",
    ),
    _derived(
        "RevAllTimeUSD",
        "USD",
        1,
        "Running sum of RevUSD; a day without a price adds nothing and has no value.",
        Derived("running", ("RevUSD",)),
    ),
    _derived(
        "MCTC",
        "ratio",
        3,
        "SplyMiner0HopAllUSD plus SplyMiner1HopAllUSD, over RevAllTimeUSD.",
        Derived("share", ("SplyMiner0HopAllUSD", "SplyMiner1HopAllUSD"), "RevAllTimeUSD"),
    ),
    _derived(
        "PuellMulTot",
        "ratio",
        1,
        "IssTotUSD over its own mean of the last 365 days; null unless all of them have a price.",
        Derived("over_mean", ("IssTotUSD",), days=365),
    ),
    _derived(
        "PuellMulRev",
        "ratio",
        1,
        "RevUSD over its own mean of the last 365 days; null unless all of them have a price.",
        Derived("over_mean", ("RevUSD",), days=365),
    ),
)
"""The catalogue, in the order of the columns of metrics.csv after the seeds."""

VENDOR_EXCHANGES: Final = (
    *(
        "BFX",
        "BMX",
        "BNB",
        "BSP",
        "BTX",
        "GEM",
        "HUO",
        "KRK",
        "POL",
        "BIT",
        "CBS",
        "CRO",
        "DER",
        "GIO",
        "HBT",
        "KOR",
    ),
    *("KCN", "MXC", "NBX", "OKX", "SBG", "BGT", "BHM", "CEX"),
)
"""The exchanges that the vendor has flows of, by its codes, in the order of methodology 6."""

SEEDS: Final[tuple[tuple[str, int, tuple[str, ...]], ...]] = (
    ("In", 0, (EX,)),
    ("Out", 0, (EX,)),
    ("In", 1, ("BFX", "BMX", "BNB", "BSP", "BTX", "GEM", "HUO", "KRK", EX)),
    ("Out", 1, ("BFX", "BMX", "BNB", "BSP", "BTX", "GEM", "HUO", "KRK", "POL", EX, "")),
)
"""Direction, hop and entities of the FlowMiner metrics that every run has, in the order of methodology 6."""


def seeds() -> list[Metric]:
    """The 44 metrics that every run has, labels or not, in the order of methodology 6."""
    forms = {(form.direction, form.entities): form for form in FORMS if form.family == "FlowMiner"}
    return [
        metric
        for direction, hop, entities in SEEDS
        for entity in entities
        for metric in forms[direction, "each" if entity else ""].of(hop, entity)
    ]


def exchange_flow(direction: str, entity: str) -> Metric:
    """The metric of what an exchange, or all as one, gained (`In`) or lost (`Out`), in native units."""
    forms = {form.direction: form for form in FORMS if form.family == "Flow" and form.entities == "each"}
    return next(forms[direction].of(None, entity))


def native(metrics: Iterable[Metric]) -> list[Metric]:
    """One metric of each flow: the native one, or the one in USD where only that is among `metrics`."""
    given = list(metrics)
    stems = {metric.stem for metric in given if metric.unit == "native"}
    return [metric for metric in given if metric.unit == "native" or metric.stem not in stems]


def control() -> list[Metric]:
    """The metrics that the vendor publishes for free and that prove the ledger (methodology 6)."""
    return [metric for form in CONTROL for metric in form.of(None, "")]


def catalog(exchanges: Iterable[str]) -> list[Metric]:
    """Every metric of a run with these exchange codes: seeds, then control metrics, then all other combinations.

    The order is that of the columns of metrics.csv and depends on the set of codes only.
    """
    codes = tuple(sorted(set(exchanges)))
    entities = {"": ("",), "each": (*codes, EX), "one": codes, "all": (EX,), "sum": (INCL,)}
    rest = (
        metric
        for form in FORMS
        for hop in form.hops
        for entity in entities[form.entities]
        for metric in form.of(hop, entity)
    )
    unique = {metric.id: metric for metric in (*seeds(), *rest)}
    return list(unique.values())


def chosen_exchanges(
    labelled: Collection[str], shipped_only: Collection[str], wanted: Sequence[str] | None = None
) -> list[str]:
    """The exchanges with metrics of their own in a run, sorted; all of `labelled` count in `Ex` and `ExIncl` anyway.

    By default the vendor's exchanges and those in your own label files (not in `shipped_only`). `wanted` is `all`, or
    codes with commas between them. Raises MetricError for a code that is not labelled.
    """
    if wanted is None:
        return sorted(code for code in labelled if code in VENDOR_EXCHANGES or code not in shipped_only)
    codes = {part.strip() for text in wanted for part in text.split(",") if part.strip()}
    if ALL_WORD in codes:
        return sorted(labelled)
    if unknown := sorted(codes - set(labelled)):
        few = ", ".join(sorted(labelled)[:12]) + (", …" if len(labelled) > 12 else "")
        raise MetricError(
            f"no label for exchange {unknown[0]}, expected one of {few or 'none'}, or {ALL_WORD}"
        )
    return sorted(codes)


def sums_of(*families: Family) -> list[str]:
    """Names of the daily sums that the metrics of these families are made of."""
    forms = (form for form in FORMS if form.family in families)
    return list(dict.fromkeys(form.sums.format(hop=hop) for form in forms for hop in form.hops))


def exchange_sums() -> list[str]:
    """Names of the daily sums of exchanges alone: the columns of the query exchange_gains."""
    return sums_of("Flow", "Sply", "FlowTfr", "TxEx")


def mining_sums() -> list[str]:
    """Names of the daily sums of what miners sent and got, plain or with an exchange."""
    return sums_of("FlowMiner")


def sums_behind(metrics: Iterable[Metric]) -> set[SumKey]:
    """All daily sums that the metrics are made of, those of the metrics behind them included."""
    keys = set[SumKey]()
    for metric in metrics:
        names = (metric.sums, metric.minus)
        keys |= {(name, metric.entity) for name in names if name}
        if metric.ratio:
            keys.add((metric.ratio.of, ""))
        if metric.derived:
            keys |= sums_behind(made_of(metric))
    return keys


def made_of(metric: Metric) -> list[Metric]:
    """The metrics that a derived metric is made of; none for others."""
    if metric.derived is None:
        return []
    return [_without_codes()[id_] for id_ in (*metric.derived.parts, metric.derived.whole) if id_]


def amounts_behind(metric: Metric) -> list[Metric]:
    """The metrics at the root of a derived one: itself if it is not derived."""
    if metric.derived is None:
        return [metric]
    return [amount for part in made_of(metric) for amount in amounts_behind(part)]


def explainable() -> str:
    """The ids of what adds up over the transactions or blocks of a day, in words, for messages."""
    families = "FlowMinerIn…, FlowMinerOut…, FlowMinerNet…, FlowIn…, FlowOut…, FlowNet…, FlowTfr…, TxExCnt"
    balances = "what changed Sply…, SplyMiner…"
    return f"{families}, {', '.join(metric.id for metric in control() if metric.adds)}, {balances}"


def select(metrics: Iterable[Metric], patterns: Iterable[str]) -> list[Metric]:
    """The metrics that the patterns name, in their own order; all of them without a pattern.

    A pattern is an id, with `*` for any text and `?` for any letter, or several with commas between them; `seeds`
    stands for the seed metrics. Raises MetricError when one matches no metric.
    """
    known = {metric.id: metric for metric in metrics}
    given = [part.strip() for pattern in patterns for part in pattern.split(",") if part.strip()]
    seed_ids = [metric.id for metric in seeds()]
    wanted = [id_ for part in given for id_ in (seed_ids if part == SEEDS_WORD else [part])]
    chosen = set[str]()
    for part in dict.fromkeys(wanted):
        named = matching(part, known)
        if not named:
            problem = f"no metric is called {shortened(part)}"
            raise MetricError(f"{problem}, expected an id or a pattern of `reflow metrics`")
        chosen |= named
    return [metric for id_, metric in known.items() if not wanted or id_ in chosen]


def matching(pattern: str, ids: Mapping[str, object]) -> set[str]:
    """Those of the ids that a pattern names, with `*` for any text and `?` for any letter; or the id itself."""
    if not _WILD & set(pattern):
        return {pattern} & ids.keys()
    if len(pattern) > _LONGEST_PATTERN:
        return set()
    fits = re.compile(translate(pattern)).match
    return {id_ for id_ in ids if fits(id_)}


def facts(metric: Metric) -> dict[str, object]:
    """A metric as JSON, without its computation; says whether it is a seed."""
    told = metric._asdict()
    for name in ("sums", "minus", "ratio", "derived"):
        del told[name]
    return told | {"seed": metric in seeds()}


@cache
def find(id_: str) -> Metric | None:
    """The metric of an id, with any exchange code in it; None if the id has no form."""
    if id_ in (plain := _without_codes()):
        return plain[id_]
    for pattern, form in _patterns():
        if match := pattern.fullmatch(id_):
            hop = match.groupdict().get("hop")
            metrics = form.of(None if hop is None else int(hop), match["entity"])
            return next((metric for metric in metrics if metric.id == id_), None)
    return None


@cache
def _without_codes() -> dict[str, Metric]:
    """The metrics of a run without an exchange: their ids come first, so that SplyMiner0HopAllNtv is no `Sply{e}`."""
    return {metric.id: metric for metric in catalog(())}


@cache
def _patterns() -> list[tuple[re.Pattern[str], Form]]:
    """The ids of the forms that have an exchange in them; the code of an exchange is letters and digits."""
    found = []
    for form in FORMS:
        if form.entities in ("each", "one"):
            shape = form.shape.format(hop=r"(?P<hop>[01])", entity=r"(?P<entity>[A-Za-z0-9]+?)")
            found.append((re.compile(shape + ("(?:Ntv|USD)" if len(form.units) > 1 else "")), form))
    return found
