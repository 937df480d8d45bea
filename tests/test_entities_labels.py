"""Label files: what is read from CSV and from TagPacks, and the one line that tells what is wrong with them.

Each case is a small file with the labels, or the message, that must come of it. The shipped files must pass.
"""

import hashlib
from pathlib import Path

import polars as pl
import pytest

from reflow.errors import LabelError
from reflow.network import MAIN, REGTEST
from reflow.owners.label_files import exchange_entity, exchange_names
from reflow.owners.labels import SCHEMA, Labels, check_labels, label_files, read_labels
from reflow.script import account_of, address_of, script_of
from reflow.store.resources import folder
from support.economy import coinbase, ledger_of, on_day, pay

A = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
B = "3D2oetdNuZUqQHPJmcMDDHYoqkyNVsFk9r"
C = "bc1qgdjqv0av3q56jvd82tkdjpy7gdp9ut8tlqmgrpmv24sq90ecnvqqjwvw97"
ON_REGTEST = address_of(b"\x00\x14" + bytes(20), REGTEST)


def write(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def owners(labels: Labels) -> dict[str, tuple[str, str]]:
    rows = labels.frame.select("address", "entity", "category").rows()
    return {address: (entity, category) for address, entity, category in rows}


def test_a_row_becomes_an_account(tmp_path: Path) -> None:
    labels = read_labels([write(tmp_path, f"address,entity\n{A},BNB\n{C},KRK\n{B},BNB\n")], MAIN)
    assert labels.frame.schema == SCHEMA
    assert owners(labels) == {A: ("BNB", "exchange"), B: ("BNB", "exchange"), C: ("KRK", "exchange")}
    for account, script, address in labels.frame.select("account", "script", "address").iter_rows():
        assert script == script_of(address, MAIN)
        assert account == account_of(script)
    assert labels.frame["account"].is_sorted()
    assert labels.exchanges() == ["BNB", "KRK"]


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeffaddress,entity\r\n{A},BNB\r\n\r\n",
        f'# where from: nowhere\n\naddress,entity\n# a "comment\n{A},BNB',
        f'entity,address\n"BNB","{A}"\n   \n',
        f'address,entity,source,name,confidence\n{A},BNB,"two\n# lines, one record",Binance,low\n',
        f"address , entity,category\n {A} , BNB ,\n{A},BNB,Exchange\n",
    ],
)
def test_forms_of_csv_that_mean_the_same(tmp_path: Path, text: str) -> None:
    assert owners(read_labels([write(tmp_path, text)], MAIN)) == {A: ("BNB", "exchange")}


def test_categories_other_than_exchange_take_any_name(tmp_path: Path) -> None:
    path = write(tmp_path, f"address,entity,category\n{A},F2Pool (old),pool\n{B},BNB,exchange\n")
    labels = read_labels([path], MAIN)
    assert owners(labels)[A] == ("F2Pool (old)", "pool")
    assert labels.exchanges() == ["BNB"]


def test_bech32_may_be_written_in_capitals(tmp_path: Path) -> None:
    path = write(tmp_path, f"address,entity\n{C.upper()},KRK\n{C},KRK\n")
    assert owners(read_labels([path], MAIN)) == {C: ("KRK", "exchange")}


