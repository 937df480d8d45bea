"""Price files: every spelling of a day and of a number that is met, exact decimals, and what is wrong with a file."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from reflow.errors import PriceError
from reflow.flows.prices import prices_of, read_prices

DAY = date(2010, 7, 18)


def csv(folder: Path, text: str) -> Path:
    file = folder / "prices.csv"
    file.write_bytes(text.encode("utf-8"))
    return file


@pytest.mark.parametrize(
    "time",
    [
        "2010-07-18",
        "2010-07-18T00:00:00Z",
        "2010-07-18T00:00:00.000000000Z",
        "2010-07-18 00:00:00",
        "2010-07-18T00:00:00+00:00",
        " 2010-07-18 ",
    ],
)
def test_spellings_of_a_day(tmp_path: Path, time: str) -> None:
    assert read_prices(csv(tmp_path, f"time,PriceUSD\n{time},0.5\n")).usd == {DAY: Decimal("0.5")}


@pytest.mark.parametrize(
    "number", ["0.08584", "1", "0", "1e-3", "1.5E+2", ".5", "5.", "+7", "0.1" + "3" * 60, "9" * 40]
)
def test_numbers_keep_every_digit(tmp_path: Path, number: str) -> None:
    found = read_prices(csv(tmp_path, f"time,PriceUSD\n2010-07-18,{number}\n")).usd[DAY]
    assert str(found) == str(Decimal(number))


def test_other_columns_order_and_empty_cells(tmp_path: Path) -> None:
    text = '\ufeffx,PriceUSD,note,time\r\n1,,"a\n""b"",c",2010-07-18\r\n\r\n2, 3.5 ,text,2010-07-20\r\n'
    assert read_prices(csv(tmp_path, text)).usd == {date(2010, 7, 20): Decimal("3.5")}


def test_header_alone_is_no_price(tmp_path: Path) -> None:
    assert read_prices(csv(tmp_path, "time,PriceUSD")).usd == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column time, found none"),
        ("time,Price\n2010-07-18,1\n", "line 1: no column PriceUSD, found time, Price"),
        ("time,PriceUSD\n2010-07-18,1\n2010-07-19,n/a\n", "line 3: PriceUSD 'n/a', expected a number"),
        ("time,PriceUSD\n2010-07-18,nan\n", "line 2: PriceUSD 'nan', expected a number"),
        ("time,PriceUSD\n2010-07-18,1_000\n", "line 2: PriceUSD '1_000', expected a number"),
        ("time,PriceUSD\n2010-07-18,1e9999\n", "line 2: PriceUSD '1e9999', expected at most 100 digits"),
        ("time,PriceUSD\n2010-07-18,٣\n", "line 2: PriceUSD '٣', expected a number"),
        ("time,PriceUSD\n2010-07-18,-1\n", "line 2: PriceUSD -1, expected zero or more"),
        ("time,PriceUSD\n2010-07-18,1\n2010-07-18,\n", "line 3: 2010-07-18 a second time, first in line 2"),
        ("time,PriceUSD\n18.7.2010,1\n", "line 2: time '18.7.2010', expected a UTC day"),
        ("time,PriceUSD\n2010-02-30,1\n", "line 2: time '2010-02-30', expected a UTC day"),
        (
            "time,PriceUSD\n2010-07-18T12:00:00Z,1\n",
            "line 2: time '2010-07-18T12:00:00Z', expected a UTC day",
        ),
        (
            "time,PriceUSD\n2010-07-18T00:00:00+02:00,1\n",
            "line 2: time '2010-07-18T00:00:00+02:00', expected",
        ),
        ("time,PriceUSD\n2010-07-18\n", "line 2: 1 columns, expected 2"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    file = csv(tmp_path, text)
    with pytest.raises(PriceError) as caught:
        read_prices(file)
    assert str(caught.value).startswith(f"{file}, {message}")
    assert "\n" not in str(caught.value)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="cannot read prices: No such file"):
        read_prices(tmp_path / "none.csv")
    with pytest.raises(PriceError, match="cannot read prices: Is a directory"):
        read_prices(tmp_path)
    bad = tmp_path / "latin.csv"
    bad.write_bytes(b"time,PriceUSD\n2010-07-18,\xe9\n")
    with pytest.raises(PriceError, match="line 2: not UTF-8"):
        read_prices(bad)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    with pytest.raises(PriceError, match="not a Parquet file"):
        read_prices(broken)


@pytest.mark.parametrize(
    ("prices", "kind", "expected"),
    [
        ([0.1, None], pl.Float64, "0.1"),
        ([0.1, float("nan")], pl.Float64, "0.1"),
        ([0.1, None], pl.Float32, "0.1"),
        ([1e-7, None], pl.Float64, "0.0000001"),
        (["0.1" + "3" * 50, ""], pl.String, "0.1" + "3" * 50),
        ([Decimal("0.085840"), None], pl.Decimal(38, 12), "0.08584"),
        ([7, None], pl.Int64, "7"),
    ],
)
@pytest.mark.parametrize(
    "times",
    [
        pl.Series([DAY, date(2010, 7, 19)]),
        pl.Series(["2010-07-18", "2010-07-19T00:00:00.000000000Z"]),
        pl.Series([datetime(2010, 7, 18), datetime(2010, 7, 19)], dtype=pl.Datetime("ns")),
        pl.Series([datetime(2010, 7, 18, tzinfo=UTC), datetime(2010, 7, 19, tzinfo=UTC)]),
    ],
    ids=["date", "text", "datetime", "utc"],
)
def test_parquet_types(
    tmp_path: Path, times: pl.Series, prices: list[object], kind: pl.DataType, expected: str
) -> None:
    file = tmp_path / "prices"
    pl.DataFrame({"PriceUSD": pl.Series(prices, dtype=kind), "x": [1, 2], "time": times}).write_parquet(file)
    assert read_prices(file).usd == {DAY: Decimal(expected)}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"time": [DAY], "Price": [1.0]}, "no column PriceUSD, found time, Price"),
        ({"time": [DAY, DAY], "PriceUSD": [1.0, 2.0]}, "row 2: 2010-07-18 a second time, first in row 1"),
        ({"time": [DAY], "PriceUSD": [-1.0]}, "row 1: PriceUSD -1.0, expected zero or more"),
        ({"time": [DAY], "PriceUSD": [float("inf")]}, "row 1: PriceUSD 'inf', expected a number"),
        ({"time": [DAY], "PriceUSD": ["high"]}, "row 1: PriceUSD 'high', expected a number"),
        ({"time": [None], "PriceUSD": [1.0]}, "row 1: time '', expected a UTC day"),
        (
            {"time": [datetime(2010, 7, 18, 1)], "PriceUSD": [1.0]},
            "row 1: time '2010-07-18T01:00:00', expected",
        ),
    ],
)
def test_what_is_wrong_in_parquet(tmp_path: Path, columns: dict[str, list[object]], message: str) -> None:
    file = tmp_path / "prices.parquet"
    pl.DataFrame(columns).write_parquet(file)
    with pytest.raises(PriceError) as caught:
        read_prices(file)
    assert message in str(caught.value)


def test_digest_is_of_days_and_prices(tmp_path: Path) -> None:
    first = read_prices(csv(tmp_path, "time,PriceUSD,x\n2010-07-18,1.50,a\n2010-07-19,10,b\n"))
    other = tmp_path / "p.parquet"
    pl.DataFrame({"time": [date(2010, 7, 19), DAY], "PriceUSD": [10.0, 1.5]}).write_parquet(other)
    assert first.digest == read_prices(other).digest
    assert first.digest != prices_of({DAY: Decimal("1.5"), date(2010, 7, 19): Decimal(1)}).digest
