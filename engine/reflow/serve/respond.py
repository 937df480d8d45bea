"""How a call becomes a response: the operator's key, threads, compression, bounds, what is kept for the next time.

Figures always come from the files through SQL; what is kept is the finished answer to a request, byte for byte, and
only for as long as the recomputation it was read from is current.
"""

import asyncio
import gzip
import hmac
import re
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Scope

from reflow.serve.answer import Answer, Problem, of_problem
from reflow.serve.endpoint import Call, Endpoint, begin
from reflow.serve.explaining import Explainer
from reflow.serve.library import Library
from reflow.serve.paging import NAME, Asked

_AT_A_TIME: Final = 4
"""Answers that are made at the same time; others wait, and none of those waiting takes memory."""
_WAITING: Final = 8
"""Cells that wait to be explained at most; each may take seconds."""
_PIECE: Final = 1 << 18
"""Bytes of a long answer that are made before they are sent on."""
_WORTH: Final = 500
"""Bytes below which nothing is compressed."""
_MOST_BYTES: Final = 64 << 20
"""Of all kept answers together."""
_LARGEST: Final = 1 << 20
"""Of one kept answer; longer ones are streamed and not kept."""
_GZIP: Final = re.compile(r"\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?", re.IGNORECASE)


class CacheKey(NamedTuple):
    """All that the bytes of an answer depend on, besides the files."""

    path: bytes
    query: bytes
    host: bytes
    compress: bool


class Kept(NamedTuple):
    """An answer as it was sent."""

    methodology: str | None
    """As it was asked for; None for the default one."""
    name: str
    """Of the recomputation it was read from."""
    id: str
    """Of that recomputation."""
    headers: list[tuple[bytes, bytes]]
    """As ASGI has them."""
    body: bytes


class Cache:
    """The answers used last; for one thread."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most, self._size = most_bytes, 0
        self._kept: OrderedDict[CacheKey, Kept] = OrderedDict()

    def get(self, key: CacheKey) -> Kept | None:
        """What was kept under the key."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: CacheKey, kept: Kept) -> None:
        """Keep an answer, and drop those that were not used for longest."""
        self.drop(key)
        self._kept[key] = kept
        self._size += len(kept.body)
        while self._size > self._most:
            self.drop(next(iter(self._kept)))

    def drop(self, key: CacheKey) -> None:
        """Forget an answer."""
        gone = self._kept.pop(key, None)
        self._size -= len(gone.body) if gone else 0


class _Made(NamedTuple):
    """An answer, as far as it was made."""

    answer: Answer
    call: Call
    first: bytes
    """What was made already."""
    rest: Iterator[bytes] | None
    """What comes after it, if the answer is long."""


def cache_key(scope: Scope) -> CacheKey:
    """Under what an answer is kept."""
    host = accepted = b""
    for name, value in scope["headers"]:
        if name == b"host":
            host = value
        elif name == b"accept-encoding":
            accepted = value
    return CacheKey(scope["raw_path"], scope["query_string"], host, _takes_gzip(accepted))


@lru_cache(256)
def _takes_gzip(accepted: bytes) -> bool:
    return any(_GZIP.fullmatch(part) for part in accepted.decode("latin-1").split(","))


