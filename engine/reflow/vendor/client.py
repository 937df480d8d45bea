"""Ask the vendor's server through the vendor's own client. A script of its own: it knows nothing of reflow.

The client asks for older libraries than the project uses, so that this may run under another Python. It reads one
JSON object from stdin (`metrics`, `first`, `last`, and for tests `url`), writes one JSON object a line with `time`,
`metric` and `value`, and takes the key from the environment variable CM_API_KEY. A fault is one
line on stderr and status 1.
"""

import json
import logging
import os
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

ASSET = "btc"
METRICS_AT_ONCE = 100
SECONDS_TO_CONNECT = 10
STATUS = ("-status", "-status-time")


def main() -> None:
    """Read what is wanted, write the rows."""
    wanted = json.load(sys.stdin)
    key = os.environ.get("CM_API_KEY", "")
    url = wanted["url"] or f"https://{'api' if key else 'community-api'}.coinmetrics.io"
    try:
        for row in fetch(url, key, wanted):
            print(json.dumps(row))
    except Exception as error:
        said = " ".join(str(error).split())
        sys.exit((said.replace(key, "…") if key else said)[:500] or type(error).__name__)


def fetch(url: str, key: str, wanted: dict[str, Any]) -> Any:
    """The rows of the metrics that the server has."""
    server = urlsplit(url)
    port = server.port or (80 if server.scheme == "http" else 443)
    try:  # the client itself would nap and try again for minutes
        socket.create_connection((server.hostname or "", port), SECONDS_TO_CONNECT).close()
    except OSError as error:
        raise ConnectionError(
            f"{server.netloc} cannot be reached ({error.strerror or error}): offline?"
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
            for metric, value in row.items():
                if metric not in ("asset", "time") and not metric.endswith(STATUS):
                    yield {"time": row["time"], "metric": metric, "value": value}


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
