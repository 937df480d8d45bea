"""Pools: whose a block is, what the pools earn, what they send to exchanges; every amount against a hand-made economy.

Blocks have a payee and a scriptSig; the matrix is held against the metrics that recompute gives.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings

from reflow.errors import LabelError, LedgerError, OutputError
from reflow.flows.recompute import recompute
from reflow.ledger.ledger import Ledger
from reflow.network import MAIN, REGTEST
from reflow.owners.pool_files import PoolData, read_pools
from reflow.owners.pools import PoolReport, find_miner_entities, report_pools
from reflow.script import address_of
from reflow.store.duckdb import DuckDbStore, rows
from reflow.store.resources import folder
from support.economies import Case, cases
from support.economy import (
    Block,
    clock_to,
    coinbase,
    in_sat,
    labels_of,
    ledger_of,
    ledger_rows,
    numbers,
    on_day,
    pay,
    settled,
)

A, B, C, X, Y, U = range(1, 7)
LABELS = labels_of({X: "AAA", Y: "BBB"})
ADDRESS = {n: address_of(b"\x00\x14" + bytes([n] * 20), REGTEST) for n in (1, 2)}


def pool_data(payouts: Mapping[int, str] | None = None, **tags: str) -> PoolData:
    """Payout accounts, and tags as `entity=tag`."""
    frame = pl.DataFrame(
        list((payouts or {}).items()), schema={"account": pl.Int64, "entity": pl.String}, orient="row"
    )
    return PoolData(frame, sorted(((t, e) for e, t in tags.items()), key=lambda row: (-len(row[0]), row)))


def ledger_signed(economy: list[Block], script_sigs: Mapping[int, bytes]) -> Ledger:
    """A ledger whose coinbases have these scriptSigs, by height."""
    made = ledger_rows(economy)
    heights = made.coinbase.column("height").to_pylist()
    signed = [{"height": height, "script_sig": script_sigs.get(height, b"")} for height in heights]
    ledger = Ledger.open(None, REGTEST)
    ledger.append(made._replace(coinbase=pa.Table.from_pylist(signed, schema=made.coinbase.schema)))
    return ledger


def mined(
    economy: list[Block], pools: PoolData, script_sigs: Mapping[int, bytes]
) -> list[tuple[str | None, str | None]]:
    """(entity, basis) of every block."""
    with ledger_signed(economy, script_sigs) as ledger:
        find_miner_entities(DuckDbStore(ledger.con), pools)
        return [
            (row["entity"], row["basis"]) for row in rows(ledger.con, "FROM miner_entity ORDER BY height")
        ]


def test_payout_before_tag_before_nothing() -> None:
    pools = pool_data({A: "first"}, second="/second/")
    blocks = [on_day(0, coinbase((payee, 50))) for payee in (A, U, U)]
    sigs = {1: b"\x01/second/", 2: b"\x01/second/\xff"}
    assert mined(blocks, pools, sigs) == [("first", "payout"), ("second", "tag"), (None, None)]


def test_the_highest_valued_output_that_is_known_decides() -> None:
    pools = pool_data({A: "zz", B: "bb", C: "cc"})
    blocks = [
        on_day(0, coinbase((U, 100), (A, 1), (B, 40), (B, 2), (C, 41))),
        on_day(0, coinbase((A, 0), (U, 100))),
        on_day(0, coinbase((A, 5), (B, 5))),
        on_day(0, coinbase((B, 3), (B, 3), (A, 5))),
    ]
    assert [entity for entity, _ in mined(blocks, pools, {})] == ["cc", None, "bb", "zz"]


@pytest.mark.parametrize(
    ("script_sig", "entity"),
    [
        (b"\x03abc/ViaBTC/Mined by x/", "viabtc"),
        (b"\x03/VIABTC/", "viabtc"),
        (b"/ViaBTC", None),
        (b"\xff\xfe\x00/BTCC//viabtc/\x80", "viabtc"),
        ("\N{FISH}".encode() + b"\xff", "f2pool"),
        (b"\xf0\x9f" + "\N{FISH}".encode(), "f2pool"),
        ("\N{FISH}".encode()[1:], None),
        (b"EMC", None),
        (b"EMC ", "eclipsemc"),
        (b"Mined by 7pool", None),
        (b"/$Mined by 7pool.com/", "7pool"),
        (b"/$Mined by 7poolxcom/", None),
        (b"", None),
    ],
)
def test_tags_of_the_shipped_data_are_plain_text_in_any_case(script_sig: bytes, entity: str | None) -> None:
    found = read_pools(None, MAIN).entity_of(script_sig)
    assert found == entity


def test_the_longest_tag_decides_wherever_it_stands() -> None:
    pools = pool_data(long="/longer tag/", short="/tag/", same="/uag/")
    assert pools.entity_of(b"/tag/ /uag/ /LONGER tag/") == "long"
    assert pools.entity_of(b"/uag/ /tag/") == "short"


def report(*blocks: Block, pools: PoolData, out: Path | None = None) -> PoolReport:
    with ledger_of(settled(*blocks)) as ledger:
        return report_pools(ledger, pools, LABELS, out=out)


POOLS = pool_data({A: "aa", B: "bb"})
DAYS = [
    on_day(0, coinbase((A, 50), (C, 10))),
    on_day(0, coinbase((B, 60), (C, 5)), hour=2),
    *clock_to(1),
    on_day(1, coinbase((U, 70)), pay([(A, 20), (B, 10)], [(X, 25), (A, 4)])),
    on_day(1, coinbase((A, 50)), pay([(C, 10)], [(Y, 9)]), pay([(U, 5)], [(X, 1), (Y, 1)])),
    *clock_to(2),
    on_day(2, pay([(A, 30), (X, 10)], [(X, 15), (Y, 20)])),
]


def test_rewards_and_blocks_add_up() -> None:
    told = report(*DAYS, pools=POOLS)
    totals = {total.entity: (total.blocks, total.reward) for total in told.totals}
    assert (totals["aa"], totals["bb"]) == ((2, 50 + 10 + 50), (1, 65))
    assert totals[None][1] == 70
    assert [total.entity for total in told.totals] == ["aa", "bb", None]
    assert sum(day.reward for day in told.days) == sum(reward for _, reward in totals.values())
    assert sum(day.blocks for day in told.days) == told.blocks()
    assert told.totals[0].payouts == 2


def test_the_matrix_is_of_the_pool_that_paid_an_account_first() -> None:
    """The first payment is signed by two pools: 25 in both rows, once in `all`. C is of `aa`, that paid it first."""
    matrix = report(*DAYS, pools=POOLS).matrix
    assert matrix == {
        "aa": {"AAA": 25 + 5, "BBB": 9 + 20, "Ex": 25 + 9 + 25},
        "bb": {"AAA": 25, "BBB": 0, "Ex": 25},
        None: {"AAA": 1, "BBB": 1, "Ex": 2},
        "all": {"AAA": 31, "BBB": 30, "Ex": 61},
    }


def test_nothing_is_sent_before_the_coinbase_that_makes_a_member() -> None:
    blocks = [on_day(0, pay([(A, 9)], [(X, 9)])), on_day(0, coinbase((A, 50)))]
    matrix = report(*blocks, pools=POOLS).matrix
    assert matrix is not None
    assert matrix["all"]["Ex"] == 0
    first = on_day(0, coinbase((B, 50)), pay([(A, 9), (B, 1)], [(X, 10)]))
    matrix = report(first, blocks[1], pools=POOLS).matrix
    assert matrix is not None
    assert (matrix["aa"]["Ex"], matrix["bb"]["Ex"], matrix["all"]["Ex"]) == (0, 10, 10)


def test_the_incomplete_last_day_does_not_count() -> None:
    blocks = [*clock_to(0), on_day(0, coinbase((A, 50)), pay([(A, 9)], [(X, 9)]))]
    with ledger_of([*blocks, *clock_to(1), on_day(1, pay([(A, 30)], [(X, 30)]))]) as ledger:
        told = report_pools(ledger, POOLS, LABELS)
    assert told.last_day == told.first_day
    assert told.matrix is not None
    assert told.matrix["aa"]["Ex"] == 9
    with ledger_of(blocks) as ledger:
        told = report_pools(ledger, POOLS, LABELS)
    assert (told.blocks(), told.first_day, told.days) == (0, None, [])
    assert told.matrix == {pool: {"AAA": 0, "BBB": 0, "Ex": 0} for pool in (None, "all")}


@settings(max_examples=25, deadline=None)
@given(cases())
def test_the_row_of_all_pools_is_the_metric(case: Case) -> None:
    labels = labels_of(case.exchanges, case.others)
    with ledger_of(case.economy) as ledger:
        told = report_pools(ledger, pool_data({0: "aa", 1: "bb", 2: "cc"}), labels)
        result = recompute(ledger, labels)
    assert told.blocks() == sum(value or 0 for value in numbers(result, "BlkCnt"))
    assert sum(total.reward for total in told.totals) == sum(value or 0 for value in in_sat(result, "RevNtv"))
    assert (told.matrix is None) == (not case.exchanges)
    for code, sat in (told.matrix or {}).get("all", {}).items():
        assert sat == sum(value or 0 for value in in_sat(result, f"FlowMinerOut0HopAll{code}Ntv"))


def test_labels_of_pools_count_unless_the_pool_data_say_otherwise() -> None:
    labels = labels_of({}, {A: "by label", B: "other"})
    with ledger_of(settled(on_day(0, coinbase((A, 50))), on_day(0, coinbase((B, 50))))) as ledger:
        told = report_pools(ledger, pool_data({B: "bb"}), labels)
    assert [total.entity for total in told.totals] == ["bb", "by label", None]
    assert told.matrix is None


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_files_are_written_together(tmp_path: Path) -> None:
    told = report(*DAYS, pools=POOLS, out=tmp_path / "new")
    assert [file.name for file in told.files] == ["pools.csv", "blocks.csv", "matrix.csv"]
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == [
        "blocks.csv",
        "matrix.csv",
        "pools.csv",
    ]
    days, blocks, matrix = (read(file) for file in told.files)
    assert days[0] == {
        "time": str(told.first_day), "entity": "aa", "blocks": "1", "payouts": "1", "tags": "0", "reward": "0.0000006",
    }  # fmt: skip
    assert len(blocks) == told.blocks()
    assert [(row["height"], row["entity"], row["basis"]) for row in blocks[:3]] == [
        ("1", "aa", "payout"),
        ("2", "bb", "payout"),
        ("3", "", ""),
    ]
    assert [row["entity"] for row in days if row["time"] == str(told.last_day)][-1] == ""
    assert [row["entity"] for row in matrix] == ["aa", "bb", "", "all"]
    assert matrix[-1] == {"entity": "all", "AAA": "0.00000031", "BBB": "0.0000003", "Ex": "0.00000061"}
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write the results"):
        report(*DAYS, pools=POOLS, out=tmp_path / "file")


def test_an_empty_ledger_is_an_error() -> None:
    with ledger_of([]) as ledger, pytest.raises(LedgerError, match="no blocks in it yet"):
        report_pools(ledger, POOLS)


def test_what_ships_is_read_for_every_network() -> None:
    on_main, elsewhere = read_pools(None, MAIN), read_pools(None, REGTEST)
    assert (len(on_main.payouts), len(elsewhere.payouts)) == (210, 0)
    assert on_main.tags == elsewhere.tags
    for row in read(folder("labels") / "pool-tags.csv"):
        assert on_main.entity_of(b"\xff" + row["tag"].encode() + b"\x00") is not None


def test_files_of_both_kinds(tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text("# mine\nentity,tag,source\naa,/a/,x\nbb, B,x\naa,/A/,again\n")
    (tmp_path / "payouts.csv").write_text(
        f"address,entity,category\n{ADDRESS[1]},cc,miner\n{ADDRESS[2]},dd,custodian\n"
    )
    pools = read_pools([tmp_path / "tags.csv", tmp_path / "payouts.csv"], REGTEST)
    assert pools.tags == [("/a/", "aa"), (" b", "bb")]
    assert pools.payouts["entity"].to_list() == ["cc"]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("tag,entity\n/a/,aa\n/A/,bb\n", ":3", "tag '/A/' is of bb here, but of aa in"),
        ("tag,entity\n ,aa\n", ":2", "empty tag"),
        ("tag,entity\n/a/,\n", ":2", "empty entity"),
        ("tag,entity\n/a/,Unknown\n", ":2", "pool 'Unknown': this word is reserved"),
        ("tag,entity,regex\n", ":1", "unknown column 'regex', expected tag, entity, name, source"),
        ("tag,name\n", ":1", "no column 'entity', found tag, name"),
        ("tag,entity\n/a/\n", ":2", "1 fields, expected 2 (tag,entity)"),
        (f"address,entity,category\n{ADDRESS[1]},all,pool\n", "", "pool 'all': this word is reserved"),
        ("", "", "empty, expected a header line: address,entity[,category]"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, text: str, place: str, message: str) -> None:
    path = tmp_path / "pools.csv"
    path.write_text(text)
    with pytest.raises(LabelError) as caught:
        read_pools([path], REGTEST)
    assert str(caught.value).startswith(f"{path}{place}: ")
    assert message in str(caught.value)
