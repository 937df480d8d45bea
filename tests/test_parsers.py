"""What people hand in, whoever made it: one clear line for what is wrong, in time that grows with the file's size.

No parser may end in a traceback or a signal, wait for a pipe, or take the square of what it is given.
"""

import datetime as dt
import gc
import os
import random
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reflow.errors import MetricError, ReflowError
from reflow.flows.catalog import catalog, select
from reflow.flows.methodology import Methodology
from reflow.flows.prices import read_prices
from reflow.network import MAIN
from reflow.owners.labels import check_labels, read_labels
from reflow.owners.pool_files import read_pools
from reflow.results.frames import read_frames
from reflow.results.read import read_results, read_run
from reflow.series import number_of
from reflow.sweeps.grid import read_grid
from reflow.vendor.files import read_vendor_file

A = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
DAYS = [dt.date(1900, 1, 1) + dt.timedelta(number) for number in range(40_000)]
Reader = Callable[[Path], object]

READERS: dict[str, Reader] = {
    "labels.csv": lambda path: read_labels([path], MAIN),
    "labels.yaml": lambda path: read_labels([path], MAIN),
    "pools.csv": lambda path: read_pools([path], MAIN),
    "methodology.toml": Methodology.read,
    "grid.toml": read_grid,
    "prices.csv": read_prices,
    "vendor": lambda path: read_vendor_file(path, ["A"]),
    "metrics.csv": lambda path: read_beside_run(path),
}
"""File to what reads it; its name says the form where the content does not."""


def read_beside_run(path: Path) -> object:
    (path.parent / "run.json").write_text('{"methodology": {"name": "reference"}}')
    return read_results(path.parent)


