"""Generate a mainnet-shaped chain of any size, as a node's own files: input for benchmarks, not for conclusions.

    PYTHONPATH=benchmarks python -m chain.generate DIR --size 2GB --seed 1

writes DIR/regtest/blocks (blk and rev files that a node started with `-regtest -datadir=DIR -reindex`
accepts), DIR/labels.csv, DIR/prices.csv and DIR/totals.json: the counts and sums that an engine must find in
the ledger. The same size and seed give the same bytes. Blocks stand ten minutes apart, so 144 make a day; the
first hundred hold nothing but their coinbase.
"""

import argparse
import csv
import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from chain.coins import (
    EXCHANGES,
    HOT,
    POOL,
    POOLS,
    account_number,
    empty_coins,
    empty_transfer,
    put_coin,
    roll,
)
from chain.encode import put_script
from chain.hashing import merkle_root
from chain.traffic import HOT_WALLETS, Totals, fill_block
from reflow.blocks.undo_writer import compact_size
from reflow.network import REGTEST
from reflow.script import address_of
from reflow.simulate.blockfiles import BlockFileWriter
from reflow.simulate.chain import COINBASE_MATURITY, find_header, genesis, median
from reflow.simulate.serialize import Output, coinbase_transaction, serialize_transaction, txid

START: Final = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp())
SPACING: Final = 600
CODES: Final = (
    *("BFX", "BMX", "BNB", "BSP", "BTX", "GEM", "HUO", "KRK", "POL"),
    *("BIT", "CBS", "CRO", "DER", "GIO", "HBT", "KOR", "KCN", "OKX"),
)
"""Exchange codes by entity number."""

_BUFFER: Final = 4_200_000
_UNDO_BUFFER: Final = 2_000_000
_MOST_TRANSACTIONS: Final = 20_000


class GeneratedBlock(NamedTuple):
    """One block of the chain; hashes in internal order."""

    prev_hash: bytes
    hash: bytes
    raw: bytes
    undo: bytes
    totals: Totals
    coinbase_value: int
    """Satoshis that the coinbase pays."""
    coinbase_outputs: int
    mediantime: int


def blocks(seed: int, users: int, weight: int) -> Iterator[GeneratedBlock]:
    """Blocks from height 1 up; `users` bounds the spendable coins kept, `weight` is that of a full block."""
    coins, transfer = empty_coins(users), empty_transfer()
    dice, newest = np.array([seed], np.uint64), np.zeros(2, np.int64)
    block, undo, stripped = (np.zeros(size, np.uint8) for size in (_BUFFER, _UNDO_BUFFER, _BUFFER))
    txids, wtxids = (np.zeros((_MOST_TRANSACTIONS + 1, 4), np.int64) for _ in range(2))
    times, prev_hash = [REGTEST.genesis_time], genesis().hash
    young: list[tuple[bytes, int, int, int]] = []
    for height in range(1, 1 << 31):
        if height > COINBASE_MATURITY:
            own_txid, value, account, made = young.pop(0)
            put_coin(coins, np.frombuffer(own_txid, np.int64), 0, value, account, 2 * made + 1)
        wtxids[0] = 0
        size, undo_size, totals = fill_block(
            coins, transfer, dice, newest, height, weight, block, undo, stripped, txids, wtxids
        )
        count = totals.transactions + 1
        merkle_root(wtxids, count)
        payee = _payee(dice)
        reward = REGTEST.subsidy(height) + totals.spent - totals.paid
        pay = Output(reward, script_of(payee))
        coinbase = coinbase_transaction(height, _tag(payee), [pay], wtxids[0].tobytes())
        young.append((txid(coinbase), reward, payee, height))
        txids[0] = np.frombuffer(txid(coinbase), np.int64)
        merkle_root(txids, count)
        wanted = START + height * SPACING + int(roll(dice, 2_000))
        times = [*times[-10:], max(wanted, median(times[-11:]) + 1)]
        header, block_hash = find_header(prev_hash, txids[0].tobytes(), times[-1])
        body = compact_size(count) + serialize_transaction(coinbase) + block[:size].tobytes()
        record = compact_size(count - 1) + undo[:undo_size].tobytes()
        outputs = len(coinbase.outputs)
        yield GeneratedBlock(
            prev_hash, block_hash, header + body, record, totals, reward, outputs, median(times)
        )
        prev_hash = block_hash


