"""The catalogue: exactly the 44 seeds of methodology 6 come first, with labels and without; ids are regular."""

import re
from itertools import product
from pathlib import Path

import pytest

from reflow.errors import MetricError
from reflow.flows import catalog as catalog_module
from reflow.flows.catalog import (
    VENDOR_EXCHANGES,
    Metric,
    catalog,
    chosen_exchanges,
    control,
    exchange_sums,
    seeds,
    select,
    sums_of,
)
from reflow.ledger.kept_days import KEPT
from reflow.store.resources import query

EIGHT = ["BFX", "BMX", "BNB", "BSP", "BTX", "GEM", "HUO", "KRK"]
SEEDS = [
    f"FlowMiner{way}{hop}HopAll{entity}{unit}"
    for way, hop, entities in [
        ("In", 0, ["Ex"]),
        ("Out", 0, ["Ex"]),
        ("In", 1, [*EIGHT, "Ex"]),
        ("Out", 1, [*EIGHT, "POL", "Ex", ""]),
    ]
    for entity, unit in product(entities, ["Ntv", "USD"])
]
CONTROL = [
    *("BlkCnt", "BlkSizeByte", "TxCnt", "TxTfrCnt", "TxTfrValNtv"),
    *("FeeTotNtv", "IssTotNtv", "RevNtv", "SplyCur", "AdrActCnt"),
    *("AdrActSentCnt", "AdrActRecCnt", "AdrBalCnt", "BlkSizeMeanByte", "FeeMeanNtv", "FeeMedNtv"),
    *("TxTfrValMeanNtv", "TxTfrValMedNtv", "FeeRevPct"),
    *("TxTfrValUSD", "FeeTotUSD", "IssTotUSD", "RevUSD"),
]


@pytest.mark.parametrize("codes", [[], ["KRK"], ["NEW", "BFX", "ABC"]])
def test_seeds_then_control_then_the_rest(codes: list[str]) -> None:
    ids = [metric.id for metric in catalog(codes)]
    assert len(SEEDS) == 44
    assert ids[:44] == SEEDS == [metric.id for metric in seeds()]
    assert ids[44 : 44 + len(CONTROL)] == CONTROL == [metric.id for metric in control()]
    assert len(set(ids)) == len(ids)


def test_every_combination_for_a_labelled_exchange() -> None:
    ids = {metric.id for metric in catalog(["XYZ"])}
    miner = product(["In", "Out"], "01", ["XYZ", "Ex", ""], ["Ntv", "USD"])
    assert ids >= {f"FlowMiner{way}{hop}HopAll{entity}{unit}" for way, hop, entity, unit in miner}
    flows = product(["In", "Out", "Net"], ["XYZ", "Ex", "ExIncl"], ["Ntv", "USD"])
    assert ids >= {f"Flow{way}{entity}{unit}" for way, entity, unit in flows}
    families = product(["FlowMinerNet", "SplyMiner"], "01", ["Ntv", "USD"])
    assert ids >= {f"{family}{hop}HopAll{unit}" for family, hop, unit in families}
    assert ids >= {
        "MRI0HopAll30d",
        "MRI1HopAll30d",
        "MOMR",
        "MCTC",
        "PuellMulTot",
        "PuellMulRev",
        "RevAllTimeUSD",
    }
    assert ids >= {
        "SplyXYZNtv",
        "SplyXYZUSD",
        "SplyExNtv",
        "SplyExUSD",
        "FlowTfrInXYZCnt",
        "FlowTfrOutXYZCnt",
    }
    assert ids >= {f"FlowTfr{way}Ex{incl}Cnt" for way, incl in product(["To", "From"], ["", "Incl"])} | {
        "TxExCnt"
    }
    assert not {"FlowTfrInExCnt", "SplyExInclNtv"} & ids


def test_order_of_labels_does_not_matter() -> None:
    assert catalog(["B", "A", "B"]) == catalog(["A", "B"])