def said(name: str, content: str | bytes, folder: Path) -> str:
    """The one line that is said of a file; the name may have words after a blank."""
    path = folder / name.split()[0]
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    with pytest.raises(ReflowError) as caught:
        READERS[path.name](path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < len(str(path)) + 600
    return message.removeprefix(str(path))


YAML = f"tags:\n- address: {A}\n  label: x\n"

HOSTILE: list[tuple[str, str | bytes, str]] = [
    ("labels.yaml", "[" * 30_000, ":1: not YAML: more than 64 lists and mappings"),
    ("labels.yaml", "- " * 30_000, ":1: not YAML: more than 64"),
    ("labels.yaml", "? " * 30_000, ":1: not YAML: more than 64"),
    ("labels.yaml", "a: {" * 30_000, ":1: not YAML: more than 64"),
    ("labels.yaml", "".join(" " * n + "a:\n" for n in range(1000)), ":65: not YAML: more than 64"),
    ("labels.yaml", f"tags:\n- [{A}]: x\n  label: x\n", ":2: a tag without an address"),
    ("labels.yaml", f"tags:\n- address: {A}\n  label: x\n  label: y\n", ":2: label twice"),
    ("labels.yaml", f"{YAML}---\n{YAML}", ":4: not YAML: expected one document"),
    ("labels.yaml", "tags: *gone\n", ":1: not YAML: found undefined alias 'gone'"),
    ("labels.yaml", f"tags: &t\n- address: {A}\n  label: &l x\n- *t\n", ":4: a tag must be a mapping"),
    ("labels.yaml", "%TAG ! tag:x,\n" * 100 + "--- a\n", ": not YAML: more than 64 lines that begin with %"),
    ("labels.yaml", "tags:\n- \0\n", ": not YAML"),
    ("labels.yaml", YAML.replace("x", '"\\ud800"'), ""),
    ("labels.yaml", YAML.replace("x", '"\\e[31m"'), "has unprintable characters"),
    ("labels.yaml", YAML.replace(A, "1" * 200_000), "111' and 199,920 more characters is no address"),
    ("labels.yaml", YAML.replace("x", "x" * 5000), "expected at most 200 characters"),
    ("labels.csv", f"address,entity\n{A}\0,BNB\n", ":2: "),
    ("labels.csv", f"address,entity\n{A},\u202eBNB\n", "exchange '\\u202eBNB'"[:8]),
    ("labels.csv", f"address,entity\n{A},{'B' * 131_073}\n", ":2: not CSV: field larger"),
    ("labels.csv", 'address,entity\n"' + "a\n" * 100_000, ":2: not CSV: field larger"),
    ("labels.csv", "address," * 200_000 + "entity\n", ":1: column 'address' twice"),
    ("labels.csv", ",".join(f"c{number}" for number in range(200_000)), ":1: unknown column 'c0'"),
    ("labels.csv", f"address,entity\n{A},BNB\n{'x' * 9},\udc80\n", ":3: not UTF-8"),
    ("pools.csv", "tag,entity\n/a/,\x1b[31mpool\n", "at most 200 printable characters"),
    ("methodology.toml", "a = " + "[" * 3000, ": more than 64 lists and tables"),
    ("methodology.toml", "a = " + "[\n" * 30_000, ": more than 64 lists and tables"),
    ("methodology.toml", f"[{'.'.join('a' * 500)}]\n", ": more than 64 lists and tables"),
    ("methodology.toml", f"[{'.'.join('a' * 50_000)}]\n", ":1: a line of 100,001 characters, expected at most 4,096"),
    ("methodology.toml", "a = 1\n" + f"b = {'9' * 4090}\n", ":1: unknown key a"),
    ("methodology.toml", f"clock = 0x{'f' * 4080}\n", ":1: clock = a int, expected one of"),
    ("methodology.toml", f"clock = [{'1, ' * 1000}]\n", ":1: clock = a list, expected one of"),
    ("methodology.toml", 'clock = "\\ud800"\n', ":1: not a TOML file"),
    ("methodology.toml", 'clock = "header"\n\0', ":2: not a TOML file"),
    ("methodology.toml", b"\n\xff", ":2: not a TOML file, which is UTF-8"),
    ("methodology.toml", "# c\n" * 300_000, ": cannot read the methodology: larger than 1 MiB"),
    ("grid.toml", f"alone = {{a{'.a' * 500} = 1}}\n", ": more than 64 lists and tables"),
    ("grid.toml", f"clock = {'[' * 30}{']' * 30}\n", ":1: clock has [[[[" [:10]),
    ("prices.csv", f"time,PriceUSD\n2021-01-01,{'9' * 5001}\n", ", line 2: PriceUSD '9999"),
    ("prices.csv", "time,PriceUSD\n2021-01-01,1e999\n", "'1e999', expected at most 100 digits before the point"),
    ("prices.csv", "time,PriceUSD\n2021-01-01,1e-999999999\n", "'1e-999999999', expected at most 100 digits"),
    ("prices.csv", "time,PriceUSD\n2021-01-01,0e999\n", "'0e999', expected at most 100 digits"),
    ("prices.csv", "time,PriceUSD\n2021-01-01,1_000\n", "'1_000', expected a number"),
    ("prices.csv", "time,PriceUSD\n2021-01-01,\u0661\n", "expected a number"),
    ("prices.csv", "time,PriceUSD\n\uff12\uff10\uff12\uff11-01-01,1\n", "expected a UTC day"),
    ("prices.csv", "time,PriceUSD\n2021-01-01,Infinity\n", "expected a number"),
    ("prices.csv", "time,time,PriceUSD\n", ", line 1: column time twice"),
    ("prices.csv", f"time,PriceUSD\n2021-01-01,-{'9' * 90}\n", "9…, expected zero or more"),
    ("prices.csv", "c," * 300_000 + "\n", ", line 1: no column time, found c, c, c"),
    ("prices.csv", b"time,PriceUSD\r2021-01-01,1\r\n\xff", ", line 2: not UTF-8"),
    ("prices.csv", 'time,PriceUSD\n2021-01-01,"' + "1" * 200_000, "not CSV: field larger"),
    ("vendor csv", "time,A,B,A\n", ", line 1: column 'A' twice"),
    ("vendor csv", f"time,A\n2021-01-01,{'x' * 9999}\n", "x' and 9,919 more characters, expected a number"),
    ("vendor json", "[" * 200_000, ", line 1: JSON nested too deeply"),
    ("vendor json", '\n{"a":' * 200_000, ", line 2: JSON nested too deeply"),
    ("vendor json", '{"time":"2021-01-01","A":' + "[" * 400 + "]" * 400 + "}", "A a list, expected a number"),
    ("vendor json", "[" * 400 + "]" * 400, "row 1 is a list, expected an object"),
    ("vendor json", '{"time":"2021-01-01","A":1,"A":2}', ", line 1: 'A' twice in one object"),
    ("vendor json", '{"time":"2021-01-01","\\ud800":1}', "metric '\\ud800', expected text in UTF-8"),
    ("vendor json", '{"time":"2021-01-01","metric":[1],"value":1}', "metric ['1'], expected the id"),
    ("vendor json", '{"time":"2021-01-01","A":1e999}', "A '1e999', expected at most 100 digits"),
    ("vendor json", '{"time":"2021-01-01","A":-Infinity}', "A '-Infinity', expected a number"),
    ("vendor json", '{"time":[[1]],"A":1}', 'time "[[\'1\']]", expected a UTC day'),
    ("vendor json", '{"error":"' + "x" * 9999 + '"}', "and 9,919 more characters"),
    ("vendor json", b'{"time":"2021-01-01",\n"A":"\xed\xa0\x80"}', ", line 2: not JSON text: not UTF-8"),
    ("metrics.csv", "time,A\n2021-01-01,1e999\n", ", line 2: '1e999', expected at most"),
    ("metrics.csv", b"time,A\n\xff", ": not what recompute writes: line 2: not UTF-8"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_hostile_is_one_line(name: str, content: str | bytes, message: str, tmp_path: Path) -> None:
    assert message in said(name, content, tmp_path)


ODD_COLUMNS: dict[str, Any] = {
    "bytes": [b"\xff"],
    "list": [[1]],
    "struct": [{"a": 1}],
    "boolean": [True],
    "duration": [dt.timedelta(1)],
    "infinite": [float("inf")],
    "no date": pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
    "no time": pa.array([2**62], pa.int64()).cast(pa.timestamp("ms")),
    "no UTF-8": pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")),
    "256 bits": pa.array([7], pa.decimal256(76, 0)),
}


@pytest.mark.parametrize("kind", ODD_COLUMNS)
@pytest.mark.parametrize("column", ["time", "PriceUSD"])
def test_columns_of_odd_types_are_one_line(kind: str, column: str, tmp_path: Path) -> None:
    if (kind, column) == ("256 bits", "PriceUSD"):
        return
    path = tmp_path / "file"
    pq.write_table(pa.table({"time": DAYS[:1], "PriceUSD": [1.0]} | {column: ODD_COLUMNS[kind]}), path)
    for read in (read_prices, read_vendor_file):
        with pytest.raises(ReflowError) as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_damaged_parquet_is_one_line(tmp_path: Path) -> None:
    """Bytes of a file are changed at random, the same ones each time; what is read then is right, or refused."""
    stream, dice, path = BytesIO(), random.Random(7), tmp_path / "file"
    columns = {"time": DAYS[:50], "PriceUSD": [str(number) for number in range(50)]}
    pq.write_table(pa.table(columns), stream, compression="snappy")
    refused: list[str] = []
    for _ in range(300):
        data = bytearray(stream.getvalue())
        for _ in range(dice.choice((1, 2, 9))):
            data[dice.randrange(4, len(data))] = dice.randrange(256)
        path.write_bytes(data)
        try:
            read_prices(path)
            read_vendor_file(path)
        except ReflowError as error:
            refused.append(str(error))
    assert len(refused) > 200
    assert not [line for line in refused if "\n" in line]


def test_a_small_file_of_very_many_equal_cells_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parquet packs them: a few bytes would take all memory. Here the most is lower, so that the test is quick."""
    monkeypatch.setattr("reflow.series.MOST_CELLS", 1_999_999)
    path, equal = tmp_path / "file", pa.nulls(1_000_000, pa.int8())
    pq.write_table(pa.table({"time": equal, "PriceUSD": equal}), path)
    assert path.stat().st_size < 10_000
    for read in (read_prices, read_vendor_file):
        with pytest.raises(ReflowError, match="more than 1,999,999 cells"):
            read(path)


@pytest.mark.parametrize("name", READERS)
def test_files_that_are_too_large_are_refused_at_once(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.touch()
    os.truncate(path, 2**41)
    with pytest.raises(ReflowError, match=r"larger than (1|256|1,024) MiB"):
        READERS[name](path)


@pytest.mark.parametrize("name", [*READERS, "run.json", "frames"])
def test_a_pipe_is_refused_at_once(name: str, tmp_path: Path) -> None:
    """As `<(command)` gives in a shell: it would have to be read twice, or without an end."""
    path = tmp_path / ("run.json" if name == "frames" else name)
    os.mkfifo(path)
    others: dict[str, Reader] = {
        "run.json": lambda path: read_run(path.parent),
        "frames": lambda path: read_frames(path.parent),
    }
    with pytest.raises(ReflowError, match="a named pipe, expected a regular file"):
        (READERS | others)[name](path)


def test_names_of_files_are_not_patterns(tmp_path: Path) -> None:
    """Nothing but the file itself is read, whatever characters its name has."""
    odd = "*[1]{a,b}?x=%41#'\" "
    for number, name in enumerate((odd, "a1")):
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"time": DAYS[:1], "PriceUSD": [number]}), tmp_path / name / "f*")
    for read in (read_prices, read_vendor_file):
        values = read(tmp_path / odd / "f*")
        assert "'0'" in str(values)
    with pytest.raises(ReflowError, match="No such file"):
        read_vendor_file(tmp_path / "*" / "f*")


def test_forms_that_are_read(tmp_path: Path) -> None:
    """A byte-order mark, ends of lines of any kind, a minus before zero, every digit."""
    digests = set()
    for text in ("\ufefftime,PriceUSD\r\n2021-01-01,-0\r\n", "time,PriceUSD\r2021-01-01,0\r"):
        (tmp_path / "p").write_bytes(text.encode())
        digests.add(read_prices(tmp_path / "p").digest)
    assert len(digests) == 1
    (tmp_path / "m.toml").write_bytes('\ufeffclock = "header"\r\n'.encode())
    assert Methodology.read(tmp_path / "m.toml").clock == "header"
    assert str(number_of("0." + "1" * 100)) == "0." + "1" * 100
    assert str(number_of("9" * 100)) == "9" * 100


def test_aliases_and_quotes_of_a_tagpack_mean_what_yaml_says(tmp_path: Path) -> None:
    text = f"""
category: &kind Exchange
label: Binance
tags:
- &one {{address: {A}, category: *kind}}
- *one
- address: 3D2oetdNuZUqQHPJmcMDDHYoqkyNVsFk9r
  label: null
  actor: "Kraken"
"""
    (tmp_path / "l.yaml").write_text(text)
    report = check_labels([tmp_path / "l.yaml"], MAIN)
    assert (report.counts, report.errors) == ({"exchange": {"BNB": 1, "KRK": 1}}, [])


@pytest.mark.parametrize("pattern", ["*a" * 5000, "[" * 200, "*" * 90_000, "x" * 90_000, "[!" * 99])
def test_patterns_of_metrics_take_no_time(pattern: str) -> None:
    with pytest.raises(MetricError) as caught:
        select(catalog([]), [pattern])
    assert len(str(caught.value)) < 300


LARGE: dict[str, tuple[int, Callable[[int], str]]] = {
    "methodology.toml remarks": (30_000, lambda n: "# c\n" * n + "clok = 1\n"),
    "grid.toml lines": (12_000, lambda n: "clock = [\n" + '"header",\n' * n + "]\n"),
    "grid.toml tables": (8_000, lambda n: "[alone]\n" + "".join(f"[alone.t{i}]\n" for i in range(n))),
    "labels.yaml keys": (30_000, lambda n: "".join(f"k{i}: 1\n" for i in range(n))),
    "labels.yaml aliases": (15_000, lambda n: "x: &x {a: 1}\ntags:\n" + "- *x\n" * n),
    "labels.csv remarks": (150_000, lambda n: "# c\n" * n + "address\n"),
    "labels.csv columns": (150_000, lambda n: "address," * n + "entity\n"),
    "labels.csv bad rows": (25_000, lambda n: "address,entity\n" + "x\n" * n),
    "pools.csv rows": (25_000, lambda n: "tag,entity\n" + "".join(f"t{i},e\n" for i in range(n)) + "x\n"),
    "prices.csv blank lines": (250_000, lambda n: "time,PriceUSD\n" + "\n" * n + "x\n"),
    "prices.csv rows": (20_000, lambda n: "time,PriceUSD\n" + "".join(f"{d},1\n" for d in DAYS[:n]) + "x\n"),
    "vendor columns": (80_000, lambda n: "time," + ",".join(f"c{i}" for i in range(n)) + ",c1\n"),
    "vendor rows": (10_000, lambda n: "time,A\n" + "".join(f"{d},1\n" for d in DAYS[:n]) + "x\n"),
    "vendor NDJSON": (10_000, lambda n: "".join(f'{{"time":"{d}","A":"1"}}\n' for d in DAYS[:n]) + "x"),
    "vendor documents": (60_000, lambda n: "[]\n" * n),
    "vendor assets": (20_000, lambda n: "".join(f'{{"time":"2020-01-01","asset":"a{i}"}}' for i in range(n))),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_twice_as_much_takes_about_twice_as_long(name: str, tmp_path: Path) -> None:
    """Of the CPU's time; four times as long would be the square. The shortest of several, and again if in doubt."""
    number, make = LARGE[name]
    ratio = 9.0
    for _ in range(3):
        once, twice = (min(seconds(name, make(size), tmp_path)) for size in (number, 2 * number))
        ratio = min(ratio, twice / max(once, 0.01))
        if ratio < 3:
            break
    assert ratio < 3


def seconds(name: str, text: str, folder: Path) -> Iterator[float]:
    for _ in range(2):
        gc.collect()
        begin = time.process_time()
        said(name, text, folder)
        yield time.process_time() - begin
