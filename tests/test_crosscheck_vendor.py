"""The vendor's series in every form they come in: what is written is read back, whatever the digits, and what is wrong
is one line that names file, place, what was found and what was expected.
"""

import csv
import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reflow.errors import ResultsError, VendorError
from reflow.results.read import read_results
from reflow.series import Binary, Table
from reflow.vendor.files import digest, read_vendor, read_vendor_file

DAY = date(2021, 2, 28)
NEXT = date(2021, 3, 1)
NINE = "T00:00:00.000000000Z"


def text(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f}"


def rows_of(table: Table) -> list[tuple[date, dict[str, Decimal | None]]]:
    """Day by day, only with metrics that have the day."""
    days = sorted({day for series in table.values() for day in series})
    return [(day, {metric: series[day] for metric, series in table.items() if day in series}) for day in days]


def wide_csv(table: Table, file: Path) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["time", *table])
        writer.writerows(
            [day, *(text(series.get(day)) for series in table.values())] for day, _ in rows_of(table)
        )


def long_csv(table: Table, file: Path) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["value", "metric", "asset", "time"])
        for metric, series in table.items():
            writer.writerows([text(value), metric, "btc", f"{day}{NINE}"] for day, value in series.items())


def api_row(day: date, values: dict[str, Decimal | None]) -> dict[str, str | None]:
    cells = {metric: None if value is None else text(value) for metric, value in values.items()}
    return {"asset": "btc", "time": f"{day}{NINE}", **cells}


def api_page(table: Table, file: Path) -> None:
    file.write_text(
        json.dumps({"data": [api_row(*row) for row in rows_of(table)]}, indent=1), encoding="utf-8"
    )


def api_pages(table: Table, file: Path) -> None:
    """One row a page, the newest first, after each other without a line between."""
    pages = [{"data": [api_row(*row)], "next_page_token": "0.x"} for row in reversed(rows_of(table))]
    file.write_text("".join(map(json.dumps, pages)), encoding="utf-8")


def json_stream(table: Table, file: Path) -> None:
    lines = (json.dumps(api_row(*row)) + "\n" for row in rows_of(table))
    file.write_text("".join(lines), encoding="utf-8")


def long_parquet(table: Table, file: Path) -> None:
    cells = [(day, metric, text(value) or None) for metric, s in table.items() for day, value in s.items()]
    columns = {
        name: [cell[place] for cell in cells] for place, name in enumerate(("time", "metric", "value"))
    }
    pq.write_table(pa.table(columns), file)


def wide_parquet(table: Table, file: Path) -> None:
    rows = rows_of(table)
    columns = {metric: [text(series.get(day)) or None for day, _ in rows] for metric, series in table.items()}
    times = [datetime(day.year, day.month, day.day) for day, _ in rows]
    pq.write_table(pa.table({"time": pa.array(times, pa.timestamp("ns", "UTC")), **columns}), file)


FORMS = (wide_csv, long_csv, api_page, api_pages, json_stream, long_parquet, wide_parquet)

numbers = st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(
    lambda n: abs(n.adjusted()) < 90
)
tables = st.dictionaries(
    st.from_regex(r"[A-Z][A-Za-z0-9]{0,20}", fullmatch=True),
    st.fixed_dictionaries(
        {}, optional={DAY: st.none() | numbers, NEXT: st.none() | numbers, date(2009, 1, 3): numbers}
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables)
def test_what_is_written_is_read_back_with_every_digit(
    form: Callable[[Table, Path], None], tmp_path: Path, table: Table
) -> None:
    if not any(table.values()):
        return
    file = tmp_path / "vendor"  # no ending tells the form
    form(table, file)
    found = read_vendor(file)
    known = {(m, d): v for m, series in table.items() for d, v in series.items() if v is not None}
    assert {(m, d): v for m, series in found.items() for d, v in series.items() if v is not None} == known


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_text_keeps_its_zeros_at_the_end(form: Callable[[Table, Path], None], tmp_path: Path) -> None:
    """The number of places says to what a mean was rounded."""
    form({"FeeMeanNtv": {DAY: Decimal("1.50"), NEXT: Decimal("2")}}, tmp_path / "v")
    found = read_vendor(tmp_path / "v")["FeeMeanNtv"]
    assert {day: str(value) for day, value in found.items()} == {DAY: "1.50", NEXT: "2"}


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        (pl.Decimal(38, 18), Decimal("50.4285714285714"), "50.4285714285714"),  # no zeros that fill it up
        (pl.Decimal(38, 18), Decimal(1200), "1200"),
        (pl.Decimal(38, 18), Decimal(0), "0"),
        (pl.Float64, 50.4285714285714, "50.4285714285714"),
        (pl.Float64, 100 / 3, "33.333333333333336"),
        (pl.Float32, 0.1, "0.1"),
        (pl.Int64, 144, "144"),
    ],
)
def test_numbers_of_parquet(tmp_path: Path, type_: pl.DataType, value: object, text: str) -> None:
    frame = pl.DataFrame({"time": [DAY], "FeeMeanNtv": pl.Series([value], dtype=type_)})
    frame.write_parquet(tmp_path / "v")
    found = read_vendor(tmp_path / "v")["FeeMeanNtv"][DAY]
    assert (str(found), isinstance(found, Binary)) == (text, type_ == pl.Float64)