@pytest.mark.parametrize("found", catalog(["XYZ"]), ids=lambda metric: metric.id)
def test_fields_spell_the_id(found: Metric) -> None:
    suffix = {"native": "Ntv", "USD": "USD"}.get(found.unit, "")
    if found.family == "FlowMiner":
        assert found.id == f"FlowMiner{found.direction}{found.hop}HopAll{found.entity}{suffix}"
    if found.family == "Flow":
        assert found.id == f"Flow{found.direction}{found.entity}{suffix}"
    assert found.definition.endswith(".")
    assert re.fullmatch(r"[\d.]+(, [\d.]+)*", found.section)
    assert found.stem == (found.id.removesuffix(suffix) if suffix and found.id.endswith(suffix) else found.id)


def test_every_sum_of_the_catalogue_is_a_column_of_a_query() -> None:
    """The queries answer with the names that the catalogue asks for."""
    plain, exchange = query("plain_flows"), query("exchange_flows")
    for name in sums_of("FlowMiner"):
        assert re.search(rf"\b{name}\b", plain)
        assert re.search(rf"'{name}'", exchange)
    assert all(re.search(rf"AS {name}\b", query("exchange_gains")) for name in exchange_sums())
    assert all(re.search(rf"\b{name}\b", query("kept_days")) for name in KEPT)
    assert (sums_of("FlowMiner"), sums_of("Flow")) == (["in0", "in1", "out0", "out1"], ["gained", "lost"])


def test_no_other_module_of_the_flows_spells_an_id() -> None:
    """Shapes of ids are in the catalogue only."""
    shape = re.compile(r"HopAll|(?<!\")\"(Flow(In|Out|Net)|SplyMiner|MRI|MOMR|Rev|BlkCnt|TxCnt|AdrActCnt)")
    flows = Path(catalog_module.__file__).parent
    modules = [path for path in flows.glob("*.py") if path.name != "catalog.py"]
    assert [path.name for path in modules if shape.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("patterns", "count"),
    [
        ([], len(catalog(["XYZ"]))),
        (["FlowMinerIn0HopAllExNtv"], 1),
        (["FlowMinerIn0HopAll*"], 6),
        (["*USD", "BlkCnt, TxCnt,"], sum(m.unit == "USD" for m in catalog(["XYZ"])) + 2),
        (["SplyMiner?HopAllNtv"], 2),
        (["seeds"], 44),
        (["seeds,BlkCnt"], 45),
    ],
)
def test_select(patterns: list[str], count: int) -> None:
    found = select(catalog(["XYZ"]), patterns)
    assert len(found) == count
    assert found == [metric for metric in catalog(["XYZ"]) if metric in found]


@pytest.mark.parametrize("pattern", ["FlowMinerIn0HopAllKRK*", "blkcnt", "Rev"])
def test_select_nothing_is_an_error(pattern: str) -> None:
    with pytest.raises(MetricError, match=f"^no metric is called {re.escape(pattern)}, expected an id or"):
        select(catalog(["XYZ"]), ["BlkCnt", pattern])


LABELLED = ["BNB", "Bitkub", "KRK", "Mine"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, ["BNB", "KRK", "Mine"]),
        (["all"], LABELLED),
        (["KRK"], ["KRK"]),
        (["KRK, Bitkub", "BNB"], ["BNB", "Bitkub", "KRK"]),
        ([], []),
    ],
)
def test_exchanges_with_metrics_of_their_own(wanted: list[str] | None, found: list[str]) -> None:
    """Those that the vendor has, and those that no shipped file alone names; or what is asked for."""
    assert chosen_exchanges(LABELLED, {"Bitkub", "KRK"}, wanted) == found


def test_an_exchange_without_a_label_cannot_be_asked_for() -> None:
    with pytest.raises(
        MetricError, match=r"^no label for exchange Kub, expected one of BNB, .*, Mine, or all$"
    ):
        chosen_exchanges(LABELLED, (), ["Kub"])


def test_the_vendor_has_the_exchanges_of_the_seeds() -> None:
    assert {metric.entity for metric in seeds()} - {"", "Ex"} <= set(VENDOR_EXCHANGES)
    assert len(set(VENDOR_EXCHANGES)) == len(VENDOR_EXCHANGES) == 24