def test_digest_is_over_accounts_entities_and_categories_only(tmp_path: Path) -> None:
    one = write(tmp_path, f"address,entity,category,source\n{A},BNB,exchange,x\n{B},KRK,,y\n", "1.csv")
    two = [
        write(tmp_path, f"address,entity\n{B},KRK\n", "2.csv"),
        write(tmp_path, f"entity,address\nBNB,{A}\n", "3.csv"),
    ]
    other = write(tmp_path, f"address,entity,category\n{A},BNB,pool\n{B},KRK,exchange\n", "4.csv")
    labels = read_labels([one], MAIN)
    assert labels.digest == read_labels(two, MAIN).digest == read_labels(two[::-1], MAIN).digest
    assert labels.digest != read_labels([other], MAIN).digest
    content = sorted((account_of(script_of(a, MAIN)), e) for a, e in ((A, "BNB"), (B, "KRK")))
    canonical = "".join(f"{account}\t{entity}\texchange\n" for account, entity in content)
    assert labels.digest == hashlib.sha256(canonical.encode()).hexdigest()


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (f"address,entity\n{A},BNB\n{B[:-1]}s,BNB\n", 3, f"bad checksum: {B[:-1]}s"),
        (f"address,entity\n\n# x\n{C[:-1]}8,BNB\n", 4, f"bad checksum: {C[:-1]}8"),
        ("address,entity\nhello world,BNB\n", 2, "not base58 or bech32: hello world"),
        (f"address,entity\n{ON_REGTEST},BNB\n", 2, "address of regtest, expected main"),
        (f"address,entity\n{A},BNB\n{B},BNB\n{A},KRK\n", 4, f"{A} is KRK (exchange) here, but BNB"),
        (f"address,entity,category\n{A},x,pool\n{A},x,miner\n", 3, "is x (miner) here, but x (pool) in "),
        (f"address,entity\n{A},Abc\n{B},ABC\n", 3, "exchange ABC is written Abc in "),
        (f"address,entity,colour\n{A},BNB,red\n", 1, "unknown column 'colour', expected address, entity"),
        (f"address,category\n{A},exchange\n", 1, "no column 'entity', found address, category"),
        (f"# x\n{A},BNB\n", 2, f"unknown column '{A}'"),
        (f"address,entity,entity\n{A},BNB,BNB\n", 1, "column 'entity' twice"),
        (f"address,entity\n{A}\n", 2, "1 fields, expected 2 (address,entity)"),
        (f"address,entity\n{A},BNB,KRK\n", 2, "3 fields, expected 2 (address,entity)"),
        (f"address,entity\n{A},\n", 2, "empty entity"),
        (f"address,entity\n{A},Gate.io\n", 2, "exchange 'Gate.io': expected letters and digits only"),
        (f"address,entity\n{A},Börse\n", 2, "exchange 'Börse': expected letters and digits only"),
        (f"address,entity\n{A},Ex\n", 2, "exchange 'Ex': this word is reserved in metric ids"),
        (f"address,entity\n{A},ALL\n", 2, "exchange 'ALL': this word is reserved"),
        (f"address,entity\n{A},exIncl\n", 2, "exchange 'exIncl': this word is reserved"),
        (f'address,entity,category\n{A},"a\nb",pool\n', 2, "unprintable characters"),
        (f'address,entity\n{A},"BNB\n', 2, "not CSV: unexpected end of data"),
    ],
)  # fmt: skip
def test_errors_name_file_and_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(LabelError) as caught:
        read_labels([path], MAIN)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_conflict_names_both_places(tmp_path: Path) -> None:
    one = write(tmp_path, f"address,entity\n{B},KRK\n{A},BNB\n", "one.csv")
    two = write(tmp_path, f"address,entity\n{A},KRK\n", "two.csv")
    with pytest.raises(LabelError) as caught:
        read_labels([one, two], MAIN)
    assert str(caught.value) == f"{two}:2: {A} is KRK (exchange) here, but BNB (exchange) in {one}:3"


def test_the_later_file_decides_on_request(tmp_path: Path) -> None:
    one = write(tmp_path, f"address,entity\n{A},BNB\n{B},KRK\n", "one.csv")
    two = write(tmp_path, f"address,entity,category\n{A},GEM,\n{B},KRK,custodian\n{A},GEM,\n", "two.csv")
    three = write(tmp_path, f"address,entity\n{A},BNB\n", "three.csv")
    labels = read_labels([one, two], MAIN, prefer_later=True)
    assert owners(labels) == {A: ("GEM", "exchange"), B: ("KRK", "custodian")}
    assert owners(read_labels([two, one], MAIN, prefer_later=True)) == {
        A: ("BNB", "exchange"),
        B: ("KRK", "exchange"),
    }
    assert owners(read_labels([one, two, three], MAIN, prefer_later=True))[A] == ("BNB", "exchange")
    report = check_labels([one, two], MAIN, prefer_later=True)
    assert report.errors == []
    assert report.counts == {"custodian": {"KRK": 1}, "exchange": {"GEM": 1}}
    assert report.overridden == [
        f"{two}:2: {A} is GEM (exchange) here, which replaces BNB (exchange) in {one}:2",
        f"{two}:3: {B} is KRK (custodian) here, which replaces KRK (exchange) in {one}:3",
    ]
    assert len(check_labels([one, two], MAIN).errors) == 2


def test_a_file_that_contradicts_itself_is_an_error_on_any_request(tmp_path: Path) -> None:
    one = write(tmp_path, f"address,entity\n{A},BNB\n", "one.csv")
    two = write(tmp_path, f"address,entity\n{A},KRK\n{A},BNB\n", "two.csv")
    with pytest.raises(
        LabelError, match=r"two\.csv:3: .* is BNB \(exchange\) here, but KRK .* in .*two\.csv:2"
    ):
        read_labels([one, two], MAIN, prefer_later=True)


