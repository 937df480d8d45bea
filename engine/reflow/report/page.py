"""The page: one HTML file with style, scripts, library and data inside, and a policy that allows no request."""

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import polars as pl
import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reflow import __version__
from reflow.flows.catalog import SHOWN_FIRST, Metric
from reflow.report.charts import difference_chart, metric_chart, stack_chart
from reflow.report.evidence import Evidence
from reflow.report.figures import Figure, metrics_of, milliseconds, stacks, strongest
from reflow.report.pictures import all_figures
from reflow.report.sections import LAYERS, compared, inputs, matrix, number, shortly, spaced, worst_days
from reflow.report.sweep import sweep_tables
from reflow.report.theme import PAGE, config
from reflow.report.verdict import verdict
from reflow.results.frames import Frames

_FONT: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif'
_MANY: Final = 40
"""From this many metrics on, the page has a search field."""
_TEMPLATES: Final = Path(__file__).parent / "templates"


def render(frames: Frames, evidence: Evidence) -> str:
    """The whole file; the same for the same input, byte for byte."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"spaced": spaced, "number": number, "shortly": shortly}
    library, script = _library(), _file("page.js")
    return environment.get_template("page.html").render(
        **_content(frames, evidence),
        version=__version__,
        style=Markup(_file("page.css")),
        library=Markup(library),
        script=Markup(script),
        policy=_policy(library, script),
    )


def _policy(*scripts: str) -> str:
    """A policy that allows only these two scripts and no request; Vega compiles its expressions: `unsafe-eval`."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed} 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def _library() -> str:
    """Vega, Vega-Lite and vega-embed as one script, from vl-convert's own copy: nothing is fetched."""
    bundle = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    assert "</script" not in bundle, "the bundle would end its own element"
    return bundle


def _file(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _content(frames: Frames, evidence: Evidence) -> dict[str, Any]:
    known, (first, last) = metrics_of(frames), frames.span()
    figures = {figure.id: figure for figure in all_figures(frames, evidence)}
    top = strongest(frames)
    flows = stacks(known)
    content: dict[str, Any] = {
        "verdict": verdict(frames),
        "run": frames.run,
        "vendor": _vendor(frames),
        "first": str(first),
        "last": str(last),
        "figures": figures,
        "groups": _groups(frames, known),
        "many": len(known) > _MANY,
        "selected": _selected(frames, known),
        "stacks": flows,
        "comparison": compared(frames),
        "worst": worst_days(evidence),
        "matrix": matrix(evidence),
        "sweep": sweep_tables(frames),
        "missing": evidence.missing,
        "inputs": inputs(frames),
        "blobs": [
            (name[0], pack(one)) for name, one in series(frames).group_by("metric", maintain_order=True)
        ],
        "data": _json(_data(frames, known, figures, flows, top)),
    }
    return content | {"sections": list(_sections(content))}


def _data(
    frames: Frames,
    known: Sequence[Metric],
    figures: dict[str, Figure],
    flows: list[dict[str, Any]],
    top: list[str],
) -> dict[str, Any]:
    """What page.js reads."""
    first, last = frames.span()
    return {
        "first": milliseconds(first),
        "days": (last - first).days + 1,
        "vendor": frames.differences is not None,
        "metrics": {metric.id: {"definition": metric.definition, "unit": metric.unit} for metric in known},
        "stacks": flows,
        "top": top,
        "figures": {
            figure.id: {
                "kind": figure.kind,
                "columns": figure.columns,
                "rows": figure.rows,
                "top": figure.top,
            }
            for figure in figures.values()
        },
        "specs": {
            "metric": metric_chart(PAGE),
            "alone": metric_chart(PAGE, compared=False),
            "difference": difference_chart(PAGE),
            "stack": stack_chart(PAGE, top),
            **{figure.id: figure.draw(PAGE) for figure in figures.values()},
        },
        "config": config(PAGE, _FONT),
    }


def _json(data: object) -> Markup:
    """JSON that is safe inside a script element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _groups(frames: Frames, known: Sequence[Metric]) -> list[tuple[str, list[dict[str, str]]]]:
    """The metrics by layer, for the list; without a cross-check miner flows come first."""
    verdicts = _verdicts(frames)
    groups: dict[str, list[dict[str, str]]] = {name: [] for name in LAYERS.values()}
    for metric in known:
        groups[LAYERS[metric.layer]].append({"id": metric.id, "verdict": verdicts.get(metric.id, "")})
    return [(name, metrics) for name, metrics in groups.items() if metrics]


def _selected(frames: Frames, known: Sequence[Metric]) -> str:
    """The metric to begin with: the worst one of the layer that breaks first, else what the project is about."""
    told = frames.crosscheck or {}
    breaks = told["verdict"].get("breaks_first") if told else None
    ids = [metric.id for metric in known]
    worst = [one["metric"] for one in told.get("worst", []) if one["layer"] == breaks]
    return next((id_ for id_ in (*worst, SHOWN_FIRST, *ids) if id_ in ids), "")


def _verdicts(frames: Frames) -> dict[str, str]:
    if frames.comparison is None:
        return {}
    return dict(frames.comparison.select("metric", "verdict").iter_rows())


def _vendor(frames: Frames) -> str:
    told = frames.crosscheck or {}
    source = str(told.get("vendor", {}).get("source", "the vendor's series")) if told else ""
    return Path(source).name if source else ""


def _sections(content: dict[str, Any]) -> Iterable[tuple[str, str]]:
    figures = content["figures"]
    every = (
        ("differences", "Where", "differences" in figures),
        ("metrics", "Series", True),
        ("comparison", "Metrics", content["comparison"]),
        ("exchanges", "Exchanges", content["stacks"]),
        ("coverage", "Coverage", "coverage" in figures),
        ("pools", "Pools", "pools" in figures),
        ("worst", "Worst days", content["worst"]),
        ("sweep", "Sweep", "sweep" in figures),
        ("inputs", "Inputs", True),
    )
    return ((id_, title) for id_, title, there in every if there)


def text(column: str) -> pl.Expr:
    """A column of decimals, or of their text, as plain decimals without zeros at the end."""
    plain = pl.col(column).cast(pl.String)
    whole = plain.str.strip_chars_end("0").str.strip_chars_end(".")
    return pl.when(plain.str.contains(".", literal=True)).then(whole).otherwise(plain).alias(column)


def series(frames: Frames) -> pl.DataFrame:
    """A row for each metric and day: metric, time, ours and vendor as text, exact. Null is no value.

    `exact`: whether both are equal as far as the vendor's has digits.
    """
    ours = frames.metrics.select("metric", "time", text("value").alias("ours"))
    if frames.differences is None:
        return ours.with_columns(vendor=pl.lit(None, pl.String), exact=pl.lit(None, pl.Boolean))
    vendor = frames.differences.select("metric", "time", text("vendor"), "exact")
    return ours.join(vendor, on=["metric", "time"], how="left", maintain_order="left")


def pack(one: pl.DataFrame) -> str:
    """The series of one metric: `OURS`, `OURS,VENDOR` where the vendor has a value, `OURS,=` where it is the same.

    `OURS,~VENDOR`: the vendor's has fewer digits but is equal otherwise.
    """
    ours, vendor = pl.col("ours").fill_null(""), pl.col("vendor")
    rounded = pl.when("exact").then(",~" + vendor).otherwise("," + vendor)
    same = pl.when(vendor == ours).then(pl.lit(",=")).otherwise(rounded)
    lines = one.select((ours + same.fill_null("")).alias("line"))["line"]
    return base64.b64encode(zlib.compress("\n".join(lines).encode(), 9)).decode()
