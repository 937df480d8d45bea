"""The ASGI application: what is at which path, and how a request becomes a response.

Here are the operator's key, threads, compression, bounds, errors in the vendor's form, and what is kept for the next
time. Figures always come from the files through SQL; what is kept is the finished answer to a request, byte for byte,
and only for as long as the recomputation it was read from is current.
"""

import asyncio
import gzip
import hmac
import re
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from reflow.errors import ResultsError
from reflow.serve import catalogs, page, timeseries
from reflow.serve.answer import JSON, TOKEN_NAME, Answer, Asked, Problem, dump, not_found, unavailable
from reflow.serve.endpoint import Call, Endpoint, begin
from reflow.serve.explaining import Explainer
from reflow.serve.library import Library, warn
from reflow.serve.openapi import document
from reflow.store.duckdb import DatabaseError

LONGEST_URL: Final = 10_000
"""Letters of path and query at most, as the vendor has it."""
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


class _CacheKey(NamedTuple):
    """All that the bytes of an answer depend on, besides the files."""

    path: bytes
    query: bytes
    host: bytes
    compress: bool


class _Kept(NamedTuple):
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


class _Cache:
    """The answers used last; for one thread."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most, self._size = most_bytes, 0
        self._kept: OrderedDict[_CacheKey, _Kept] = OrderedDict()

    def get(self, key: _CacheKey) -> _Kept | None:
        """What was kept under the key."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: _CacheKey, kept: _Kept) -> None:
        """Keep an answer, and drop those that were not used for longest."""
        self.drop(key)
        self._kept[key] = kept
        self._size += len(kept.body)
        while self._size > self._most:
            self.drop(next(iter(self._kept)))

    def drop(self, key: _CacheKey) -> None:
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


def _cache_key(scope: Scope) -> _CacheKey:
    """Under what an answer is kept."""
    host = accepted = b""
    for name, value in scope["headers"]:
        if name == b"host":
            host = value
        elif name == b"accept-encoding":
            accepted = value
    return _CacheKey(scope["raw_path"], scope["query_string"], host, _takes_gzip(accepted))


@lru_cache(256)
def _takes_gzip(accepted: bytes) -> bool:
    return any(_GZIP.fullmatch(part) for part in accepted.decode("latin-1").split(","))


class _Responder:
    """What requests share, and how they are answered."""

    def __init__(self, library: Library, explainer: Explainer, api_key: str | None) -> None:
        self._library, self._api_key = library, api_key.encode() if api_key else None
        self._cache = _Cache()
        self._turns: dict[_CacheKey, asyncio.Lock] = {}
        self._threads, self._one_thread = CapacityLimiter(_AT_A_TIME), CapacityLimiter(1)
        self.explain = explainer.endpoint()

    def kept(self, key: _CacheKey) -> _Kept | None:
        """The answer to the same request from before, if the files are the same; its query had the operator's key."""
        kept = self._cache.get(key)
        if kept is None or not self._library.is_current(kept.methodology, kept.name, kept.id):
            return None
        return kept

    async def answer(self, endpoint: Endpoint, request: Request) -> Response:
        """Answer a request."""
        key = _cache_key(request.scope)
        try:
            self._check_api_key(key.query)
            if not endpoint.is_kept:
                return await self._respond(endpoint, request, key)
            async with self._turn(key):
                kept = self.kept(key)
                return _again(kept) if kept else await self._respond(endpoint, request, key)
        except Problem as problem:
            return refusal(problem)

    @asynccontextmanager
    async def _turn(self, key: _CacheKey) -> AsyncIterator[None]:
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

    async def _respond(self, endpoint: Endpoint, request: Request, key: _CacheKey) -> Response:
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
            return StreamingResponse(body, 200, headers)
        first = made.first
        if compress:
            first = await run_sync(partial(gzip.compress, first, 5, mtime=0), limiter=self._threads)
        response = Response(first, 200, headers)
        if endpoint.is_kept and made.call.values.get(TOKEN_NAME) is None:
            read, asked_for = made.call.snapshot, named or made.call.values["methodology"]
            self._cache.put(key, _Kept(asked_for, read.name, read.id, response.raw_headers, first))
        return response

    def _limiter(self, endpoint: Endpoint) -> CapacityLimiter:
        """Cells are explained one at a time. Raises Problem (503) when too many wait for that."""
        if endpoint is not self.explain:
            return self._threads
        if self._one_thread.statistics().tasks_waiting >= _WAITING:
            raise unavailable("Too many values are being explained; try again later.")
        return self._one_thread

    def _make(self, endpoint: Endpoint, asked: Asked, named: str | None) -> _Made:
        """Raises Problem: what the endpoint raises, and 503 if files cannot be read or change while they are read."""
        try:
            call = begin(endpoint, asked, self._library, named)
            answer = endpoint.respond(call)
            pieces = iter(answer.body)
            first = _take(pieces, _LARGEST)
        except (OSError, DatabaseError, ResultsError) as error:
            warn(error)
            raise unavailable("The results cannot be read now; they may be about to be replaced.") from None
        if not call.snapshot.is_intact():
            raise unavailable("The results were written to while they were read.")
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


