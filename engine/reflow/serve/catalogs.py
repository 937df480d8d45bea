"""What there is to ask for: the catalogue of metrics, reference data about each, and the recomputations there are."""

from typing import Any, Final

from reflow.flows.catalog import ASSET, Metric, catalog
from reflow.flows.methodology import PURPOSES
from reflow.serve import endpoint
from reflow.serve.answer import Answer, of_json
from reflow.serve.endpoint import (
    API_KEY,
    COMMON,
    METHODOLOGY,
    PAGING,
    PRETTY,
    Call,
    Endpoint,
    expand,
    of_items,
)
from reflow.serve.endpoint import paging_from as from_
from reflow.serve.library import VENDOR, Snapshot
from reflow.serve.timeseries import stamp

_FAMILIES: Final = {
    "FlowMiner": ("Exchange", "Miner flows", "Flow of miners"),
    "FlowMinerNet": ("Mining", "Miner flows", "Net flow of miners"),
    "SplyMiner": ("Mining", "Miner supply", "Supply held by miners"),
    "MRI": ("Mining", "Miner flows", "Miners' rolling inventory"),
    "MOMR": ("Mining", "Miner flows", "Miners' outflow to revenue"),
    "Flow": ("Exchange", "Deposits and withdrawals", "Flow of exchanges"),
    "Sply": ("Exchange", "Supply", "Supply held by exchanges"),
    "FlowTfr": ("Exchange", "Deposits and withdrawals", "Transfers of exchanges"),
    "TxEx": ("Exchange", "Deposits and withdrawals", "Transactions of exchanges"),
    "Market": ("Market", "Miners and market", "Of miners' revenue"),
    "Control": ("Network", "Control", "Control metric"),
}
_UNITS: Final = {"native": "Native units", "USD": "USD", "count": "Count", "bytes": "Bytes", "ratio": "Ratio"}
_WHOLE: Final = ("count", "bytes")
_DEFINED: Final = ("Control", "Market")
"""Families whose metrics have nothing in common: the definition is the name."""


def _assets_and_metrics(call: Call) -> Answer:
    metrics = expand("metrics", call.values["metrics"], call.snapshot.spans)
    expand("assets", call.values["assets"], (ASSET,))
    listed = [] if call.values["reviewable"] else [_series(call, one) for one in sorted(metrics)]
    listed = [one for one in listed if one]
    return of_items(call, [{"asset": ASSET, "metrics": listed}] if listed else [], "asset")


def _series(call: Call, metric: str) -> dict[str, Any] | None:
    """One metric of the catalogue; None for one that has no value."""
    span = call.snapshot.spans[metric]
    if span is None:
        return None
    times = {"min_time": stamp(span.first), "max_time": stamp(span.last)}
    return {"metric": metric, "frequencies": [{"frequency": "1d", **times}]}


def _metrics(call: Call) -> Answer:
    return of_items(call, _described(call), "metric")


def _old_metrics(call: Call) -> Answer:
    where = [{"frequency": "1d", "assets": [ASSET]}]
    items = [one | {"frequencies": where} for one in _described(call) if call.snapshot.spans[one["metric"]]]
    return of_json({"data": items}, pretty=call.values["pretty"])


def _described(call: Call) -> list[dict[str, Any]]:
    if call.values["reviewable"]:
        return []
    run = call.snapshot.run or {}
    known = {metric.id: metric for metric in catalog(run.get("exchanges", {}))}
    ids = sorted(expand("metrics", call.values["metrics"], call.snapshot.spans))
    return [_describe(id_, known.get(id_)) for id_ in ids]


def _describe(id_: str, metric: Metric | None) -> dict[str, str]:
    """The reference item of a metric; None stands for one of the vendor's that reflow does not compute."""
    if metric is None:
        category, subcategory, name, unit, said = VENDOR, VENDOR, id_, "native", "A series of the vendor's."
    else:
        category, subcategory, name = _FAMILIES[metric.family]
        unit, said = metric.unit, metric.definition
    return {
        "metric": id_,
        "full_name": _full_name(name, metric),
        "description": said,
        "product": "Network Data",
        "category": category,
        "subcategory": subcategory,
        "unit": _UNITS[unit],
        "data_type": "bigint" if unit in _WHOLE and not (metric and metric.is_quotient) else "decimal",
        "type": _type(metric),
    }


