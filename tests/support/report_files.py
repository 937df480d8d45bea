"""Small folders as recompute, crosscheck and sweep write them, with every name in them as hostile as it can be."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

EVIL: Final = "<img src=x onerror=\"window.hacked='yes'\"></script><script>window.hacked='yes'</script>'&\""
FIRST: Final = date(2021, 1, 1)
DAYS: Final = 60
OFF: Final = 40
"""Number of the day on which BlkCnt and FlowInBNBNtv are off."""
METRICS: Final = (
    "BlkCnt",
    "TxCnt",
    "FeeMeanNtv",
    "FlowInBNBNtv",
    "FlowOutBNBNtv",
    "FlowInKRKNtv",
    "FlowMinerOut1HopAllBNBNtv",
    "FlowMinerOut1HopAllKRKNtv",
    "FlowMinerOut1HopAllExNtv",
    "FlowMinerOut1HopAllExUSD",
)
_DECIMAL: Final = pa.decimal128(38, 18)


def day(number: int) -> date:
    """The day with that number."""
    return FIRST + timedelta(number)


def ours(metric: str, number: int) -> Decimal | None:
    """Our value: whole numbers of counts, else eight places, of a mean and dollars 18; no price on day 7."""
    if metric.endswith("USD") and number == 7:
        return None
    if metric in ("BlkCnt", "TxCnt"):
        return Decimal(140 + number % 9)
    if metric == "FeeMeanNtv":
        return Decimal(100_000_000_000_000_003 + 7_919 * number).scaleb(-18)
    value = Decimal(12_345_678_901 + 7_919 * number * len(metric)).scaleb(-8)
    return value + Decimal(7_919).scaleb(-18) if metric.endswith("USD") else value


def vendor(metric: str, number: int) -> Decimal | None:
    """The vendor's: KRK's flow is twice ours, day 40 is off in two metrics; a mean has 12 places; no USD."""
    value = ours(metric, number)
    if value is None or metric.endswith("USD"):
        return None
    if "KRK" in metric:
        return 2 * value
    if metric == "FeeMeanNtv":
        return value.quantize(Decimal("1e-12"))
    return value + (5 if number == OFF and metric in ("BlkCnt", "FlowInBNBNtv") else 0)


def same(metric: str, _: date, a: Decimal, b: Decimal) -> bool:
    """Whether they agree: a mean of which the vendor has fewer digits does."""
    return a == b or metric == "FeeMeanNtv"


def write_run(folder: Path, days: int = DAYS, name: str = "reference") -> Path:
    """metrics.parquet and run.json."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = [(metric, day(n), ours(metric, n)) for metric in sorted(METRICS) for n in range(days)]
    columns = {
        "asset": pa.array(["btc"] * len(cells), pa.string()),
        "time": pa.array([when for _, when, _ in cells], pa.date32()),
        "metric": pa.array([metric for metric, _, _ in cells], pa.string()),
        "value": pa.array([value for _, _, value in cells], _DECIMAL),
    }
    pq.write_table(pa.table(columns), folder / "metrics.parquet")
    run = {
        "network": "main",
        "tip": {"height": 672_000, "hash": "ab" * 32},
        "digests": {"ledger": "cd" * 32, "labels": "ef" * 32, "prices": None},
        "methodology": {"name": name, "clock": "mediantime", "netting": "net"},
        "first_day": str(FIRST),
        "last_day": str(day(days - 1)),
        "exchanges": {"BNB": {"labelled": 1, "accounts": 2}, "KRK": {"labelled": 1, "accounts": 1}},
        "versions": {"reflow": "0.1.0"},
        "seconds": {"total": 1.5},
    }
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def write_crosscheck(folder: Path, text: str = "The vendor cuts its days by another clock.") -> Path:
    """crosscheck.json, crosscheck.parquet and differences.parquet; `text` is what a finding and an address say."""
    rows = [
        (metric, day(n), a, b)
        for metric in METRICS
        for n in range(DAYS)
        if (a := ours(metric, n)) is not None and (b := vendor(metric, n)) is not None
    ]
    columns = {
        "time": pa.array([when for _, when, _, _ in rows], pa.date32()),
        "metric": pa.array([metric for metric, _, _, _ in rows], pa.string()),
        "ours": pa.array([a for *_, a, _ in rows], _DECIMAL),
        "vendor": pa.array([b for *_, b in rows], _DECIMAL),
        "difference": pa.array([a - b for *_, a, b in rows], _DECIMAL),
        "exact": pa.array([same(*row) for row in rows], pa.bool_()),
    }
    pq.write_table(pa.table(columns), folder / "differences.parquet")
    compared = [_compared(metric, [one for one in rows if one[0] == metric]) for metric in METRICS[:-1]]
    pq.write_table(pa.Table.from_pylist(compared), folder / "crosscheck.parquet")
    (folder / "crosscheck.json").write_text(json.dumps(_crosscheck(text)))
    return folder


