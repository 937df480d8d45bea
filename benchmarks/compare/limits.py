"""What cannot be beaten, each as a program of its own: reading the files, hashing their bytes, decoding them.

    python benchmarks/compare/limits.py read-cold|read|sha256d|decode DATADIR [THREADS]

`read-cold` asks the kernel to forget the files first, `read` finds them in memory. `sha256d` is hashlib over all their
bytes in one thread: less than the hashing that a check of the chain needs. `decode` is reflow's decoder with all its
checks, nothing stored.
"""

import hashlib
import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

PIECE = 4 << 20


def block_files(datadir: Path) -> list[Path]:
    """The blk and rev files of a regtest data directory, in order."""
    return sorted((datadir / "regtest" / "blocks").glob("[br][le][kv]*.dat"))


def pieces(datadir: Path) -> Iterator[bytes]:
    for path in block_files(datadir):
        with path.open("rb", buffering=0) as file:
            while piece := file.read(PIECE):
                yield piece


def forget(datadir: Path) -> None:
    """Drop the files from the kernel's cache."""
    for path in block_files(datadir):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def sha256d(datadir: Path) -> str:
    digest = hashlib.sha256()
    for piece in pieces(datadir):
        digest.update(piece)
    return hashlib.sha256(digest.digest()).hexdigest()


def decode(datadir: Path, threads: int) -> int:
    """Decode all blocks in that many threads; gives how many there are."""
    from reflow.blocks.datadir import DatadirSource
    from reflow.blocks.decode import DecodedBatch
    from reflow.blocks.decode import decode as decode_batch
    from reflow.ledger.ingest import BATCH_BYTES

    source = DatadirSource(datadir)
    source.resume(None)
    source.locate(0, lambda height: source.network.genesis_hash if height == 0 else None)
    blocks, running = 0, deque[Future[DecodedBatch]]()
    with ThreadPoolExecutor(threads) as executor:
        for batch in source.read(1, source.end().height, BATCH_BYTES):
            running.append(executor.submit(decode_batch, batch, source.network))
            if len(running) > threads:
                blocks += len(running.popleft().result().times)
        return blocks + sum(len(future.result().times) for future in running)


def main() -> None:
    what, datadir = sys.argv[1], Path(sys.argv[2])
    if what == "read-cold":
        forget(datadir)
    if what == "sha256d":
        print(sha256d(datadir))
    elif what == "decode":
        print(decode(datadir, int(sys.argv[3])))
    else:
        print(sum(map(len, pieces(datadir))))


if __name__ == "__main__":
    main()