def _type(metric: Metric | None) -> str:
    """How a day's value comes about, in the vendor's words."""
    if metric is None or not metric.is_quotient:
        return "Sum"
    if metric.unit == "ratio":
        return "Ratio"
    return "Median" if "Med" in metric.id else "Mean"


def _full_name(name: str, metric: Metric | None) -> str:
    if metric is None or metric.family in _DEFINED:
        return name if metric is None else metric.definition.removesuffix(".")
    parts = (
        metric.direction.lower(),
        "" if metric.hop is None else f"{metric.hop}-hop",
        metric.entity,
        _UNITS[metric.unit],
    )
    return ", ".join((name, *filter(None, parts)))


def _assets(call: Call) -> Answer:
    expand("assets", call.values["assets"], (ASSET,))
    return of_items(call, [{"asset": ASSET, "full_name": "Bitcoin"}], "asset")


def _methodologies(call: Call) -> Answer:
    found = call.library.all().values()
    return of_json({"data": [_recomputation(one) for one in found]}, pretty=call.values["pretty"])


def _methodology(call: Call) -> Answer:
    return of_json(
        _recomputation(call.snapshot) | {"run": call.snapshot.run or {}}, pretty=call.values["pretty"]
    )


def _recomputation(snapshot: Snapshot) -> dict[str, Any]:
    run = snapshot.run or {}
    spans = [span for span in snapshot.spans.values() if span]
    return {
        "name": snapshot.name,
        "id": snapshot.id,
        "purpose": PURPOSES.get(snapshot.name, "" if run else "The vendor's own series."),
        "parameters": {key: value for key, value in run.get("methodology", {}).items() if key != "name"},
        "first_day": str(min(span.first for span in spans)) if spans else None,
        "last_day": str(max(span.last for span in spans)) if spans else None,
        "metrics": len(snapshot.spans),
        "exchanges": sorted(run.get("exchanges", {})),
    }


_ASSETS = endpoint.ids("assets", f"`{ASSET}`, or `*`.")
_METRICS = endpoint.ids("metrics", "Metric ids, perhaps with `*` at the end; all if left out.")
_REVIEWABLE = endpoint.boolean(
    "reviewable", None, "true gives an empty list: recomputed metrics are not reviewed."
)
_FORMAT = endpoint.choice("format", ("json", "json_stream"), "json", "json_stream is one object a line.")
_ALONE: Final = (METHODOLOGY, API_KEY, PRETTY)
_PAGED = (*PAGING, from_("start"), _FORMAT, *COMMON)

ENDPOINTS: Final = (
    *(
        Endpoint(
            f"/v4/{path}/asset-metrics",
            (_ASSETS, _METRICS, _REVIEWABLE, *_PAGED),
            _assets_and_metrics,
            "Metrics that have values, and from when to when",
            "CatalogItem",
        )
        for path in ("catalog-v2", "catalog-all-v2")
    ),
    Endpoint(
        "/v4/reference-data/asset-metrics",
        (_METRICS, _REVIEWABLE, *_PAGED),
        _metrics,
        "What metrics mean",
        "Metric",
    ),
    Endpoint(
        "/v4/reference-data/assets",
        (_ASSETS, endpoint.choice("include", ("talos",), None, "Accepted, without effect."), *_PAGED),
        _assets,
        "The asset",
        "Asset",
    ),
    *(
        Endpoint(
            f"/v4/{path}/asset-metrics",
            (_METRICS, _REVIEWABLE, *_ALONE),
            _old_metrics,
            "Metrics that have values, in the vendor's older form",
            "OldCatalogItem",
        )
        for path in ("catalog", "catalog-all")
    ),
)

METHODOLOGIES: Final = (
    Endpoint(
        "/methodology", _ALONE, _methodologies, "The recomputations there are", "Methodology", is_kept=False
    ),
    Endpoint(
        "/methodology/{name}",
        _ALONE,
        _methodology,
        "How one was computed, and from what",
        "Methodology",
        is_kept=False,
    ),
)