def _compared(metric: str, rows: list[tuple[str, date, Decimal, Decimal]]) -> dict[str, Any]:
    off = [row[1] for row in rows if not same(*row)]
    layer = 1 if metric in ("BlkCnt", "TxCnt", "FeeMeanNtv") else 3 if "Miner" in metric else 2
    total, theirs = (sum(one[side] for one in rows) for side in (2, 3))  # type: ignore[misc]
    return {
        "metric": metric,
        "layer": layer,
        "verdict": "off" if off else "exact",
        "days": len(rows),
        "off": len(off),
        "first_off": off[0] if off else None,
        "last_off": off[-1] if off else None,
        "longest_run": len(off),
        "ratio": float(total / theirs),
        "max_absolute": str(max(abs(a - b) for *_, a, b in rows)),
        "max_relative": float(max(abs(a - b) / b for *_, a, b in rows)),
        "correlation": 0.999,
    }


def _crosscheck(text: str) -> dict[str, Any]:
    return {
        "verdict": {"breaks_first": 1, "text": text, "required": ["BlkCnt"], "failed": ["BlkCnt"]},
        "layers": [_layer(1, "breaks", text), _layer(2, "breaks", text), _layer(3, "not judged", text)],
        "findings": [
            _finding("clock", 1, "", "BlkCnt", text),
            _finding("labels", 2, "KRK", "FlowInKRKNtv", "KRK shows 50.0 % of the vendor's flow."),
        ],
        "worst": [_worst(text)],
        "coverage_over_time": [
            {
                "exchange": code,
                "metric": f"FlowIn{code}Ntv",
                "first": str(day(7 * week)),
                "last": str(day(7 * week + 6)),
                "ours": "1.5",
                "vendor": "3",
                "ratio": ratio,
            }
            for code, ratio in (("BNB", 1.0), ("KRK", 0.5))
            for week in range(8)
        ],
        "settings": {"tolerance": {"absolute": "0"}, "require": [text]},
        "vendor": {"source": f"/some/where/{text}"},
        "digests": {"vendor": "12" * 32},
    }


def _layer(number: int, status: str, text: str) -> dict[str, Any]:
    counts = {"metrics": 2, "agreeing": 1, "days": DAYS, "days_off": 1}
    return {"layer": number, "status": status, "text": text, "title": text, "question": text, **counts}


def _finding(kind: str, layer: int, entity: str, metric: str, text: str) -> dict[str, Any]:
    told = {"kind": kind, "layer": layer, "entity": entity, "text": text, "advice": "Look at it."}
    return {**told, "metrics": [metric], "days": [str(day(OFF))], "ratio": None, "gap": None}


def _worst(text: str) -> dict[str, Any]:
    parties = {"debits": [_party(text, "sender")], "credits": [_party("bc1qb", "receiver")] * 5}
    part = {"height": 671_234, "txid": "ba" * 32, "adds": 500_000_000, **parties}
    return {
        "layer": 2,
        "metric": "FlowInBNBNtv",
        "day": str(day(OFF)),
        "ours": "123.5",
        "vendor": "128.5",
        "difference": "-5",
        "relative": 0.0389,
        "finding": "transaction",
        "command": f"reflow explain LEDGER FlowInBNBNtv {day(OFF)} --labels '{text}'",
        "number": 17,
        "largest": [part | {"txid": "bb" * 32}],
        "closing": {"way": "include", "rest": "0", "exact": True, "ways": 1, "parts": [part]},
    }


def _party(address: str, role: str) -> dict[str, Any]:
    return {
        "account": 1,
        "address": address,
        "value": 150_000_000,
        "postings": 1,
        "role": role,
        "reasons": [],
    }


def write_sweep(folder: Path, name: str = "clock=header") -> Path:
    """sweep.json and sweep.parquet of three methodologies; `name` is what one of them is called."""
    folder.mkdir(parents=True, exist_ok=True)
    ranking = [_ranked(1, "reference", 0.01), _ranked(2, name, 0.2), _ranked(3, "netting=gross", 0.31)]
    change = {"base": "reference", "parameter": "clock", "value": "header", "name": name}
    told = {
        "ranking": ranking,
        "settings": {"ranked_by": "distance"},
        "single_changes": [{**change, "distance": 0.19, "shape": 0.02, "moved": ["BlkCnt"]}],
        "indistinguishable": [["reference", name]],
        "equally_far": [],
    }
    (folder / "sweep.json").write_text(json.dumps(told))
    pq.write_table(pa.Table.from_pylist([{"rank": 1, "name": "reference"}]), folder / "sweep.parquet")
    return folder


def _ranked(rank: int, name: str, distance: float) -> dict[str, Any]:
    scores = {"distance": distance, "shape": distance / 2}
    return {"rank": rank, "name": name, **scores, "metrics": {"BlkCnt": {"days_off": rank}}}
