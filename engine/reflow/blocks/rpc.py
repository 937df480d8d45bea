"""Blocks over a node's RPC: `getblock` with verbosity 3, turned back into the bytes that the files would hold.

Each transaction comes with its serialization, each input with the output that it spends, so block and undo data can be
put together again and go through the same decoder as the files': the ledger comes out the same, byte for byte. Needs a
node of version 23 or newer (prevouts) that is not pruned below the first block wanted.
"""

import base64
import http.client
import os
import weakref
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import numpy as np
from bitcoinrpc.authproxy import AuthServiceProxy, JSONRPCException
from numpy.typing import NDArray

from reflow.blocks.hashing import hash_headers
from reflow.blocks.source import ChainEnd, RawBatch, bounds_of, byte_array
from reflow.blocks.undo_writer import Coin, compact_size, serialize_undo
from reflow.errors import SourceError
from reflow.network import COIN, NETWORKS, Network

OLDEST_VERSION: Final = 230000
"""The first Bitcoin Core whose getblock gives prevouts (23.0)."""

_DEFAULT_PORTS: Final = {8332: "main", 18332: "test", 48332: "testnet4", 38332: "signet", 18443: "regtest"}
_TIMEOUT_SECONDS: Final = 300
_MAX_BLOCKS_PER_CALL: Final = 200
_BYTES_PER_CALL: Final = 4 << 20
_WARMING_UP: Final = -28
_UNKNOWN_BLOCK: Final = -5


class RpcSource:
    """The blocks of a running node, over its JSON-RPC interface."""

    def __init__(self, url: str, *, cookie: str | Path | None = None, network: Network | None = None) -> None:
        """Connect to http://[USER:PASSWORD@]HOST:PORT and ask the node for its network.

        Credentials: the cookie file if given, else those in the URL, else the environment's REFLOW_RPC_USER and
        REFLOW_RPC_PASSWORD, else the cookie file in the node's default folder. They never appear in a message.
        Raises SourceError: not reachable, wrong credentials, another network than asked for, too old a node.
        """
        parts = _split(url)
        self._where: Final = f"{parts.scheme}://{parts.hostname}:{parts.port}"
        self._url: Final = f"{parts.scheme}://user:password@{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._credentials: Final = _credentials(parts, cookie)
        self._warnings: list[str] = []
        info = self.call("getblockchaininfo")
        self.network: Final = self._network(info["chain"], network)
        version = int(self.call("getnetworkinfo")["version"])
        if version < OLDEST_VERSION:
            raise SourceError(
                f"{self._where}: node version {_dotted(version)} is too old: it gives no prevouts, "
                f"expected {_dotted(OLDEST_VERSION)} or newer"
            )
        self._tip_height = int(info["blocks"])
        self._prune_height = int(info.get("pruneheight", 0)) if info.get("pruned") else 0
        self._last_hash = ""

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

        Raises SourceError if the blocks above it are pruned.
        """
        common = min(tip_height, self._tip_height)
        while common > 0 and not self._agrees(common, hash_at):
            common -= 1
        if common < tip_height and not self._outweighs(tip_height, hash_at):
            self._warnings.append(
                f"{self._where}: the node's chain (height {self._tip_height}) has no more work than the ledger's "
                f"(height {tip_height}): nothing to do"
            )
            self._tip_height = common = tip_height
        if common + 1 < self._prune_height and common < self._tip_height:
            raise SourceError(
                f"{self._where}: pruned node: its first block is {self._prune_height}, "
                f"expected blocks from height {common + 1} on"
            )
        self._last_hash = (hash_at(common) or b"").hex()
        return common

    def end(self) -> ChainEnd:
        """The node's tip."""
        return ChainEnd(self._tip_height, None)

    def read(self, first_height: int, last_height: int, batch_bytes: int) -> Iterator[RawBatch]:
        """See BlockSource. Raises SourceError if the node's chain changes while it is read, or a block is pruned."""
        height, average = first_height, 0
        blocks: list[tuple[bytes, bytes]] = []
        while height <= last_height:
            count = _BYTES_PER_CALL // average if average else 1
            count = max(1, min(count, _MAX_BLOCKS_PER_CALL, last_height - height + 1))
            fetched = self._fetch(height, count)
            height += count
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
        block = self.call("getblock", block_hash.hex(), 3)
        return _serialize_block(block), self._undo(block)

    def call(self, method: str, *params: object) -> Any:
        """The result of one RPC; amounts are Decimal. Raises SourceError in one line."""
        return self._calls([[method, *params]])[0]

    def _calls(self, calls: list[list[object]]) -> list[Any]:
        try:
            answers = list(self._proxy.batch_([list(call) for call in calls]))
        except JSONRPCException as error:
            raise SourceError(self._explain(error)) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise SourceError(f"{self._where}: node not reachable: {reason}") from None
        except ValueError as error:
            raise SourceError(f"{self._where}: not a Bitcoin node: {error}") from None
        if len(answers) != len(calls):
            raise SourceError(
                f"{self._where}: not a Bitcoin node: {len(answers)} answers to {len(calls)} calls"
            )
        return answers

    @cached_property
    def _proxy(self) -> "_Proxy":
        return _Proxy(self._url, self._credentials)

    def _explain(self, error: JSONRPCException) -> str:
        text = str(error.message)
        if "401" in text and error.code == -342:
            return f"{self._where}: the node refuses the RPC user or password (401), check them or the cookie file"
        if error.code == _WARMING_UP:
            return f"{self._where}: the node is starting up ({text}): try again later"
        return f"{self._where}: the node answers: {text}"

    def _network(self, chain: str, wanted: Network | None) -> Network:
        if chain not in NETWORKS:
            raise SourceError(
                f"{self._where}: node of network {chain}, expected one of {', '.join(NETWORKS)}"
            )
        if wanted is not None and wanted.name != chain:
            raise SourceError(f"{self._where}: node of network {chain}, expected {wanted.name}")
        return NETWORKS[chain]

    def _agrees(self, height: int, hash_at: Callable[[int], bytes | None]) -> bool:
        return bool(self.call("getblockhash", height) == (hash_at(height) or b"").hex())

    def _outweighs(self, tip_height: int, hash_at: Callable[[int], bytes | None]) -> bool:
        """Whether the node's chain has more work than the ledger's; by height if it does not know the ledger's tip."""
        try:
            known = self.call("getblockheader", (hash_at(tip_height) or b"").hex())
        except SourceError as error:
            if isinstance(error.__cause__, JSONRPCException) and error.__cause__.code == _UNKNOWN_BLOCK:
                return self._tip_height > tip_height
            raise
        best = self.call("getblockheader", self.call("getblockhash", self._tip_height))
        return int(best["chainwork"], 16) > int(known["chainwork"], 16)

    def _fetch(self, height: int, count: int) -> list[tuple[bytes, bytes]]:
        hashes = self._calls([["getblockhash", h] for h in range(height, height + count)])
        blocks = self._calls([["getblock", block_hash, 3] for block_hash in hashes])
        result = []
        for offset, block in enumerate(blocks):
            if block["previousblockhash"] != self._last_hash:
                raise SourceError(
                    f"{self._where}: the node's chain changed at height {height + offset} while it was read: run again"
                )
            self._last_hash = block["hash"]
            result.append((_serialize_block(block), self._undo(block)))
        return result

    def _undo(self, block: dict[str, Any]) -> bytes:
        try:
            return serialize_undo(
                [[_coin(spent["prevout"]) for spent in tx["vin"]] for tx in block["tx"][1:]]
            )
        except KeyError:
            raise SourceError(
                f"{self._where}: block {block['hash']} at height {block['height']} comes without prevouts: "
                f"the node is too old (expected {_dotted(OLDEST_VERSION)} or newer) or has lost its undo data"
            ) from None

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