def test_spelling_is_of_what_is_left(tmp_path: Path) -> None:
    one = write(tmp_path, f"address,entity\n{A},Abc\n", "one.csv")
    two = write(tmp_path, f"address,entity\n{A},ABC\n{B},ABC\n", "two.csv")
    assert read_labels([one, two], MAIN, prefer_later=True).exchanges() == ["ABC"]
    assert len(check_labels([one, two], MAIN).errors) == 2


def test_labels_that_a_ledger_has_never_seen(tmp_path: Path) -> None:
    path = write(tmp_path, f"address,entity,category\n{A},BNB,\n{B},BNB,\n{C},F2Pool,pool\n")
    paid, in_coinbase = (account_of(script_of(address, MAIN)) for address in (B, C))
    block = on_day(0, coinbase((in_coinbase, 0), (7, 50)), pay([(7, 5)], [(paid, 5)]))
    with ledger_of([block]) as ledger:
        assert check_labels([path], MAIN, ledger=ledger).unseen == {"exchange": {"BNB": [A]}}
    with ledger_of([]) as ledger:
        nothing = check_labels([path], MAIN, ledger=ledger).unseen
    assert nothing == {"exchange": {"BNB": sorted([A, B])}, "pool": {"F2Pool": [C]}}
    assert check_labels([path], MAIN).unseen is None


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"none\.csv: cannot read the label file: No such file"):
        read_labels([tmp_path / "none.csv"], MAIN)
    with pytest.raises(LabelError, match="cannot read the label file: Is a directory"):
        read_labels([tmp_path], MAIN)
    path = tmp_path / "latin.csv"
    path.write_bytes(f"address,entity\n{A},BNB\n{B},B\xf6rse\n".encode("latin-1"))
    with pytest.raises(LabelError, match=r"latin\.csv:3: not UTF-8"):
        read_labels([path], MAIN)
    with pytest.raises(LabelError, match="empty, expected a header line"):
        read_labels([write(tmp_path, "# nothing\n\n")], MAIN)


def test_check_tells_everything(tmp_path: Path) -> None:
    bad = write(tmp_path, f"address,entity\n{A},BNB\n{A[:-1]}b,BNB\n{B},Unheard\n{B},BNB\n{C}\n")
    report = check_labels([bad, tmp_path / "none.csv"], MAIN)
    assert report.counts == {"exchange": {"BNB": 1, "Unheard": 1}}
    assert report.unknown == ["Unheard"]
    places = [error.split(": ")[0].removeprefix(str(tmp_path)) for error in report.errors]
    assert places == ["/labels.csv:3", "/labels.csv:5", "/labels.csv:6", "/none.csv"]


TAGPACK = f"""---
title: A pack
creator: someone
lastmod: 2021-04-12
currency: BTC
category: exchange
label: binance
tags:
  - address: {A}
    confidence: service_data
  - address: '{B}'
    label: Huobi.com
    source: https://example.org
  - address: {C}
    actor: okex
    label: some wallet
  - {{address: 1BitcoinEaterAddressDontSendf59kuE, currency: BCH}}
  - {{address: 1CounterpartyXXXXXXXXXXXXXXXUWLpVr, category: mixing_service, label: A mixer}}
  - {{address: 1dice8EMZmqKvrGE4Qc9bUFf9PX3xaYDp, abuse: service_hack}}
  - {{address: 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy, actor: new house, label: ''}}
"""


def test_tagpack_header_fields_hold_for_tags_without_them(tmp_path: Path) -> None:
    assert owners(read_labels([write(tmp_path, TAGPACK, "pack.yaml")], MAIN)) == {
        A: ("BNB", "exchange"),
        B: ("HUO", "exchange"),
        C: ("OKX", "exchange"),
        "1CounterpartyXXXXXXXXXXXXXXXUWLpVr": ("A mixer", "mixing_service"),
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy": ("newhouse", "exchange"),
    }


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("- 1\n- 2\n", "", "not a TagPack: expected a mapping"),
        ("title: x\n", "", "not a TagPack: expected a list of tags"),
        ("title: x\ntags: 7\n", "", "not a TagPack: expected a list of tags"),
        ("title: x\ntags:\n- address: [\n", ":4", "not YAML"),
        ("category: exchange\ntags:\n- label: binance\n", ":3", "a tag without an address"),
        ("category: exchange\ntags:\n- binance\n", ":3", "a tag must be a mapping"),
        (f"category: exchange\ntags:\n- address: {A}\n", ":3", "empty entity"),
        (f"category: exchange\nlabel: binance\ntags:\n\n- address: {A}x\n", ":5", f"bad checksum: {A}x"),
        (f"category: exchange\nlabel: ex\ntags:\n- address: {A}\n", ":4", "this word is reserved"),
    ],
)
def test_tagpack_errors_name_file_and_line(tmp_path: Path, text: str, place: str, message: str) -> None:
    path = write(tmp_path, text, "pack.yml")
    with pytest.raises(LabelError) as caught:
        read_labels([path], MAIN)
    assert str(caught.value).startswith(f"{path}{place}: ")
    assert message in str(caught.value)


