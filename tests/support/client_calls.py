"""Calls of the vendor's own client against a server, run by the Python that has the client; prints JSON.

    python client_calls.py HOST:PORT

Not imported by tests: the client's libraries are older than the project's. test_serve_client.py says what is expected.
"""

import json
import sys
import warnings
from datetime import date, datetime, timezone
from typing import Any

from coinmetrics.api_client import CoinMetricsClient
from coinmetrics.constants import PagingFrom

HOST = sys.argv[1]
EX = "FlowMinerIn0HopAllExNtv"
NET = "FlowMinerNet1HopAllNtv"
client = CoinMetricsClient(host=HOST, schema="http")


def days(rows: Any) -> list[str]:
    return [row["time"][:10] for row in rows]


def frame(collection: Any, **options: Any) -> dict[str, Any]:
    found = collection.to_dataframe(**options)
    return {
        "columns": list(found.columns),
        "types": [str(kind) for kind in found.dtypes],
        "rows": len(found),
        "last": [str(value) for value in found.iloc[-1]],
        "sum": None if options else float(found[EX].sum()),
    }


def fails(call: Any) -> list[Any]:
    try:
        call()
    except Exception as error:  # what it is, is what the test asks
        names = [kind.__name__ for kind in type(error).__mro__]
        response = getattr(error, "response", None)
        return [names[0], "HTTPError" in names, getattr(response, "status_code", None), str(error)]
    return []


def series(**options: Any) -> Any:
    return client.get_asset_metrics(assets="btc", **options)


def main() -> dict[str, Any]:
    told: dict[str, Any] = {}
    told["list"] = series(metrics=[EX, NET, "MOMR"]).to_list()
    told["frame"] = frame(series(metrics=[NET, EX]))
    told["exact"] = frame(series(metrics=EX), decimal_as_string=True)
    told["polars"] = series(metrics=EX).to_dataframe(dataframe_type="polars").shape
    told["star"] = sorted(series(metrics="FlowMinerIn0HopAll*", page_size=3).to_list()[-1])
    told["pages"] = days(series(metrics=EX, format="json", page_size=7).to_list())
    told["pages_from_end"] = days(
        series(metrics=EX, format="json", page_size=7, paging_from=PagingFrom.END).to_list()
    )
    told["first_page"] = days(series(metrics=EX, format="json", page_size=7).first_page())
    told["bounds"] = days(series(metrics=EX, start_time=date(2020, 1, 5), end_time="2020-01-09"))
    told["exclusive"] = days(
        series(
            metrics=EX,
            start_time=datetime(2020, 1, 5, tzinfo=timezone.utc),  # noqa: UP017  # as old Pythons write it
            end_time=datetime(2020, 1, 9),
            start_inclusive=False,
            end_inclusive=False,
        )
    )
    told["zone"] = days(
        series(metrics=EX, start_time="2020-01-05", end_time="2020-01-06", timezone="Asia/Tokyo")
    )
    told["heights"] = days(series(metrics=EX, start_height=7, end_height=9))
    told["limit"] = days(series(metrics=EX, limit_per_asset=2))
    told["limit_from_end"] = days(series(metrics=EX, limit_per_asset=2, paging_from="end"))
    told["zero"] = series(
        metrics=NET, null_as_zero=True, start_time="2020-01-08", end_time="2020-01-08"
    ).to_list()
    told["parallel"] = frame(series(metrics=[EX, "BlkCnt"]).parallel())
    told["parallel_metrics"] = frame(series(metrics=[EX, "BlkCnt"]).parallel("metrics"))
    slices = series(metrics=EX, start_time="2020-01-01", end_time="2020-01-31")
    from dateutil.relativedelta import relativedelta

    told["parallel_time"] = frame(slices.parallel(time_increment=relativedelta(days=7)))
    told["catalog"] = client.catalog_asset_metrics_v2(metrics=[EX, "MOMR"]).to_list()
    told["catalog_frame"] = client.catalog_full_asset_metrics_v2().to_dataframe().shape
    told["catalog_pages"] = len(client.catalog_asset_metrics_v2(format="json", page_size=1).to_list())
    told["reference"] = [
        item["metric"] for item in client.reference_data_asset_metrics(page_size=2).to_list()
    ]
    told["reference_pages"] = [
        item["metric"] for item in client.reference_data_asset_metrics(page_size=2, format="json").to_list()
    ]
    told["assets"] = client.reference_data_assets().to_list()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told["old_catalog"] = [item["metric"] for item in client.catalog_asset_metrics()]
    strict = CoinMetricsClient(host=f"{HOST}/methodology/strict", schema="http")
    told["strict"] = strict.get_asset_metrics(assets="btc", metrics=EX, page_size=9, format="json").to_list()
    told["unknown_metric"] = fails(lambda: series(metrics="Nope").to_list())
    told["unknown_asset"] = fails(lambda: client.get_asset_metrics(assets="eth", metrics=EX).to_dataframe())
    told["bad_time"] = fails(lambda: series(metrics=EX, start_time="2020-02-30").to_list())
    told["bad_page"] = fails(lambda: series(metrics=EX, format="json", page_size=10_001).to_list())
    told["too_long"] = fails(lambda: series(metrics=[EX] * 500).to_list())
    told["not_there"] = fails(lambda: client.get_market_trades(markets="x-y-z-spot").to_list())
    with_key = CoinMetricsClient("wrong/key", host=HOST, schema="http")
    told["any_key"] = len(with_key.get_asset_metrics(assets="btc", metrics=EX).to_list())
    return told


if __name__ == "__main__":
    print(json.dumps(main()))