class Responder:
    """What requests share, and how they are answered."""

    def __init__(self, library: Library, explainer: Explainer, api_key: str | None) -> None:
        self._library, self._api_key = library, api_key.encode() if api_key else None
        self._cache = Cache()
        self._turns: dict[CacheKey, asyncio.Lock] = {}
        self._threads, self._one_thread = CapacityLimiter(_AT_A_TIME), CapacityLimiter(1)
        self.explain = explainer.endpoint()

    def kept(self, key: CacheKey) -> Kept | None:
        """The answer to the same request from before, if the files are the same; its query had the operator's key."""
        kept = self._cache.get(key)
        if kept is None or not self._library.is_current(kept.methodology, kept.name, kept.id):
            return None
        return kept

    async def answer(self, endpoint: Endpoint, request: Request) -> Response:
        """Answer a request."""
        key = cache_key(request.scope)
        try:
            self._check_api_key(key.query)
            if not endpoint.is_kept:
                return await self._respond(endpoint, request, key)
            async with self._turn(key):
                kept = self.kept(key)
                return _again(kept) if kept else await self._respond(endpoint, request, key)
        except Problem as problem:
            return plain(of_problem(problem))

    @asynccontextmanager
    async def _turn(self, key: CacheKey) -> AsyncIterator[None]:
        """One at a time for the same request: many who ask it at once wait for the first one's answer."""
        lock = self._turns.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._turns.pop(key, None)

    def _check_api_key(self, query: bytes) -> None:
        """Raises Problem (401) unless the request has the operator's key, if there is one."""
        if self._api_key is None:
            return
        given = [
            v for name, v in parse_qsl(query.decode("latin-1"), keep_blank_values=True) if name == "api_key"
        ]
        if not given:
            raise Problem(401, "unauthorized", "Requested resource requires authorization.")
        if not hmac.compare_digest(given[0].encode(), self._api_key):
            raise Problem(401, "wrong_credentials", "Supplied credentials are not valid.")

    async def _respond(self, endpoint: Endpoint, request: Request, key: CacheKey) -> Response:
        asked = Asked(
            request.scope["scheme"], key.host.decode("latin-1"), request.url.path, key.query.decode("latin-1")
        )
        named = request.path_params.get("name")
        made = await run_sync(self._make, endpoint, asked, named, limiter=self._limiter(endpoint))
        headers = {"content-type": made.answer.media, "vary": "accept-encoding", **made.answer.headers}
        compress = key.compress and (made.rest is not None or len(made.first) >= _WORTH)
        if compress:
            headers["content-encoding"] = "gzip"
        if made.rest is not None:
            body = self._stream(made.first, made.rest, compress=compress)
            return StreamingResponse(body, made.answer.status, headers)
        first = made.first
        if compress:
            first = await run_sync(partial(gzip.compress, first, 5, mtime=0), limiter=self._threads)
        response = Response(first, made.answer.status, headers)
        if endpoint.is_kept and made.call.values.get(NAME) is None:
            read, asked_for = made.call.snapshot, named or made.call.values["methodology"]
            self._cache.put(key, Kept(asked_for, read.name, read.id, response.raw_headers, first))
        return response

    def _limiter(self, endpoint: Endpoint) -> CapacityLimiter:
        """Cells are explained one at a time. Raises Problem (503) when too many wait for that."""
        if endpoint is not self.explain:
            return self._threads
        if self._one_thread.statistics().tasks_waiting >= _WAITING:
            raise Problem(503, "service_unavailable", "Too many values are being explained; try again later.")
        return self._one_thread

    def _make(self, endpoint: Endpoint, asked: Asked, named: str | None) -> _Made:
        call = begin(endpoint, asked, self._library, named)
        answer = endpoint.respond(call)
        pieces = iter(answer.body)
        first = _take(pieces, _LARGEST)
        return _Made(answer, call, first, pieces if len(first) >= _LARGEST else None)

    async def _stream(self, first: bytes, rest: Iterator[bytes], *, compress: bool) -> AsyncIterator[bytes]:
        """A long body, made a piece at a time, and no faster than it is taken."""
        squeeze = zlib.compressobj(4, wbits=31) if compress else None
        piece = first
        while piece:
            if squeeze:
                piece = await run_sync(squeeze.compress, piece, limiter=self._threads)
            yield piece
            piece = await run_sync(_take, rest, _PIECE, limiter=self._threads)
        if squeeze:
            yield squeeze.flush()


def plain(answer: Answer) -> Response:
    """A short answer as it is."""
    return Response(b"".join(answer.body), answer.status, {"content-type": answer.media, **answer.headers})


def _again(kept: Kept) -> Response:
    response = Response(kept.body)
    response.raw_headers = list(kept.headers)
    return response


def _take(pieces: Iterator[bytes], size: int) -> bytes:
    """Pieces of at least so many bytes together; fewer only at the end."""
    taken, total = [], 0
    for piece in pieces:
        taken.append(piece)
        total += len(piece)
        if total >= size:
            break
    return b"".join(taken)