def test_equal_series_have_equal_digests_whatever_the_form(tmp_path: Path) -> None:
    table: Table = {
        "BlkCnt": {DAY: Decimal(144), NEXT: None},
        "FlowInExNtv": {DAY: Decimal("1.50"), NEXT: Decimal(0)},
    }
    digests = set()
    for form in FORMS:
        form(table, tmp_path / form.__name__)
        digests.add(read_vendor_file(tmp_path / form.__name__).digest)
    assert digests == {digest(table)}
    assert digest(table) != digest(table | {"BlkCnt": {DAY: Decimal(145), NEXT: None}})


@pytest.mark.parametrize(
    "time", ["2021-02-28", f"2021-02-28{NINE}", "2021-02-28T00:00:00Z", "2021-02-28 00:00:00"]
)
def test_spellings_of_a_day(tmp_path: Path, time: str) -> None:
    (tmp_path / "v.csv").write_text(f"\ufeff time,BlkCnt \n{time},144\n", encoding="utf-8")
    assert read_vendor(tmp_path / "v.csv") == {"BlkCnt": {DAY: Decimal(144)}}


def test_only_what_is_asked_for_is_read_and_the_rest_is_listed(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("time,BlkCnt,Mood,Mood-status\n2021-02-28,144,sunny,reviewed\n")
    found = read_vendor_file(tmp_path / "v.csv", {"BlkCnt", "TxCnt"})
    assert (list(found.table), found.unread) == (["BlkCnt"], ["Mood"])


def test_status_columns_and_other_assets_are_left_out(tmp_path: Path) -> None:
    rows = [
        {"asset": "eth", "time": "2021-02-28", "BlkCnt": "6500"},
        {
            "asset": "btc",
            "time": "2021-02-28",
            "BlkCnt": "144",
            "BlkCnt-status": "flash",
            "BlkCnt-status-time": "x",
        },
    ]
    (tmp_path / "v").write_text(json.dumps({"data": rows}))
    assert read_vendor(tmp_path / "v") == {"BlkCnt": {DAY: Decimal(144)}}


def test_binary_floats_count_as_the_shortest_decimal(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"time": [DAY, NEXT], "A": [0.1, None], "B": [0.1, 2.5]}, schema_overrides={"B": pl.Float32}
    )
    frame.write_parquet(tmp_path / "v")
    assert read_vendor(tmp_path / "v") == {
        "A": {DAY: Decimal("0.1"), NEXT: None},
        "B": {DAY: Decimal("0.1"), NEXT: Decimal("2.5")},
    }


