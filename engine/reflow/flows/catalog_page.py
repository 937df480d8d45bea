"""docs/metrics.md, made from the catalogue: `python -m reflow.flows.catalog_page > docs/metrics.md`."""

from collections.abc import Iterator
from typing import Final

from reflow.flows.catalog import CONTROL, FORMS, Form, seeds

_SHAPES: Final = {"hop": "{h}", "entity": "{e}", "miners": "mining entities at that hop", "owner": "{e}"}


def page() -> str:
    """The page as Markdown."""
    return "\n".join([*_introduction(), *_families(), *_seeds()]) + "\n"


def _introduction() -> list[str]:
    return [
        "# Metrics",
        "",
        "<!-- Made from the catalogue by python -m reflow.flows.catalog_page; change it there. -->",
        "",
        "The daily series that `reflow recompute` writes. `reflow metrics` lists them for your labels.",
        "",
        "- `{h}` is the hop: 0 for the accounts that coinbases paid, 1 for these and the accounts that they paid.",
        "- `{e}` is the code of a labelled exchange, or `Ex` for all of them as one.",
        "- Native units are exact, with 8 places at most. US dollars are native units times the day's price. Dollars,",
        "  ratios, means and medians have up to 18 places, rounded half away from zero.",
        "",
        "[methodology.md](methodology.md) defines the metrics (sections 5 and 6) and says who is who (section 3).",
        "",
    ]


def _families() -> Iterator[str]:
    for title, forms in (
        ("Control metrics", CONTROL),
        ("Flows and metrics made of them", FORMS[len(CONTROL) :]),
    ):
        yield from (f"## {title}", "", "| id | hops | unit | definition |", "| --- | --- | --- | --- |")
        yield from map(_row, forms)
        yield ""


def _row(form: Form) -> str:
    shape = form.shape.format(**_SHAPES)
    hops = ", ".join(str(hop) for hop in form.hops if hop is not None)
    definition = form.definition.format(**_SHAPES)
    return f"| {', '.join(f'`{id_}`' for id_ in form.ids(shape))} | {hops} | {', '.join(form.units)} | {definition} |"


def _seeds() -> list[str]:
    found = seeds()
    return [
        "## Seeds",
        "",
        f"The {len(found)} metrics that every run has. They are null without a label of the exchange.",
        "",
        *(f"- `{metric.id}`" for metric in found),
    ]


if __name__ == "__main__":
    print(page(), end="")
