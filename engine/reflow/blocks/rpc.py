"""Blocks over a node's RPC: `getblock` with verbosity 3, turned back into the bytes that the files would hold.

Each transaction comes with its serialization, each input with the output that it spends, so block and undo data can be
put together again and go through the same decoder as the files': the ledger comes out the same, byte for byte. Needs a
node of version 23 or newer (prevouts) that is not pruned below the first block wanted.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reflow.blocks.hashing import hash_headers
from reflow.blocks.rpc_answers import FieldError, list_at, parse_block, text_at, whole_at
from reflow.blocks.rpc_client import PATIENCE_SECONDS, SMALL_ANSWER, RpcClient, RpcError, TooLongError
from reflow.blocks.source import Behind, ChainEnd, RawBatch, bounds_of, byte_array
from reflow.blocks.undo_writer import sha256d
from reflow.errors import ChainMovedError, SourceError
from reflow.network import NETWORKS, Network

OLDEST_VERSION: Final = 230000
"""The first Bitcoin Core whose getblock gives prevouts (23.0)."""

_MAX_BLOCKS_PER_CALL: Final = 200
_BYTES_PER_CALL: Final = 4 << 20
"""Bytes of blocks and undo data asked for together, judged by the blocks before."""
_LARGEST_ANSWER: Final = 64 << 20
"""Bytes of answers with blocks that are read: JSON has some ten times as many as the blocks and what they spend."""
_HIGHEST: Final = 2**31 - 1
_UNKNOWN_BLOCK: Final = -5
_NO_SUCH_HEIGHT: Final = -8
_HEADER_BYTES: Final = 80
_DEEPEST_BRANCH: Final = 2016
"""Blocks of a branch that the node calls invalid which are walked down to the ledger's tip."""


