"""Ask the vendor's server through the vendor's own client. A script of its own: it knows nothing of reflow.

The client asks for older libraries than the project uses, so that this may run under another Python. It reads one
JSON object from stdin (`metrics`, `first`, `last`, and for tests `url`), writes one JSON object a line with `time`,
`metric` and `value`, and takes the key from the environment variable CM_API_KEY. A fault is one
line on stderr and status 1.
"""

import json
import logging
import os
import re
import socket
import sys
from base64 import b64encode, urlsafe_b64encode
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

ASSET = "btc"
METRICS_AT_ONCE = 100
SECONDS_TO_CONNECT = 10


def main() -> None:
    """Read what is wanted, write the rows."""
    wanted = json.load(sys.stdin)
    key = os.environ.get("CM_API_KEY", "")
    url = wanted["url"] or f"https://{'api' if key else 'community-api'}.coinmetrics.io"
    try:
        for row in fetch(url, key, wanted):
            print(json.dumps(row))
    except Exception as error:
        sys.exit(" ".join(hide(str(error), key).split())[:500] or type(error).__name__)


def hide(text: str, key: str) -> str:
    """The text without the key, as it is or in the forms that it takes in addresses, JSON, HTML and base64."""
    raw = key.encode(errors="surrogateescape")
    forms = {
        key,
        " ".join(key.split()),
        quote(raw),
        quote(raw, safe=""),
        quote_plus(raw),
        json.dumps(key)[1:-1],
        escape(key),
        b64encode(raw).decode().rstrip("="),
        urlsafe_b64encode(raw).decode().rstrip("="),
    } - {""}
    quoted = {repr(form)[1:-1] for form in forms} | {json.dumps(form)[1:-1] for form in forms}
    for form in sorted(forms | quoted, key=len, reverse=True):
        text = re.sub(re.escape(form), "…", text, flags=re.IGNORECASE)
    return text


def fetch(url: str, key: str, wanted: dict[str, Any]) -> Any:
    """The rows of the metrics that the server has."""
    server = urlsplit(url)
    port = server.port or (80 if server.scheme == "http" else 443)
    try:  # the client itself would nap and try again for minutes
        socket.create_connection((server.hostname or "", port), SECONDS_TO_CONNECT).close()
    except OSError as error:
        raise ConnectionError(
            f"{server.hostname}:{port} cannot be reached ({error.strerror or error}): offline?"
        ) from None
    from coinmetrics.api_client import CoinMetricsClient

    logging.disable()
    client = CoinMetricsClient(key, host=server.hostname, port=port, schema=server.scheme)
    offered = _offered(client)
    metrics = [metric for metric in wanted["metrics"] if metric in offered]
    for start in range(0, len(metrics), METRICS_AT_ONCE):
        rows = client.get_asset_metrics(
            assets=ASSET,
            metrics=metrics[start : start + METRICS_AT_ONCE],
            frequency="1d",
            start_time=wanted["first"],
            end_time=wanted["last"],
        )
        for row in rows:
            for metric in metrics[start : start + METRICS_AT_ONCE]:
                if metric in row:
                    yield {"time": row["time"], "metric": metric, "value": row[metric]}


def _offered(client: Any) -> set[str]:
    """The daily metrics that the key may read."""
    return {
        metric["metric"]
        for item in client.catalog_asset_metrics_v2(assets=ASSET)
        for metric in item["metrics"]
        if any(frequency["frequency"] == "1d" for frequency in metric["frequencies"])
    }


if __name__ == "__main__":
    main()
