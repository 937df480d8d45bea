"""The transactions behind a cell: GET /explain, from the ledger and the labels that the operator named."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reflow.errors import LedgerError, MetricError, ReflowError
from reflow.flows.methodology import Methodology
from reflow.serve import endpoint
from reflow.serve.answer import Answer, Problem, bad_parameter, not_supported, of_json, unavailable
from reflow.serve.endpoint import COMMON, Call, Endpoint

if TYPE_CHECKING:  # what reads a ledger takes a second to load; most servers need none
    from reflow.ledger.ledger import Ledger
    from reflow.owners.labels import Labels


class Sources(NamedTuple):
    """What a recomputation was made from: needed to take its cells apart."""

    ledger: Path
    labels: tuple[str | Path, ...]
    prices: Path | None = None
    prefer_later: bool = False


class Explainer:
    """Opens the ledger for each cell and closes it again, so that an ingest need not wait for the server to end."""

    def __init__(self, sources: Sources | None) -> None:
        self._sources = sources
        self._labels: tuple[object, Labels] | None = None

    def check(self) -> None:
        """Read ledger, labels and prices once. Raises ReflowError if one of them cannot be read."""
        if self._sources is not None:
            from reflow.ledger.ledger import Ledger

            with Ledger.open(self._sources.ledger, read_only=True) as ledger:
                self._read_labels(self._sources, ledger)
            self._read_prices(self._sources)

    def respond(self, call: Call) -> Answer:
        """The cell with its parts. Raises Problem: 400, 501 without sources, 503 while the ledger is locked."""
        if self._sources is None:
            raise Problem(
                501,
                "not_implemented",
                "The server was started without --ledger and --labels, so it cannot explain.",
            )
        metric = call.values["metric"]
        if call.snapshot.run is None:
            raise not_supported("methodology", call.snapshot.name)
        if metric not in call.snapshot.spans:
            raise not_supported("metric", metric)
        day = _day(call)
        try:
            told = self._explain(self._sources, call, metric, day)
        except MetricError as error:
            raise bad_parameter("metric", str(error)) from None
        except LedgerError as error:
            raise unavailable(f"The ledger cannot be read now: {error}") from None
        except ReflowError as error:
            raise unavailable(str(error)) from None
        return of_json(told, pretty=call.values["pretty"])

    def _explain(self, sources: Sources, call: Call, metric: str, day: date) -> dict[str, Any]:
        from reflow.explanations.explain import explain
        from reflow.ledger.ledger import Ledger

        assert call.snapshot.run is not None
        methodology = _methodology(call.snapshot.run)
        with Ledger.open(sources.ledger, read_only=True) as ledger:
            found = explain(
                ledger,
                self._read_labels(sources, ledger),
                metric,
                day,
                prices=self._read_prices(sources),
                methodology=methodology,
                limit=call.values["limit"],
            )
        told = found.facts() | {"methodology": call.snapshot.name, "published": _published(call, metric, day)}
        if told["published"] != told["value"]:
            told["warnings"] = [*told["warnings"], _DIFFERS]
        return told

    def _read_labels(self, sources: Sources, ledger: "Ledger") -> "Labels":
        """The labels, read again only when a file has changed."""
        from reflow.owners.labels import label_files, read_labels

        files = [path for name in sources.labels for path in label_files(name, ledger.network)]
        state = ledger.network.name, tuple(path.stat().st_mtime_ns for path in files if path.exists())
        if self._labels is None or self._labels[0] != state:
            labels = read_labels(sources.labels, ledger.network, prefer_later=sources.prefer_later)
            self._labels = state, labels
        return self._labels[1]

    def _read_prices(self, sources: Sources) -> Any:
        from reflow.flows.prices import read_prices

        return read_prices(sources.prices) if sources.prices else None

    def endpoint(self) -> Endpoint:
        """GET /explain."""
        said = "The transactions behind a cell"
        return Endpoint("/explain", _PARAMETERS, self.respond, said, "Explanation", is_kept=False)


def _methodology(run: dict[str, Any]) -> Methodology:
    """The methodology of a run.json. Raises Problem (503) for parameters of another version of reflow."""
    try:
        return Methodology(**{key: value for key, value in run["methodology"].items() if key != "name"})
    except TypeError:
        raise unavailable(
            "run.json has another methodology's parameters: recompute with this version."
        ) from None


def _day(call: Call) -> date:
    day: date = call.values["time"].second.date()
    run = call.snapshot.run or {}
    first, last = run.get("first_day") or "", run.get("last_day") or ""
    if not first <= str(day) <= last:
        raise bad_parameter("time", f"Expected a day from {first} to {last}.")
    return day


def _published(call: Call, metric: str, day: date) -> str | None:
    [(_, value)] = call.snapshot.fields("csv", (metric,), day, day, "") or [(day, "")]
    return value or None


_DIFFERS: Final = "the published value differs: ledger, labels or prices are not those of the recomputation"

_PARAMETERS: Final = (
    endpoint.text("metric", "The id of a metric.", required=True),
    endpoint.moment("time", "The UTC day.")._replace(required=True),
    endpoint.number("limit", 50, 1, 1000, "Only the largest transactions; the sum always covers all."),
    *COMMON,
)
