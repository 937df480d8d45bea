"""The first 439 and the first 4,313 blocks of mainnet, as a real node wrote them, against the vendor's free series.

Nothing here is simulated: files, hashes, undo data and the vendor's figures are real, and they must agree exactly.
"""

import csv
import json
import re
import shlex
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from reflow.flows.methodology import Methodology
from reflow.flows.recompute import recompute
from reflow.ledger.kept_days import kept_clocks
from reflow.ledger.ledger import Ledger
from reflow.ledger.verify import verify
from reflow.network import COIN, MAIN
from reflow.owners.labels import check_labels, read_labels
from reflow.owners.pool_files import read_pools
from reflow.owners.pools import report_pools
from reflow.results.write import write
from reflow.sweeps.sweep import sweep
from reflow.vendor.files import read_vendor_file
from support.chains import ingest_folder, unpack_first_blocks
from support.command import run
from support.vendor_2009 import assert_every_cell_is_the_vendors

TIP = "0000000025c6b644f8add734be7e666fa4afa43ca0204d623a0c0b1fd2104c7a"


@pytest.fixture(scope="module")
def ledger(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    folder = tmp_path_factory.mktemp("mainnet")
    result = ingest_folder(folder / "ledger", unpack_first_blocks(shared_data, 439, folder))
    assert (result.network, result.height, result.tip_hash, result.warnings) == ("main", 438, TIP, [])
    with Ledger.open(folder / "ledger", read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def labels_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One exchange that was not yet born: its flows are known, and zero."""
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    path.write_text("address,entity\n34xp4vRoCGJym3xR7yCVPFHoCNxv4Twseo,BNB\n")
    return path


def daily(
    ledger: Ledger, labels_file: Path, out: Path, methodology: Methodology
) -> dict[str, dict[str, str]]:
    """metrics.csv as it is written: day to column to text."""
    result = recompute(ledger, read_labels([labels_file], MAIN), methodology=methodology)
    write(result, out)
    with (out / "metrics.csv").open() as file:
        return {row.pop("time"): row for row in csv.DictReader(file)}


def test_the_digest_of_the_real_blocks(ledger: Ledger) -> None:
    """The same on every machine: what anybody's ledger of these blocks must have."""
    result = verify(ledger)
    assert (result.fault_count, result.supply) == (0, 438 * 50 * COIN)
    assert [chunk[1:] for chunk in result.chunks] == [
        (438, "54da9817d5d9efd2d20eac7c9b5a4dcd6114bb99af5cf5c5b2dfdd013317545e")
    ]


def test_control_metrics_equal_the_vendors(
    ledger: Ledger, labels_file: Path, shared_data: Path, tmp_path: Path
) -> None:
    """Every cell that the vendor publishes, exactly; and no day more or less."""
    ours = daily(ledger, labels_file, tmp_path, Methodology.read("reference"))
    with (shared_data / "vendor-2009-01.csv").open() as file:
        vendors = {row.pop("time"): row for row in csv.DictReader(file)}
    assert list(ours) == list(vendors)
    assert len(vendors) == 5
    for day, row in vendors.items():
        for metric, value in row.items():
            assert Decimal(ours[day][metric]) == Decimal(value), (day, metric)


def test_the_cross_check_proves_the_ledger_and_names_the_other_clock(
    ledger: Ledger, labels_file: Path, shared_data: Path, tmp_path: Path
) -> None:
    """From the command line, end to end: layer 1 exact; by header time 14 for 19 blocks, and the reason."""
    (tmp_path / "header.toml").write_text('clock = "header"\n')
    options = (
        "--labels",
        labels_file,
        "--methodology",
        "reference",
        "--methodology",
        tmp_path / "header.toml",
    )
    assert run("recompute", ledger.path, *options, "--out", tmp_path).returncode == 0
    vendor = ("--vendor", shared_data / "vendor-2009-01.csv", "--json")
    done = run("crosscheck", "--metrics", tmp_path / "reference", *vendor)
    told = json.loads(done.stdout)
    assert (done.returncode, told["verdict"]["breaks_first"], told["findings"]) == (0, None, [])
    assert {one["metric"]: (one["verdict"], one["days"]) for one in told["comparisons"]} == dict.fromkeys(
        ("BlkCnt", "TxCnt", "TxTfrValNtv", "IssTotNtv"), ("exact", 5)
    )
    origin = ("--ledger", ledger.path, "--labels", labels_file)
    for more, clock in (((), "seems to cut its days by another clock"), (origin, "With clock = mediantime")):
        done = run("crosscheck", "--metrics", tmp_path / "header", *vendor, *more)
        told = json.loads(done.stdout)
        assert (done.returncode, told["verdict"]["breaks_first"]) == (1, 1)
        assert told["verdict"]["failed"] == ["BlkCnt", "TxCnt", "TxTfrValNtv", "IssTotNtv"]
        [finding] = told["findings"]
        assert finding["kind"] == "clock"
        assert clock in finding["text"]
        assert "on 2009-01-09: 14 here, 19 at the vendor" in finding["text"]
    [first_day] = [one for one in told["worst"] if one["day"] == "2009-01-09"]
    assert (first_day["metric"], first_day["difference"]) == ("BlkCnt", "-5")
    assert [block["height"] for block in first_day["closing"]["parts"]] == [15, 16, 17, 18, 19]


def test_a_cross_check_with_the_shipped_labels_names_them_in_its_commands(
    ledger: Ledger, shared_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "header.toml").write_text('clock = "header"\n')
    chosen = ("--labels", "shipped", "--methodology", tmp_path / "header.toml")
    assert run("recompute", ledger.path, *chosen, "--metrics", "BlkCnt", "--out", tmp_path).returncode == 0
    vendor = ("--vendor", shared_data / "vendor-2009-01.csv", "--ledger", ledger.path, "--out", tmp_path)
    done = run("crosscheck", "--metrics", tmp_path, *vendor, "--labels", "shipped", "--json")
    command = shlex.split(json.loads(done.stdout)["worst"][0]["command"])
    at = command.index("--labels")
    assert command[at : at + 3] == ["--labels", "shipped", "--methodology"]
    assert run(*command[1:], cwd=tmp_path).returncode == 0


def test_the_header_clock_differs_where_the_vendor_does_not(
    ledger: Ledger, labels_file: Path, tmp_path: Path
) -> None:
    """19 blocks on 2009-01-09 by mediantime, as the vendor has it; 14 by header time."""
    ours = daily(ledger, labels_file, tmp_path, Methodology(clock="header"))
    assert ours["2009-01-09"]["BlkCnt"] == "14"


def test_a_sweep_ranks_the_header_clock_behind_and_shows_why(
    ledger: Ledger, labels_file: Path, shared_data: Path
) -> None:
    """Every other methodology is exact: nobody knew an exchange yet, so only the clock can be told."""
    vendor = read_vendor_file(shared_data / "vendor-2009-01.csv")
    result = sweep(ledger, read_labels([labels_file], MAIN), vendor)
    *exact, last = result.variants
    assert result.metrics == ["BlkCnt", "TxCnt", "TxTfrValNtv", "IssTotNtv"]
    assert not any(one.score.distance for one in exact)
    assert {(one.rank, one.methodology.clock) for one in exact} == {(1, "mediantime")}
    assert (last.methodology, last.rank) == (Methodology(clock="header"), len(result.variants))
    assert [len(group) for group in result.alike] == [len(exact)]
    worst = last.metrics["BlkCnt"].worst
    assert worst is not None
    assert (str(worst.day), worst.ours, worst.vendor) == ("2009-01-09", Decimal(14), Decimal(19))


def test_before_any_exchange_nothing_flowed_and_without_a_label_nothing_is_known(
    ledger: Ledger, labels_file: Path, tmp_path: Path
) -> None:
    ours = daily(ledger, labels_file, tmp_path, Methodology.read("reference"))
    assert {row["FlowMinerOut1HopAllBNBNtv"] for row in ours.values()} == {"0"}
    assert {row["FlowMinerOut1HopAllKRKNtv"] for row in ours.values()} == {""}
    assert {row["FlowMinerOut1HopAllBNBUSD"] for row in ours.values()} == {""}


def test_the_first_payment_between_people(ledger: Ledger) -> None:
    """Block 170: 50 from Satoshi's coinbase of block 9, 10 of them to Hal Finney, 40 back; no fee."""
    txid = bytes.fromhex("f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16")
    [(tx, height)] = ledger.con.execute("SELECT tx, height FROM tx WHERE txid = ?", [txid]).fetchall()
    [(sender, spent)] = ledger.con.execute("SELECT account, value FROM debit WHERE tx = ?", [tx]).fetchall()
    paid = ledger.con.execute(
        "SELECT account, value FROM credit WHERE tx = ? ORDER BY value", [tx]
    ).fetchall()
    [(miner,)] = ledger.con.execute(
        "SELECT account FROM credit JOIN block ON tx = first_tx WHERE block.height = 9"
    ).fetchall()
    assert height == 170
    assert (sender, spent) == (miner, 50 * COIN)
    assert [value for _, value in paid] == [10 * COIN, 40 * COIN]
    assert paid[1][0] == miner
    assert paid[0][0] != miner


def test_supply_is_fifty_a_block(ledger: Ledger) -> None:
    [(issued,)] = ledger.con.execute("SELECT sum(issuance) FROM block").fetchall()
    [(unspent,)] = ledger.con.execute(
        "SELECT (SELECT sum(value) FROM credit) - (SELECT sum(value) FROM debit)"
    ).fetchall()
    assert issued == unspent == 438 * 50 * COIN


KEY_ADDRESS = "1AbHNFdKJeVL8FRZyRZoiTzG9VCmzLrtvm"
"""Paid by its hash, then both ways, on 2009-02-03: change to it went back to the key directly."""
MINER_ADDRESS = "1BEAp84rY4U2MJNmUkaF9BNavTEEG3ZSfd"
"""Its key mined a block and was paid directly, as everybody then was; nobody ever paid the address itself."""


@pytest.fixture(scope="module")
def ledger_2009(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    folder = tmp_path_factory.mktemp("mainnet-2009")
    result = ingest_folder(folder / "ledger", unpack_first_blocks(shared_data, 4313, folder))
    assert (result.network, result.height, result.warnings) == ("main", 4312, [])
    with Ledger.open(folder / "ledger", read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def labels_2009(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels-2009") / "labels.csv"
    path.write_text(f"address,entity,category\n{KEY_ADDRESS},BNB,exchange\n{MINER_ADDRESS},Early,pool\n")
    return path


def test_every_cell_of_36_days_is_the_vendors(
    ledger_2009: Ledger, labels_file: Path, shared_data: Path, tmp_path: Path
) -> None:
    ours = daily(ledger_2009, labels_file, tmp_path, Methodology.read("reference"))
    assert_every_cell_is_the_vendors(ours, shared_data)


def test_the_day_that_tells_what_an_account_is(
    ledger_2009: Ledger, labels_file: Path, tmp_path: Path
) -> None:
    """Three transactions give 81.98 back to the key that it came from, in the other form: 15, 185.08 and 156 if a
    script were an account.
    """
    day = daily(ledger_2009, labels_file, tmp_path, Methodology.read("reference"))["2009-02-03"]
    assert (day["TxTfrCnt"], day["TxTfrValNtv"], day["AdrActCnt"]) == ("12", "103.1", "154")


def test_the_digest_of_the_blocks_of_2009(ledger_2009: Ledger) -> None:
    result = verify(ledger_2009)
    assert (result.fault_count, result.supply, result.rows["script"]) == (0, 4312 * 50 * COIN, 4312)
    assert result.digest == "8ca9d7d0850e4d5c266dea091994f6e7b19ae7189b4f15bdfbe54ea9c949f65f"


def test_a_label_on_an_address_covers_what_is_paid_to_its_key(
    ledger_2009: Ledger, labels_2009: Path, tmp_path: Path
) -> None:
    """49.99 of 50 go back to the exchange, to its key directly, so 0.01 flows out; people see where a key is paid."""
    ours = daily(ledger_2009, labels_2009, tmp_path, Methodology.read("reference"))["2009-02-03"]
    done = run("explain", ledger_2009.path, "FlowOutBNBNtv", "2009-02-03", "--labels", labels_2009)
    assert (done.returncode, done.stderr) == (0, "")
    parts = [part.splitlines() for part in done.stdout.split("\n\n")]
    [lines] = [
        part
        for part in parts
        if "131f68261e28a80c3300b048c4c51f3ca4745653ba7ad6b20cc9188322818f25" in part[0]
    ]
    assert lines[0].split()[0] == "0.01"
    assert lines[1].split()[:3] == ["from", "50", KEY_ADDRESS]
    assert "its key directly" not in lines[1]
    [change] = [line for line in lines[2:] if KEY_ADDRESS in line]
    assert f"49.99  {KEY_ADDRESS} (paid to its key directly)" in change
    assert f"value         {ours['FlowOutBNBNtv']}" in done.stdout


def test_a_coinbase_that_pays_a_key_directly_pays_its_address(ledger_2009: Ledger, labels_2009: Path) -> None:
    pools = report_pools(ledger_2009, read_pools([labels_2009], MAIN))
    assert [total[:3] for total in pools.totals] == [("Early", 1, 1), (None, 4185, 0)]


def test_a_label_whose_key_was_paid_is_seen_on_chain(ledger_2009: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(
        f"address,entity,category\n{MINER_ADDRESS},Early,pool\n1CounterpartyXXXXXXXXXXXXXXXUWLpVr,No,pool\n"
    )
    report = check_labels([path], MAIN, ledger=ledger_2009)
    assert report.unseen == {"pool": {"No": ["1CounterpartyXXXXXXXXXXXXXXXUWLpVr"]}}


@pytest.mark.parametrize(
    ("options", "columns", "left_out"),
    [
        ((), 487, 136),
        (("--exchanges", "BNB,Bitkub"), None, 157),
        (("--exchanges", "all"), None, 0),
        (("--metrics", "seeds"), 44, 0),
        (("--metrics", "FlowInBitkubNtv"), 1, 0),
    ],
    ids=["default", "two exchanges", "all exchanges", "seeds", "one id"],
)
def test_few_columns_when_few_are_wanted(
    ledger: Ledger, tmp_path: Path, options: tuple[str, ...], columns: int | None, left_out: int
) -> None:
    """With the shipped labels: the vendor's exchanges by default, the rest for the asking; all count in Ex."""
    done = run("recompute", ledger.path, "--labels", "shipped", *options, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    names = (tmp_path / "metrics.csv").read_text().partition("\n")[0].split(",")[1:]
    codes = {match[1] for name in names if (match := re.fullmatch("FlowIn(\\w+)Ntv", name))} - {
        "Ex",
        "ExIncl",
    }
    assert columns is None or len(names) == columns
    told = json.loads((tmp_path / "run.json").read_text())
    assert len(told["exchanges_left_out"]) == left_out
    assert ("exchanges that the vendor does not have; to add them: --exchanges all" in done.stdout) == bool(
        left_out
    )
    if "--exchanges" in options:
        assert codes == ({"BNB", "Bitkub"} if "BNB,Bitkub" in options else set(told["exchanges"]))


def test_the_header_clock_is_kept_once_it_was_asked_for(
    shared_data: Path, labels_file: Path, tmp_path: Path
) -> None:
    """In the ledger, by the recompute that needs it; an ingest goes on with it, and nothing else changes."""
    ingest_folder(tmp_path / "ledger", unpack_first_blocks(shared_data, 439, tmp_path))
    method = tmp_path / "header.toml"
    method.write_text('clock = "header"\n')
    out = {}
    for number in (1, 2):
        folder = tmp_path / f"out{number}"
        asked = ("--labels", labels_file, "--methodology", method, "--out", folder)
        done = run("recompute", tmp_path / "ledger", *asked)
        assert done.returncode == 0, done.stderr
        out[number] = (folder / "metrics.csv").read_bytes()
    with Ledger.open(tmp_path / "ledger", read_only=True) as opened:
        assert sorted(kept_clocks(opened.con)) == ["header", "mediantime"]
        assert verify(opened).fault_count == 0
    assert out[1] == out[2]
