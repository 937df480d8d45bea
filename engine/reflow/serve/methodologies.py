"""What there is to read, and how it was computed: GET /methodology and /methodology/NAME."""

from typing import Any, Final

from reflow.flows.methodology import PURPOSES
from reflow.serve.answer import Answer, of_json
from reflow.serve.call import API_KEY, METHODOLOGY, PRETTY, Call, Endpoint
from reflow.serve.snapshot import Snapshot


def _every(call: Call) -> Answer:
    found = call.library.all().values()
    return of_json({"data": [_describe(one) for one in found]}, pretty=call.values["pretty"])


def _one(call: Call) -> Answer:
    return of_json(_describe(call.snapshot) | {"run": call.snapshot.run or {}}, pretty=call.values["pretty"])


def _describe(snapshot: Snapshot) -> dict[str, Any]:
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


_PARAMETERS: Final = (METHODOLOGY, API_KEY, PRETTY)
_ROW: Final = "Methodology"

ENDPOINTS: Final = (
    Endpoint("/methodology", _PARAMETERS, _every, "The recomputations there are", _ROW, is_kept=False),
    Endpoint(
        "/methodology/{name}", _PARAMETERS, _one, "How one was computed, and from what", _ROW, is_kept=False
    ),
)