def make_app(library: Library, explainer: Explainer, key: str | None = None) -> ASGIApp:
    """The application that serves a library; with `key`, only those who know it see figures."""
    responder = _Responder(library, explainer, key)
    endpoints = (timeseries.ENDPOINT, *catalogs.ENDPOINTS, responder.explain, *catalogs.METHODOLOGIES)
    routes: list[BaseRoute] = []
    for endpoint in endpoints:
        routes.append(Route(endpoint.path, _handler(responder, endpoint)))
        if endpoint.path.startswith("/v4/"):
            routes.append(Route(f"/methodology/{{name}}{endpoint.path}", _handler(responder, endpoint)))
    told = document(endpoints, with_key=key is not None)
    for path, part in {"/openapi.json": page.Part(JSON, told), **page.parts()}.items():
        routes.append(Route(path, _fixed(part)))
    routes.append(Route(page.CHARTS, _charts()))
    app = Starlette(routes=routes, exception_handlers={HTTPException: _failed, Exception: _broken})
    app.router.redirect_slashes = False
    return _front(responder, app)


def _handler(responder: _Responder, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        return await responder.answer(endpoint, request)

    return handle


def _fixed(part: page.Part) -> Callable[[Request], Awaitable[Response]]:
    async def handle(_: Request) -> Response:
        return Response(part.body, headers={"content-type": part.media, **page.HEADERS})

    return handle


def _charts() -> Callable[[Request], Awaitable[Response]]:
    """The chart library, made when it is first asked for."""
    one = CapacityLimiter(1)

    async def handle(request: Request) -> Response:
        part = await run_sync(page.charts, limiter=one)
        return await _fixed(part)(request)

    return handle


async def _failed(request: Request, error: Exception) -> Response:
    """The framework's own refusals, in the vendor's form."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return refusal(not_found(request.url.path))
    response = refusal(Problem(error.status_code, "method_not_allowed", "Only GET is supported."))
    response.headers.update(error.headers or {})
    return response


async def _broken(request: Request, error: Exception) -> Response:
    """A bug: the server's log has the traceback."""
    return refusal(Problem(500, "internal_server_error", "The server has a fault; see its log."))


def _front(responder: _Responder, app: ASGIApp) -> ASGIApp:
    """What comes before all else: URLs that are too long are refused, known answers sent as they are."""
    told = f"Expected at most {LONGEST_URL} letters of path and query."
    too_long = refusal(Problem(414, "uri_too_long", told))

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if len(scope["raw_path"]) + 1 + len(scope["query_string"]) > LONGEST_URL:
            return await too_long(scope, receive, send)
        kept = responder.kept(_cache_key(scope)) if scope["method"] == "GET" else None
        if kept is None:
            return await app(scope, receive, send)
        await send({"type": "http.response.start", "status": 200, "headers": kept.headers})
        await send({"type": "http.response.body", "body": kept.body})
        return None

    return front


def refusal(problem: Problem) -> Response:
    """An error in the vendor's form."""
    headers = {"content-type": JSON} | ({"retry-after": "1"} if problem.status == 503 else {})
    return Response(dump(problem.body()), problem.status, headers)


def _again(kept: _Kept) -> Response:
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
