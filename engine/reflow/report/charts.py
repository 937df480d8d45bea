"""The charts as Vega-Lite specifications, each a function of a palette; their data set is named `rows`.

A temporal field holds milliseconds since 1970, UTC. Charts only draw; page.js shows values under mouse and keys.
"""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt

from reflow.report.theme import OTHERS, Palette

Spec = dict[str, Any]
"""A Vega-Lite specification."""

HEIGHT: Final = 220
_LOW: Final = 110
_MARGIN: Final = 58
"""Width of the labels of every y axis of numbers: days are then aligned between charts."""
_ROW: Final = 18
_NUMBER: Final = (
    "abs(datum.value) >= 1000 ? replace(format(datum.value, '.3~s'), 'G', 'B') : format(datum.value, '~g')"
)
_DAY: Final = (
    "utcdate(datum.value) > 1 ? utcFormat(datum.value, '%-d %b') : "
    "utcFormat(datum.value, utcmonth(datum.value) ? '%b' : '%Y')"
)
_ROWS: Final = alt.NamedData(name="rows")


def metric_chart(palette: Palette, *, compared: bool = True) -> Spec:
    """Ours over the vendor's: fields `t`, `ours`, `vendor`. Where they agree, a dark line runs in a broad pale one."""
    legend = alt.Legend(symbolType="stroke", symbolStrokeWidth=3)
    colour = _scale({"ours": palette.ours} | ({"vendor": palette.vendor} if compared else {}), "side", legend)
    layers = [
        alt.Chart(_ROWS)
        .mark_line(strokeWidth=width, strokeJoin="round")
        .transform_calculate(side=f"'{side}'")
        .encode(x=_time(), y=_number(side), color=colour)
        for side, width in ((("vendor", 5),) if compared else ()) + (("ours", 1.5),)
    ]
    return _spec(alt.layer(*layers), HEIGHT)


def difference_chart(palette: Palette) -> Spec:
    """Ours minus the vendor's, a bar a day: fields `t`, `difference`."""
    bars = alt.Chart(_ROWS).mark_rule(strokeWidth=2, color=palette.difference)
    zero = alt.Chart(_ROWS).mark_rule(color=palette.muted, strokeWidth=0.5).encode(y=alt.datum(0))
    shown = bars.encode(x=_time(), y=_number("difference"), y2=alt.datum(0))
    return _spec(alt.layer(zero, shown), _LOW)


def stack_chart(palette: Palette, names: Sequence[str], *, share: bool = False) -> Spec:
    """Amounts of several entities on top of each other: fields `t`, `t2` (end of the bin), `entity`, `value`."""
    colours = dict(zip(names, palette.categories, strict=False)) | {OTHERS: palette.others}
    y = alt.Y(
        "value:Q",
        axis=alt.Axis(title=None, minExtent=_MARGIN, format="%") if share else _axis(),
        stack="normalize" if share else "zero",
    )
    bars = (
        alt.Chart(_ROWS)
        .mark_bar(orient="vertical", binSpacing=0, clip=True)
        .encode(x=_time(), x2="t2:T", y=y, color=_scale(colours, "entity"), order="order:Q")
    )
    return _spec(bars, HEIGHT)


def heat_chart(colours: Sequence[str], rows: Sequence[str], meanings: Sequence[str]) -> Spec:
    """Rows of cells over time: fields `t`, `t2`, `row`, `class` (an index into `colours` and `meanings`)."""
    names = ", ".join(f"'{meaning}'" for meaning in meanings)
    classes = range(len(meanings))
    colour = alt.Color(
        "class:O",
        scale=alt.Scale(domain=list(classes), range=list(colours)),
        legend=alt.Legend(labelExpr=f"[{names}][datum.value]"),
    )
    y = alt.Y(
        "row:N", sort=list(rows), axis=alt.Axis(title=None, ticks=False), scale=alt.Scale(paddingInner=0.12)
    )
    cells = alt.Chart(_ROWS).mark_rect(stroke=None, clip=True).encode(x=_time(), x2="t2:T", y=y, color=colour)
    return _spec(cells, max(1, len(rows)) * _ROW)


def bar_chart(palette: Palette, rows: Sequence[str]) -> Spec:
    """One bar a row: fields `row`, `value`, `best` (whether it is drawn strong)."""
    colour = alt.condition("datum.best", alt.value(palette.ours), alt.value(palette.others))
    y = alt.Y(
        "row:N", sort=list(rows), axis=alt.Axis(title=None, ticks=False), scale=alt.Scale(paddingInner=0.25)
    )
    x = alt.X("value:Q", axis=_axis(orient="top"))
    bars = alt.Chart(_ROWS).mark_bar(cornerRadiusEnd=2).encode(x=x, y=y, color=colour)
    return _spec(bars, max(1, len(rows)) * _ROW)


def _spec(chart: alt.Chart | alt.LayerChart | alt.FacetChart, height: int) -> Spec:
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    spec: Spec = chart.properties(width="container", height=height, autosize=fit).to_dict()
    del spec["config"]  # altair's own; a page or a picture brings that of theme.py
    return spec


def _time() -> alt.X:
    return alt.X("t:T", scale=alt.Scale(type="utc"), axis=alt.Axis(title=None, labelExpr=_DAY))


def _number(field: str) -> alt.Y:
    return alt.Y(f"{field}:Q", axis=_axis())


def _axis(orient: Any = alt.Undefined) -> alt.Axis:
    margin = alt.Undefined if orient == "top" else _MARGIN
    return alt.Axis(title=None, minExtent=margin, maxExtent=margin, labelExpr=_NUMBER, orient=orient)


def _scale(colours: dict[str, str], field: str, legend: alt.Legend | None = None) -> alt.Color:
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(f"{field}:N", scale=scale, legend=legend or alt.Legend())