class RpcSource:
    """The blocks of a running node, over its JSON-RPC interface."""

    def __init__(
        self,
        url: str,
        *,
        cookie: str | Path | None = None,
        network: Network | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Connect to http://[USER:PASSWORD@]HOST:PORT and ask the node for its network.

        Credentials: the cookie file if given, else those in the URL, else the environment's REFLOW_RPC_USER and
        REFLOW_RPC_PASSWORD, else the cookie file in the node's default folder. They never appear in a message.
        `patience`: seconds that a question to the node may take, tries after passing faults included. Raises
        SourceError: not reachable, wrong credentials, another network than asked for, too old a node.
        """
        self._client: Final = RpcClient(url, cookie=cookie, patience=patience)
        self._where: Final = self._client.where
        self._warnings: list[str] = []
        self._tip_height = self._header_height = self._prune_height = 0
        self._is_downloading = False
        self._last_hash = ""
        self.network: Final = self._network(self._look(), network)
        version = self._read(whole_at, self.call("getnetworkinfo"), "version", 0, _HIGHEST)
        if version < OLDEST_VERSION:
            raise SourceError(
                f"{self._where}: node version {_dotted(version)} is too old: it gives no prevouts, "
                f"expected {_dotted(OLDEST_VERSION)} or newer"
            )

    @property
    def warnings(self) -> list[str]:
        """What a person should know about the node, a sentence each, so far."""
        return self._warnings

    def resume(self, state: object, progress: object = None) -> None:
        """Nothing: a node knows its blocks."""

    def state(self) -> None:
        """Nothing: a node remembers its blocks."""

    def locate(self, tip_height: int, hash_at: Callable[[int], bytes | None]) -> int:
        """Height of the last block in common with a ledger; see BlockSource.

        The node's active chain counts, whatever its work, unless the node is still downloading or only lags behind.
        Raises SourceError if the blocks above it are pruned.
        """
        self._look()
        common = self._common_height(min(tip_height, self._tip_height), hash_at)
        if common < tip_height and not self._has_left(common, tip_height, hash_at):
            self._warn(
                f"{self._where}: the node's chain (height {self._tip_height}) has no more work than the ledger's "
                f"(height {tip_height}): nothing to do"
            )
            self._tip_height = common = tip_height
        if common + 1 < self._prune_height and common < self._tip_height:
            raise SourceError(
                f"{self._where}: pruned node: its first block is {self._prune_height}, "
                f"expected blocks from height {common + 1} on"
            )
        if self._header_height > self._tip_height:
            self._warn(
                f"{self._where}: the node has not connected {self._header_height - self._tip_height} blocks whose "
                f"headers it knows (height {self._tip_height + 1} on)"
            )
        self._last_hash = (hash_at(common) or b"").hex()
        return common

    def end(self) -> ChainEnd:
        """The node's tip."""
        ahead = self._header_height - self._tip_height
        return ChainEnd(
            self._tip_height, None, Behind(ahead, self._header_height, None) if ahead > 0 else None
        )

    def read(self, first_height: int, last_height: int, batch_bytes: int) -> Iterator[RawBatch]:
        """See BlockSource. Raises ChainMovedError if the node's chain changes while it is read, else SourceError."""
        height, average, most = first_height, 0, _MAX_BLOCKS_PER_CALL
        blocks: list[tuple[bytes, bytes]] = []
        while height <= last_height:
            count = _BYTES_PER_CALL // average if average else 1
            count = max(1, min(count, most, last_height - height + 1))
            try:
                fetched = self._fetch(height, count)
            except TooLongError:
                if count == 1:
                    raise
                most = count // 2  # these blocks are larger than those before
                continue
            height, most = height + count, _MAX_BLOCKS_PER_CALL
            average = max(sum(len(block) + len(undo) for block, undo in fetched) // count, 1)
            blocks += fetched
            if sum(len(block) for block, _ in blocks) >= batch_bytes:
                yield self._batch(height - len(blocks), blocks)
                blocks = []
        if blocks:
            yield self._batch(height - len(blocks), blocks)

    def block(self, block_hash: bytes) -> tuple[bytes, bytes]:
        """Bytes and undo data of the block with this hash (display order), on the best chain or not.

        Raises SourceError if the node does not know it or has pruned it.
        """
        [answer] = self._client.calls([["getblock", block_hash.hex(), 3]], _LARGEST_ANSWER)
        return self._parse(answer, f"block {block_hash.hex()}")

    def call(self, method: str, *params: object) -> Any:
        """The result of one RPC; amounts are Decimal. Raises SourceError in one line."""
        return self._client.call(method, *params)

    def _look(self) -> str:
        """See where the node is now; gives the name of its network."""
        info = self.call("getblockchaininfo")
        chain: str = self._read(text_at, info, "chain")
        self._tip_height = self._read(whole_at, info, "blocks", 0, _HIGHEST)
        self._header_height = (
            self._read(whole_at, info, "headers", 0, _HIGHEST) if "headers" in info else self._tip_height
        )
        is_pruned = bool(info.get("pruned")) and "pruneheight" in info
        self._prune_height = self._read(whole_at, info, "pruneheight", 0, _HIGHEST) if is_pruned else 0
        self._is_downloading = info.get("initialblockdownload") is True
        return chain

    def _network(self, chain: str, wanted: Network | None) -> Network:
        name = self._client.clean(chain)
        if chain not in NETWORKS:
            raise SourceError(f"{self._where}: node of network {name}, expected one of {', '.join(NETWORKS)}")
        if wanted is not None and wanted.name != chain:
            raise SourceError(f"{self._where}: node of network {name}, expected {wanted.name}")
        return NETWORKS[chain]

    def _common_height(self, highest: int, hash_at: Callable[[int], bytes | None]) -> int:
        """The highest block, at most at `highest`, that ledger and node have in common; more are asked each time."""
        count = 1
        while highest > 0:
            heights = range(highest, max(highest - count, 0), -1)
            for height, block_hash in zip(heights, self._hashes(heights), strict=True):
                if block_hash == (hash_at(height) or b"").hex():
                    return height
            highest, count = heights[-1] - 1, min(2 * count, 1000)
        return 0

    def _hashes(self, heights: range) -> list[str]:
        try:
            answers = self._client.calls([["getblockhash", height] for height in heights], SMALL_ANSWER)
        except RpcError as error:
            if error.code == _NO_SUCH_HEIGHT:
                raise ChainMovedError(self._moved(max(heights))) from None
            raise
        return [
            self._read(text_at, {"getblockhash": answer}, "getblockhash", place=f"height {height}")
            for height, answer in zip(heights, answers, strict=True)
        ]

    def _moved(self, height: int) -> str:
        return f"{self._where}: the node's chain changed at height {height} while it was read: run again"

    def _has_left(self, common: int, tip_height: int, hash_at: Callable[[int], bytes | None]) -> bool:
        """Whether the node has left the ledger's chain, which goes on above the block in common.

        It has if its own goes on with other blocks. If its own ends there, it may only lag behind; what it calls
        invalid it has left. While it is downloading, the work counts.
        """
        if self._tip_height == common:
            return self._calls_invalid(common, tip_height, hash_at)
        return not self._is_downloading or self._outweighs(tip_height, hash_at)

    def _calls_invalid(self, common: int, tip_height: int, hash_at: Callable[[int], bytes | None]) -> bool:
        branches = self._read(list_at, {"getchaintips": self.call("getchaintips")}, "getchaintips")
        for branch in branches:
            if self._read(text_at, branch, "status", place="getchaintips") != "invalid":
                continue
            height = self._read(whole_at, branch, "height", 0, _HIGHEST, place="getchaintips")
            block_hash = self._read(text_at, branch, "hash", place="getchaintips")
            if not common < height <= tip_height + _DEEPEST_BRANCH:
                continue
            for _ in range(height - tip_height):
                header = self.call("getblockheader", block_hash)
                block_hash = self._read(text_at, header, "previousblockhash", place=f"block {block_hash}")
            if block_hash == (hash_at(min(height, tip_height)) or b"").hex():
                return True
        return False

    def _outweighs(self, tip_height: int, hash_at: Callable[[int], bytes | None]) -> bool:
        """Whether the node's chain has more work than the ledger's; by height if it does not know the ledger's tip."""
        try:
            known = self.call("getblockheader", (hash_at(tip_height) or b"").hex())
        except RpcError as error:
            if error.code == _UNKNOWN_BLOCK:
                return self._tip_height > tip_height
            raise
        [best_hash] = self._hashes(range(self._tip_height, self._tip_height + 1))
        return self._work(self.call("getblockheader", best_hash)) > self._work(known)

    def _work(self, header: Any) -> int:
        work = self._read(text_at, header, "chainwork", place="getblockheader")
        try:
            return int(work, 16)
        except ValueError:
            raise SourceError(
                f"{self._where}: getblockheader: chainwork: found {self._client.clean(work)}, expected hex digits"
            ) from None

    def _fetch(self, height: int, count: int) -> list[tuple[bytes, bytes]]:
        hashes = self._hashes(range(height, height + count))
        answers = self._client.calls([["getblock", block_hash, 3] for block_hash in hashes], _LARGEST_ANSWER)
        result = []
        for offset, (block_hash, answer) in enumerate(zip(hashes, answers, strict=True)):
            place = f"block {self._client.clean(block_hash)} at height {height + offset}"
            block, undo = self._parse(answer, place)
            found = sha256d(block[:_HEADER_BYTES])[::-1].hex()
            if found != block_hash:
                raise SourceError(f"{self._where}: {place}: its fields are those of another block, {found}")
            if answer["previousblockhash"] != self._last_hash:
                raise ChainMovedError(self._moved(height + offset))
            self._last_hash = block_hash
            result.append((block, undo))
        return result

    def _parse(self, answer: Any, place: str) -> tuple[bytes, bytes]:
        try:
            return parse_block(answer)
        except FieldError as error:
            if error.path.endswith("prevout") and error.found is None:
                raise SourceError(
                    f"{self._where}: {place} comes without prevouts: the node is too old "
                    f"(expected {_dotted(OLDEST_VERSION)} or newer) or has lost its undo data"
                ) from None
            raise SourceError(self._fault(error, place)) from None

    def _read(self, reader: Callable[..., Any], part: Any, *what: Any, place: str = "") -> Any:
        """A field of an answer by one of the readers in rpc_answers.py. Raises SourceError."""
        try:
            return reader(part, *what)
        except FieldError as error:
            raise SourceError(self._fault(error, place)) from None

    def _fault(self, error: FieldError, place: str) -> str:
        where = f"{self._where}: {place}: " if place else f"{self._where}: "
        found = "nothing" if error.found is None else self._client.clean(repr(error.found)[:200])
        return f"{where}{error.path}: found {found}, expected {error.expected}"

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)

    def _batch(self, first_height: int, blocks: list[tuple[bytes, bytes]]) -> RawBatch:
        raw, block_bounds = _join([block for block, _ in blocks])
        undo, undo_bounds = _join([undo for _, undo in blocks])
        headers = np.stack([raw[start : start + 80] for start in block_bounds[:-1]])
        hashes = np.empty((len(blocks), 32), np.uint8)
        hash_headers(np.ascontiguousarray(headers), hashes)
        return RawBatch(
            first_height=first_height,
            blocks=raw,
            block_bounds=block_bounds,
            undo=undo,
            undo_bounds=undo_bounds,
            hashes=hashes,
            offsets=block_bounds[:-1],
            xor_key=None,
            place=lambda block: f"{self._where}",
        )


def _join(parts: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return byte_array(b"".join(parts)), bounds_of(map(len, parts))


def _dotted(version: int) -> str:
    return f"{version // 10000}.{version // 100 % 100}"