def script_of(account: int) -> bytes:
    """The scriptPubKey of an account of `encode`."""
    buffer = np.zeros(256, np.uint8)
    return buffer[: put_script(buffer, 0, account)].tobytes()


def write(folder: Path, size: int, seed: int, users: int, weight: int) -> dict[str, int | str]:
    """Write a chain with `size` bytes of blocks and undo records, and the files beside it; gives the totals."""
    sums: Counter[str] = Counter()
    with BlockFileWriter(folder / "regtest" / "blocks", REGTEST.magic) as files:
        files.add_block(genesis().raw)
        for block in blocks(seed, users, weight):
            files.add_undo(files.add_block(block.raw), block.prev_hash, block.undo)
            sums.update(_counts(block))
            if sums["block_bytes"] + sums["undo_bytes"] >= size:
                break
    last_day = datetime.fromtimestamp(block.mediantime, UTC).date()
    _write_labels(folder / "labels.csv")
    _write_prices(folder / "prices.csv", last_day)
    totals: dict[str, int | str] = {
        **sums,
        "tip": block.hash[::-1].hex(),
        "last_day": str(last_day),
        "seed": seed,
    }
    (folder / "totals.json").write_text(json.dumps(totals, indent=1) + "\n")
    return totals


def _counts(block: GeneratedBlock) -> dict[str, int]:
    """What a block adds to a ledger: its coinbase is a transaction with credits and without debits."""
    fees = block.totals.spent - block.totals.paid
    return {
        "blocks": 1,
        "transactions": block.totals.transactions + 1,
        "debits": block.totals.inputs,
        "credits": block.totals.outputs + block.coinbase_outputs,
        "debit_value": block.totals.spent,
        "credit_value": block.totals.paid + block.coinbase_value,
        "issuance": block.coinbase_value - fees,
        "fees": fees,
        "block_bytes": len(block.raw),
        "undo_bytes": len(block.undo),
    }


def _payee(dice: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> int:
    """Who mines: mostly pools with two payout accounts each; one block in fifty pays an exchange's hot wallet."""
    if roll(dice, 50) == 0:
        return int(account_number(HOT, 2, 0))
    return int(account_number(POOL, roll(dice, 1 + roll(dice, POOLS)), roll(dice, 2)))


def _tag(payee: int) -> bytes:
    entity = payee >> 40 & 0xFFFF
    return f"/Pool {entity}/".encode() if payee >> 56 == POOL else f"/{CODES[entity]}/".encode()


def _write_labels(path: Path) -> None:
    """The hot wallets of all exchanges, and the payout accounts of one pool."""
    hot = [
        (account_number(HOT, exchange, n), CODES[exchange], "exchange")
        for exchange in range(EXCHANGES)
        for n in range(HOT_WALLETS)
    ]
    pool = [(account_number(POOL, 0, n), "Pool 0", "pool") for n in range(2)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("address", "entity", "category"))
        writer.writerows((address_of(script_of(a), REGTEST), entity, kind) for a, entity, kind in hot + pool)


def _write_prices(path: Path, last: date) -> None:
    """A price for every day, rising by a cent a day."""
    first = datetime.fromtimestamp(START, UTC).date()
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    lines = [f"{day},{320 + n // 100}.{n % 100:02}" for n, day in enumerate(days)]
    path.write_text("\n".join(["time,PriceUSD", *lines, ""]))


def parse_size(text: str) -> int:
    """Bytes from a text such as `2GB`, `300MB` or `5000000`; units are decimal. Raises ValueError."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if text.upper().endswith(unit):
            return int(float(text[:-2]) * factor)
    return int(text)


def main() -> None:
    """Read the command line, write the chain, print what came out and how fast."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--size", type=parse_size, default="2GB", help="bytes of blocks and undo data (2GB)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--users", type=int, default=600_000, help="spendable coins kept for users (600000)")
    parser.add_argument("--weight", type=int, default=3_990_000, help="weight of a full block (3990000)")
    given = parser.parse_args()
    began = time.perf_counter()
    totals = write(given.folder, given.size, given.seed, given.users, given.weight)
    seconds = time.perf_counter() - began
    rate = (int(totals["block_bytes"]) + int(totals["undo_bytes"])) / seconds / 1e6
    print(json.dumps({**totals, "seconds": round(seconds, 2), "MB_per_s": round(rate, 1)}, indent=1))


if __name__ == "__main__":
    main()