def test_json_numbers_keep_their_digits(tmp_path: Path) -> None:
    long = "12345678901234567890.123456789012345678901234567890"
    (tmp_path / "v").write_text(f'{{"time": "2021-02-28", "A": {long}, "B": {"9" * 100}}}')
    found = read_vendor(tmp_path / "v")
    assert f"{found['A'][DAY]:f}" == long
    assert found["B"][DAY] == Decimal("9" * 100)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty, expected a column time"),
        ("day,BlkCnt\n2021-02-28,1\n", "line 1: no column time, found day, BlkCnt"),
        ("time,A\n2021-02-28,1\n2021-02-28,1\n", "line 3: 2021-02-28 a second time, first in line 2"),
        (
            "time,metric,value\n2021-02-28,A,1\n\n2021-02-28,B,1\n2021-02-28,A,2\n",
            "line 5: 2021-02-28 of A a second",
        ),
        ("time,A,A\n2021-02-28,1,2\n", "line 1: column 'A' twice"),
        ("time,A\n2021-02-28,many\n", "line 2: A 'many', expected a number"),
        ("time,A\n2021-02-28,NaN\n", "line 2: A 'NaN', expected a number"),
        ("time,A\n2021-02-28,-inf\n", "line 2: A '-inf', expected a number"),
        ("time,A\n2021-02-30,1\n", "line 2: time '2021-02-30', expected a UTC day"),
        ("time,A\n2021-02-28T12:00:00Z,1\n", "line 2: time '2021-02-28T12:00:00Z', expected a UTC day"),
        ("time,A\n2021-02-28\n", "line 2: 1 cells, expected 2"),
        ("time,A\n", "no row of btc, none at all"),
        ("asset,time,A\neth,2021-02-28,1\nltc,2021-02-28,1\n", "no row of btc, only of eth, ltc"),
        ('{"data": [{"time": "2021-02-28", "A": "x"}]}', "row 1: A 'x', expected a number"),
        ('{"data": [{"A": "1"}]}', "row 1: no time, found A"),
        ('{"data": [7]}', "row 1 is '7', expected an object"),
        ('{"time": "2021-02-28", "A": NaN}', "row 1: A 'NaN', expected a number"),
        ('{"time": "2021-02-28", "A": true}', "row 1: A 'True', expected a number"),
        ('{"time": "2021-02-28", "A": "1"}\n{"time": ', "line 2: not JSON"),
        ('{"error": {"type": "forbidden", "message": "no"}}', "the vendor's error instead of series"),
        ("[" * 200_000, "line 1: JSON nested too deeply"),
        ("PAR1 but no more", "not a Parquet file"),
        ("time,A\n2021-02-28,\xff\n", "vendor.csv, line 2: not UTF-8"),
    ],
)
def test_bad_files_are_one_clear_line(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "vendor.csv"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(VendorError) as error:
        read_vendor(file)
    assert str(error.value).startswith(f"{file}")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_not_a_number_in_parquet_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"time": [DAY], "A": [float("nan")]}).write_parquet(tmp_path / "v")
    with pytest.raises(VendorError, match="row 1: A 'nan', expected a number"):
        read_vendor(tmp_path / "v")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(VendorError, match="v: cannot read the vendor's series: No such file"):
        read_vendor(tmp_path / "v")
    with pytest.raises(VendorError, match="Is a directory"):
        read_vendor(tmp_path)


def test_results_are_told_apart_from_other_folders(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"no run\.json there, expected a folder that `reflow recompute"):
        read_results(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text('{"methodology": {"name": "strict"}}')
    with pytest.raises(ResultsError, match="expected one of the folders in it: one, two"):
        read_results(tmp_path)
    (tmp_path / "one" / "metrics.csv").write_text("time,BlkCnt,FlowInExNtv\n2021-02-28,144,\n")
    found = read_results(tmp_path / "one")
    assert (found.name, found.metrics) == (
        "strict",
        {"BlkCnt": {DAY: Decimal(144)}, "FlowInExNtv": {DAY: None}},
    )
    for text_ in ("{", "[]", "{}"):
        (tmp_path / "two" / "run.json").write_text(text_)
        with pytest.raises(ResultsError, match=r"run\.json: not what recompute writes"):
            read_results(tmp_path / "two")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: '', expected time and metrics"),
        ("day,BlkCnt\n2021-02-28,1\n", "line 1: 'day,BlkCnt', expected time and metrics"),
        ("time,A,A\n2021-02-28,1,2\n", "line 1: 'time,A,A', expected time and metrics, each once"),
        ("time,A\n2021-02-28\n", "line 2: 1 cells, expected 2"),
        ("time,A\n2021-02-28,many\n", "line 2: 'many', expected a number"),
        ("time,A\n2021-02-30,1\n", "line 2: '2021-02-30', expected a UTC day"),
        ("time,A\n2021-02-28,1\n2021-02-28,1\n", "line 3: 2021-02-28 a second time"),
        ("time,A\n", "no day in it"),
        ("time,A\n2021-02-28,\xff\n", "not what recompute writes"),
        (None, "cannot be read: No such file"),
    ],
)
def test_damage_to_our_own_metrics_is_ours(tmp_path: Path, content: str | None, message: str) -> None:
    (tmp_path / "run.json").write_text('{"methodology": {"name": "strict"}}')
    if content is not None:
        (tmp_path / "metrics.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(ResultsError) as error:
        read_results(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'metrics.csv'}")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