def test_csv_and_tagpack_contradict_each_other_with_both_places(tmp_path: Path) -> None:
    files = [write(tmp_path, f"address,entity\n{A},KRK\n"), write(tmp_path, TAGPACK, "pack.yaml")]
    with pytest.raises(
        LabelError, match=r"pack\.yaml:9: .* is BNB \(exchange\) here, but KRK .*labels\.csv:2$"
    ):
        read_labels(files, MAIN)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("binance",), "BNB"),
        (("", "Huobi.com"), "HUO"),
        (("okex", "anything"), "OKX"),
        (("krk",), "KRK"),
        (("gate", ""), "GIO"),
        (("CEX.IO",), "CEX"),
        (("cryptocom",), "CRO"),
        (("mt gox",), "MtGox"),
        (("casino", "Bitstamp"), "BSP"),
        (("My-Exchange 2",), "MyExchange2"),
        (("", ""), ""),
    ],
)
def test_names_of_exchanges(names: tuple[str, ...], code: str) -> None:
    assert exchange_entity(*names) == code


def test_every_code_of_the_methodology_has_a_name() -> None:
    codes = "BFX BMX BNB BSP BTX GEM HUO KRK POL BIT CBS CRO DER GIO HBT KOR KCN MXC NBX OKX SBG BGT BHM CEX"
    assert set(codes.split()) <= set(exchange_names().values())


def test_the_shipped_labels_pass_and_have_only_known_exchanges() -> None:
    report = check_labels(["shipped"], MAIN)
    assert (report.errors, report.unknown) == ([], [])
    assert sum(report.counts["exchange"].values()) == 2585
    assert sum(report.counts["pool"].values()) == 210
    assert report.counts["exchange"]["GEM"] == 4


def test_names_of_shipped_labels_are_strings_and_paths_are_files() -> None:
    files = {name: folder("labels") / f"{name}.csv" for name in ("exchanges", "pools")}
    assert read_labels(["shipped"], MAIN).digest == read_labels(files.values(), MAIN).digest
    for name, file in files.items():
        assert label_files(f"shipped:{name}", MAIN) == [file]
    with pytest.raises(LabelError, match=r"^shipped: cannot read the label file"):
        read_labels([Path("shipped")], MAIN)


def test_the_order_of_shipped_labels_and_own_ones_decides(tmp_path: Path) -> None:
    [address, first] = (folder("labels") / "exchanges.csv").read_text().splitlines()[1].split(",")[:2]
    own: str | Path = write(tmp_path, f"address,entity\n{address},MINE\n")
    for names, entity in ((["shipped", own], "MINE"), ([own, "shipped:exchanges"], first)):
        assert owners(read_labels(names, MAIN, prefer_later=True))[address] == (entity, "exchange")
        with pytest.raises(LabelError, match=f"{address} is {entity} "):
            read_labels(names, MAIN)


def test_shipped_labels_that_do_not_exist_or_fit_are_one_error() -> None:
    assert check_labels(["shipped:tags", "shipped"], MAIN).errors == [
        "shipped:tags: no such labels in the package, expected one of shipped, shipped:exchanges, shipped:pools"
    ]
    assert check_labels(["shipped:pools"], REGTEST).errors == [
        "shipped:pools: the shipped labels are for main, expected labels of regtest"
    ]


def test_exchanges_that_only_shipped_files_name(tmp_path: Path) -> None:
    """An address that stands in both is no news, but its exchange is one's own."""
    shipped = read_labels(["shipped"], MAIN)
    assert shipped.shipped_only == set(shipped.exchanges())
    address = shipped.frame.filter(pl.col("entity") == "Bitkub")["address"][0]
    mine = tmp_path / "mine.csv"
    mine.write_text(f"address,entity\n{address},Bitkub\n")
    assert shipped.shipped_only - read_labels(["shipped", mine], MAIN).shipped_only == {"Bitkub"}
    assert read_labels([mine], MAIN).shipped_only == set()
