"""Colours and type of the charts: two palettes of one design, for the page and for pictures."""

from typing import Final, NamedTuple

CATEGORIES: Final = 9
"""Exchanges or pools that have a colour of their own; the others share grey, as `others`."""
OTHERS: Final = "others"
CLASSES: Final = 6
"""Steps of the scale of a heat map, from quiet to loud."""


class Palette(NamedTuple):
    """Colours, as a Vega specification takes them."""

    ink: str
    muted: str
    rule: str
    ours: str
    vendor: str
    difference: str
    others: str
    categories: tuple[str, ...]
    classes: tuple[str, ...]


def _variables() -> Palette:
    return Palette(
        ink="var(--ink)",
        muted="var(--muted)",
        rule="var(--rule)",
        ours="var(--ours)",
        vendor="var(--vendor)",
        difference="var(--difference)",
        others="var(--others)",
        categories=tuple(f"var(--c{number})" for number in range(CATEGORIES)),
        classes=tuple(f"var(--h{number})" for number in range(CLASSES)),
    )


PAGE: Final = _variables()
"""Variables of the style sheet, so that charts are light, dark or printed as the page around them is."""

PAPER: Final = Palette(
    ink="#1f2328",
    muted="#656d76",
    rule="#e4e4df",
    ours="#0b5d80",
    vendor="#efbb6d",
    difference="#b4453b",
    others="#b5b5ae",
    categories=(
        "#0b5d80",
        "#d98b2b",
        "#4d8f6a",
        "#8a5a9e",
        "#c2574c",
        "#3f7fb5",
        "#a58a3c",
        "#d083a2",
        "#6f7f8c",
    ),
    classes=("#e3eee6", "#f3ead0", "#f0cf93", "#e3a066", "#cb6a4e", "#9c2f33"),
)
"""For pictures: the colours of the light page."""


def config(palette: Palette, font: str) -> dict[str, object]:
    """The Vega-Lite configuration of all charts: no frame, quiet grid, small type in `font`."""
    text = {"labelFont": font, "titleFont": font, "labelColor": palette.muted, "titleColor": palette.ink}
    axis = {
        **text,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "titleColor": palette.muted,
        "gridColor": palette.rule,
        "domainColor": palette.rule,
        "tickColor": palette.rule,
    }
    return {
        "font": font,
        "background": None,
        "view": {"stroke": None},
        "axis": axis,
        "axisX": {
            "grid": False,
            "labelOverlap": True,
            "labelFlush": False,
            "tickCount": {"expr": "width / 90"},
        },
        "axisY": {"domain": False, "ticks": False, "tickCount": 4},
        "legend": {**text, "labelFontSize": 11, "orient": "top", "title": None, "symbolType": "square"},
        "title": {
            "font": font,
            "subtitleFont": font,
            "anchor": "start",
            "fontSize": 13,
            "color": palette.ink,
            "subtitleColor": palette.muted,
            "subtitleFontSize": 11,
        },
    }