class _Proxy(AuthServiceProxy):  # type: ignore[misc]
    """python-bitcoinrpc with two repairs, both outside its public interface.

    It leaves percent signs in user and password as they are, and expects an `error` member in answers to JSON-RPC 2.0
    batches, which nodes leave out since version 28.
    """

    def __init__(self, url: str, credentials: str) -> None:
        super().__init__(url, timeout=_TIMEOUT_SECONDS)
        header = b"Basic " + base64.b64encode(credentials.encode())
        self._AuthServiceProxy__auth_header = header
        weakref.finalize(self, self._AuthServiceProxy__conn.close)

    def _get_response(self) -> Any:
        try:
            response = super()._get_response()
        except TypeError:  # it looks for an error in whatever came, be it a number
            response = None
        if isinstance(response, dict):  # a whole batch was refused
            raise JSONRPCException(response.get("error") or {"code": -343, "message": "no answer to a batch"})
        if not (isinstance(response, list) and all(isinstance(answer, dict) for answer in response)):
            raise ValueError("the answer to a batch is not a list of answers")
        for answer in response:
            answer.setdefault("error", None)
        return response


def _serialize_block(block: dict[str, Any]) -> bytes:
    """The block as the network sends it, from its header's fields and its transactions' serializations."""
    header = (
        (int(block["version"]) & 0xFFFFFFFF).to_bytes(4, "little")
        + bytes.fromhex(block["previousblockhash"])[::-1]
        + bytes.fromhex(block["merkleroot"])[::-1]
        + int(block["time"]).to_bytes(4, "little")
        + bytes.fromhex(block["bits"])[::-1]
        + int(block["nonce"]).to_bytes(4, "little")
    )
    return header + compact_size(len(block["tx"])) + b"".join(bytes.fromhex(tx["hex"]) for tx in block["tx"])


def _coin(prevout: dict[str, Any]) -> Coin:
    value = Decimal(prevout["value"]) * COIN
    script = bytes.fromhex(prevout["scriptPubKey"]["hex"])
    return Coin(int(value), script, int(prevout["height"]), bool(prevout["generated"]))


def _join(parts: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return byte_array(b"".join(parts)), bounds_of(map(len, parts))


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in ("http", "https") or not parts.hostname or port is None:
        raise SourceError(
            "RPC address: expected http://[USER:PASSWORD@]HOST:PORT, such as http://127.0.0.1:8332"
        )
    return parts


def _credentials(parts: SplitResult, cookie: str | Path | None) -> str:
    if cookie is not None:
        return _read_cookie(Path(cookie))
    if parts.username is not None:
        return f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    if "REFLOW_RPC_USER" in os.environ:
        return f"{os.environ['REFLOW_RPC_USER']}:{os.environ.get('REFLOW_RPC_PASSWORD', '')}"
    network = NETWORKS[_DEFAULT_PORTS.get(parts.port or 0, "main")]
    default = Path.home() / ".bitcoin" / network.folder / ".cookie"
    if not default.exists():
        raise SourceError(
            f"RPC of {parts.hostname}:{parts.port}: no user and password in the address or in REFLOW_RPC_USER and "
            f"REFLOW_RPC_PASSWORD, no --rpc-cookie, and no {default}"
        )
    return _read_cookie(default)


def _read_cookie(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path}: cannot read the cookie file: {getattr(error, 'strerror', error)}"
        ) from None
    if ":" not in text:
        raise SourceError(f"{path}: not a cookie file: expected user:password")
    return text


def _dotted(version: int) -> str:
    return f"{version // 10000}.{version // 100 % 100}"
